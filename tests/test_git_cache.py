"""What dreg keeps of repositories elsewhere, when it is damaged or may not be written to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dreg.adapters import git
from dreg.adapters.git.bare_cache import BareCache
from tests.hand_made import HandMade, tree
from tests.test_fetch_cache import PLACED, another_project, served, wine
from tests.test_os_errors import read_only

__all__ = ["served", "wine"]


def packs(store: Path) -> list[Path]:
    found = sorted((store / "objects" / "pack").glob("*.pack"))
    assert found
    return found


def cut(store: Path) -> None:
    for pack in packs(store):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:-30])


def emptied(store: Path) -> None:
    for pack in packs(store):
        pack.chmod(0o644)
        pack.write_bytes(b"")


def lost(store: Path) -> None:
    for pack in packs(store):
        for file in pack.parent.glob(f"{pack.stem}.*"):
            file.unlink()


def misread(store: Path) -> None:
    with (store / "config").open("a") as config:
        config.write("[half a line")


def without_references(store: Path) -> None:
    shutil.rmtree(store / "refs")


HARMS = {
    "a pack is cut": cut,
    "a pack is empty": emptied,
    "packs are lost": lost,
    "the configuration is cut": misread,
    "references are lost": without_references,
}


def store_of(made: HandMade) -> Path:
    (store,) = (path for path in (made.home / "cache" / "git").iterdir() if path.suffix == "")
    return store


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_damaged_is_moved_away_and_made_anew(wine, harm):
    wine.fetch("wine@1.0.0")
    HARMS[harm](store_of(wine))
    shutil.rmtree(wine.home / "cache" / "objects")
    wine.release("1.1.0")
    for version in ("1.0.0", "1.1.0"):
        other = another_project(wine, version)
        done = wine.dreg("fetch", f"wine@{version}", cwd=other)
        assert done.code == 0, done.stderr
        assert tree(other / "data" / "wine") == PLACED
    damaged = store_of(wine).with_suffix(".damaged")
    assert damaged.is_dir(), "what it was is still there, to be looked at"


@pytest.mark.parametrize("command", [["tree"], ["update", "--explain"]])
def test_every_reader_of_it_goes_on(wine, command):
    wine.fetch("wine@^1.0")
    wine.release("1.1.0")
    repo = ["--repo", str(wine.bare)]
    assert wine.dreg(*command, *repo).code == 0
    before = wine.dreg(*command, *repo).stdout
    cut(store_of(wine))
    done = wine.dreg(*command, *repo)
    assert (done.code, done.stdout) == (0, before), done.stderr


@pytest.mark.parametrize("harm", [cut, lost])
def test_damage_while_a_release_is_read_is_mended(wine, monkeypatch, harm):
    monkeypatch.setenv("DREG_CACHE", str(wine.home / "cache"))
    revision = git.revision(str(wine.bare), "wine-v1.0.0")
    listed = revision.blobs("data/wine")
    harm(store_of(wine))
    assert revision.blobs("data/wine") == listed
    harm(store_of(wine))
    assert revision.read("data/wine/metadata.json") == PLACED["metadata.json"]
    harm(store_of(wine))
    assert revision.read("data/wine/none") is None


def test_a_cache_that_another_process_made_anew_gets_what_it_lost(wine, monkeypatch):
    monkeypatch.setenv("DREG_CACHE", str(wine.home / "cache"))
    revision = git.revision(str(wine.bare), "wine-v1.0.0")
    shutil.rmtree(store_of(wine))
    git.known_tags(str(wine.bare))  # makes an empty one
    assert revision.read("data/wine/metadata.json") == PLACED["metadata.json"]


def test_without_a_network_it_is_said_what_is_wrong_and_nothing_is_lost(wine, served):
    wine.fetch("wine@1.0.0")
    cut(store_of(wine))
    served()
    done = wine.dreg("fetch", "wine@1.0.0", cwd=another_project(wine))
    assert (done.code, done.stdout) == (3, "")
    repo = wine.environment["DREG_REPO"]
    assert f"the git server cannot be reached, and what dreg's cache has of `{repo}` is damaged\n" in done.stderr  # fmt: skip
    assert "hint: check the network and the URL; it is made anew as soon as the registry can be reached" in done.stderr  # fmt: skip
    assert not store_of(wine).with_suffix(".damaged").exists()


def test_the_doctor_notices(wine):
    wine.fetch("wine@1.0.0")
    cut(store_of(wine))
    done = wine.dreg("doctor")
    assert done.code == 3
    assert f"FAILS  cache of {wine.bare}" in done.stdout
    assert f"{store_of(wine)}.damaged now, and made anew; run the command again" in done.stderr
    assert wine.dreg("doctor").code == 0


def test_a_repository_that_is_none_is_no_damage(wine):
    done = wine.dreg("fetch", "wine@main", "--repo", str(wine.home))
    assert (done.code, f"`{wine.home}` is not a git repository" in done.stderr) == (2, True)
    assert list((wine.home / "cache").rglob("*.damaged")) == []


@pytest.mark.parametrize("first", [True, False])
def test_a_cache_that_is_read_only_is_named_with_the_way_out(wine, first):
    cache = wine.home / "cache"
    cache.mkdir(exist_ok=True)
    if not first:
        wine.fetch("wine@1.0.0")
    wine.release("1.1.0")
    with read_only(cache):
        done = wine.dreg("fetch", "wine@1.1.0", cwd=another_project(wine))
    assert (done.code, done.stdout) == (3, "")
    assert f"the file system is read-only at `{cache}/" in done.stderr
    assert f"or have dreg's cache elsewhere than in {cache}: export DREG_CACHE=DIR" in done.stderr


def test_a_damaged_cache_in_a_repository_of_the_user_leaves_that_one_alone(hand_made):
    hand_made.release("1.0.0")
    around = hand_made.train
    subprocess.run(["git", "init", "-q", str(around)], check=True)
    hand_made.environment |= {
        "DREG_CACHE": str(around / "cache"),
        "DREG_REPO": str(hand_made.bare),
    }
    hand_made.fetch("wine@1.0.0")
    (store,) = (around / "cache" / "git").iterdir()
    cut(store)
    before = tree(around / ".git")
    hand_made.fetch("wine@^1")
    hand_made.release("1.1.0")
    assert hand_made.fetch("wine@^1")["version"] == "1.1.0"
    assert tree(around / ".git") == before


SLOW = """
import subprocess, sys, time
from pathlib import Path
from dreg.adapters.git.bare_cache import BareCache

def look(frame, event, _):
    if event == "call" and f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}" == sys.argv[2]:
        sys.setprofile(None)
        print("begun", flush=True)
        time.sleep(1)

sys.setprofile(look)
BareCache.of(sys.argv[1])
"""


@pytest.mark.parametrize("before", ["scratch.scratch_folder", "bare_cache._made"])
def test_two_that_make_the_cache_at_once_have_the_same_one(wine, monkeypatch, before):
    """Who found none, and is slow to make it, leaves what somebody else has made meanwhile where it is."""
    command = [sys.executable, "-c", SLOW, str(wine.bare), before]
    monkeypatch.setenv("DREG_CACHE", wine.environment["DREG_CACHE"])
    slow = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert slow.stdout
    assert slow.stdout.readline() == "begun\n"
    made = BareCache.of(str(wine.bare)).store
    inode = made.stat().st_ino
    assert slow.wait(60) == 0
    assert made.stat().st_ino == inode
