"""The cache of verified bytes: nothing is downloaded twice, and nobody spoils another's files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.hand_made import METADATA, WINE, HandMade, tree
from tests.ports import free_ports

PLACED = {**WINE, "metadata.json": METADATA}
TRAIN = WINE["processed/train.csv"]


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    hand_made.release("1.0.0")
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    pytest.fail("nobody listens")


def another_project(made: HandMade, name: str = "other") -> Path:
    project = made.home / name
    project.mkdir()
    return project


def train_of(project: Path) -> Path:
    return project / "data" / "wine" / "processed" / "train.csv"


def test_another_project_downloads_nothing(wine):
    wine.fetch("wine")
    other = another_project(wine)
    done = wine.dreg("fetch", "wine", "--json", cwd=other)
    assert done.json["datasets"][0]["downloaded"] == 0
    assert tree(other / "data" / "wine") == PLACED


def test_what_is_locked_is_had_offline_from_the_cache(wine):
    wine.fetch("wine")
    for gone in (wine.train / "data", wine.bare, wine.store):
        shutil.rmtree(gone)
    assert wine.fetch()["downloaded"] == 0
    assert tree(wine.train / "data" / "wine") == PLACED


@pytest.fixture
def served(wine):
    """The registry's URL, and a way to cut the network to it."""
    (port,) = free_ports(1)
    daemon = subprocess.Popen(
        ["git", "daemon", "--export-all", f"--base-path={wine.home}", "--listen=127.0.0.1",
         f"--port={port}", str(wine.bare)],
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip

    def cut() -> None:
        if daemon.poll() is None:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()

    wait_for(port)
    wine.environment["DREG_REPO"] = f"git://127.0.0.1:{port}/{wine.bare.name}"
    wine.environment["DREG_REMOTE"] = str(wine.store)
    yield cut
    cut()


def test_an_exact_version_that_was_fetched_before_needs_no_network_and_no_lock(wine, served):
    wine.fetch("wine@^1.0")
    served()
    shutil.rmtree(wine.store)
    other = another_project(wine)
    done = wine.dreg("fetch", "wine@1.0.0", "--json", cwd=other)
    assert done.code == 0, done.stderr
    assert "warning: the git server cannot be reached: wine-v1.0.0 is as it was when `git:" in done.stderr  # fmt: skip
    assert tree(other / "data" / "wine") == PLACED
    locks = [(project / "dreg.lock").read_text() for project in (wine.train, other)]
    assert locks[0].replace('"^1.0"', '"1.0.0"') == locks[1]


@pytest.mark.parametrize(("request_", "told"), [("wine@^1.0", "; dreg's cache knows wine 1.0.0: name one"), ("wine@2.0.0", "; dreg's cache knows wine 1.0.0: name one"), ("beer@1.0.0", "check the network and the URL\n")])  # fmt: skip
def test_what_only_the_registry_can_tell_needs_the_network(wine, served, request_, told):
    wine.fetch("wine@1.0.0")
    served()
    done = wine.dreg("fetch", request_, cwd=another_project(wine))
    assert (done.code, done.stdout) == (3, "")
    assert "error: the git server cannot be reached\n" in done.stderr
    assert told in done.stderr


def test_a_tag_that_moved_is_not_guessed_without_the_network(wine, served):
    wine.fetch("wine@1.0.0")
    wine.release("1.0.0", {"processed/other.csv": b"x"}, force=True)
    wine.dreg("list", "--repo", wine.environment["DREG_REPO"])  # reads the tags as they are now
    served()
    done = wine.dreg("fetch", "wine@1.0.0", cwd=another_project(wine))
    assert (done.code, done.stdout) == (3, "")


def test_a_yank_that_was_seen_is_told_without_the_network(wine, served):
    wine.fetch("wine@1.0.0")
    wine.git("tag", "-a", "-m", "Wrong labels", "yank/wine-v1.0.0", "wine-v1.0.0^{commit}")
    wine.git("push", "-q", "origin", "yank/wine-v1.0.0")
    other = another_project(wine)
    assert "is yanked: Wrong labels" in wine.dreg("fetch", "wine@1.0.0", cwd=other).stderr
    served()
    for project in (other, wine.train):
        for request in ("wine@1.0.0", None):
            shutil.rmtree(project / "data")
            done = wine.dreg("fetch", *([request] if request else []), cwd=project)
            assert (done.code, "is yanked: Wrong labels" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("others", [True, False])
def test_a_release_that_is_gone_upstream_is_had_from_the_cache_with_a_warning(wine, others):
    if others:
        wine.release("1.1.0")
    wine.fetch("wine@1.0.0")
    wine.git("push", "-q", "--delete", "origin", "wine-v1.0.0")
    before = (wine.train / "dreg.lock").read_bytes()
    shutil.rmtree(wine.train / "data")
    done = wine.dreg("fetch")
    assert (done.code, done.stdout.startswith("fetched wine 1.0.0 into data/wine")) == (0, True)
    assert "warning: the tag `wine-v1.0.0`, which dreg.lock has, is gone" in done.stderr
    assert tree(wine.train / "data" / "wine") == PLACED
    assert (wine.train / "dreg.lock").read_bytes() == before
    for gone in (wine.train / "data", wine.home / "cache"):
        shutil.rmtree(gone)
    done = wine.dreg("fetch")
    assert (done.code, "has no tag, branch or commit `wine-v1.0.0`" in done.stderr) == (2, True)


def test_the_cache_takes_no_space_of_its_own(wine):
    wine.fetch("wine")
    assert train_of(wine.train).stat().st_nlink == 2  # ours and the cache's


def test_a_file_edited_in_one_project_is_never_anothers(wine):
    wine.fetch("wine")
    first, second = another_project(wine), another_project(wine, "second")
    wine.dreg("fetch", "wine", cwd=first)
    train_of(wine.train).write_bytes(b"edited")
    train_of(first).write_bytes(b"edited too")
    done = wine.dreg("fetch", "wine", "--json", cwd=second)  # the spoilt entry is not used
    assert done.json["datasets"][0]["downloaded"] == len(TRAIN)
    assert tree(second / "data" / "wine") == PLACED
    assert train_of(first).read_bytes() == b"edited too"
    assert train_of(wine.train).read_bytes() == b"edited"


@pytest.mark.parametrize("link", ["auto", "copy", "hardlink"])
def test_an_entry_that_was_damaged_is_not_used(wine, link):
    wine.environment["DREG_LINK"] = link
    wine.fetch("wine")
    digest = hashlib.sha256(TRAIN).hexdigest()
    entry = wine.home / "cache/objects/sha256" / digest[:2] / digest[2:]
    shutil.rmtree(wine.train / "data")
    entry.chmod(0o644)
    entry.write_bytes(bytes(len(TRAIN)))  # of the same size
    assert wine.fetch()["downloaded"] == len(TRAIN)
    assert tree(wine.train / "data" / "wine") == PLACED


def test_a_project_that_went_leaves_its_bytes_to_the_next(wine):
    wine.fetch("wine")
    inode = train_of(wine.train).stat().st_ino
    shutil.rmtree(wine.train / "data")
    wine.fetch()
    assert train_of(wine.train).stat().st_ino == inode


def test_hard_links_for_all_are_read_only(wine):
    wine.environment["DREG_LINK"] = "hardlink"
    wine.fetch("wine")
    other = another_project(wine)
    wine.dreg("fetch", "wine", cwd=other)
    mine, theirs = train_of(wine.train).stat(), train_of(other).stat()
    assert (mine.st_ino, mine.st_mode & 0o222) == (theirs.st_ino, 0)
    assert wine.fetch()["changed"] is False


@pytest.mark.parametrize("link", ["copy", "off"])
def test_nothing_shared(wine, link):
    wine.environment["DREG_LINK"] = link
    wine.fetch("wine")
    assert train_of(wine.train).stat().st_nlink == 1
    shutil.rmtree(wine.train / "data")
    kept = wine.fetch()["downloaded"] == 0
    assert kept is (link == "copy")


def test_an_unknown_way_to_link(wine):
    done = wine.dreg("fetch", "wine", DREG_LINK="symlink")
    assert (done.code, "\nerror: DREG_LINK is `symlink`\n" in done.stderr) == (2, True)


def test_a_damaged_manifest_in_the_cache_is_read_again(wine):
    wine.fetch("wine")
    (kept,) = (wine.home / "cache" / "manifests").iterdir()
    kept.write_bytes(b"{}")
    shutil.rmtree(wine.train / "data")
    assert wine.fetch()["changed"]
    assert kept.read_bytes() != b"{}"


def test_a_backup_shares_nothing_with_the_new_folder(wine):
    wine.fetch("wine")
    (wine.train / "data" / "wine" / "notes.txt").write_text("mine")
    backup = Path(wine.fetch("--force")["backup"])
    with (backup / "processed" / "train.csv").open("r+b") as file:
        file.write(b"!")
    assert tree(wine.train / "data" / "wine") == PLACED


def test_a_cache_nobody_may_write_to_is_done_without(wine):
    (wine.home / "cache").mkdir()
    (wine.home / "cache" / "objects").write_bytes(b"in the way")
    assert wine.fetch("wine")["changed"]
    assert tree(wine.train / "data" / "wine") == PLACED
    assert (wine.home / "cache" / "objects").is_file()


# dreg's copy of what git said


def test_a_damaged_git_cache_inside_a_repository_changes_nothing_of_that_one(hand_made):
    """A full disk left HEAD empty; git would take the repository around the cache for it."""
    for version in ("1.0.0", "1.1.0"):
        hand_made.release(version)
    around = hand_made.train
    subprocess.run(["git", "init", "-q", str(around)], check=True)
    hand_made.environment |= {
        "DREG_CACHE": str(around / ".cache"),
        "DREG_REPO": str(hand_made.bare),
    }
    hand_made.fetch("wine@1.0.0")
    (head,) = (around / ".cache" / "git").glob("*/HEAD")
    before = tree(around / ".git")
    head.write_text("")
    assert hand_made.fetch("wine@1.1.0")["version"] == "1.1.0"
    assert tree(around / ".git") == before


def test_git_never_looks_above_a_cache_of_dregs(hand_made, monkeypatch):
    """Whatever is wrong with it: what makes it anew cannot know every damage."""
    from dreg.adapters.git.bare_cache import BareCache
    from dreg.adapters.git.process import start

    around = hand_made.train
    subprocess.run(["git", "init", "-q", str(around)], check=True)
    monkeypatch.setenv("DREG_CACHE", str(around / ".cache"))
    cache = BareCache.of(str(hand_made.bare))
    (cache.store / "HEAD").write_text("")
    done = start(["rev-parse", "--git-dir"], cache.store)
    assert done.returncode != 0
