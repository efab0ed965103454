"""The cache of verified bytes: nothing is downloaded twice, and nobody spoils another's files."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.hand_made import METADATA, WINE, HandMade, tree

PLACED = {**WINE, "metadata.json": METADATA}
TRAIN = WINE["processed/train.csv"]


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    hand_made.release("1.0.0")
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


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
    assert (done.code, "has no revision `wine-v1.0.0`" in done.stderr) == (2, True)


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
