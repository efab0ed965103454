"""A disk that is full: one sentence, nothing half done, and the same command again finishes it."""

from __future__ import annotations

import shutil

import pytest

from tests.faults.test_full_disks import limit, small_disk
from tests.hand_made import HandMade, tree
from tests.small_registry import NAME

PAGE = 4096
MUCH = 17_000_000  # bytes; so much is kept for the next try where the disk is not full


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    small = {f"processed/{number}.bin": b"%d" % number for number in range(99)}
    hand_made.release("1.0.0", {"processed/large.bin": bytes(MUCH), **small})
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


def test_a_fetch_that_lacks_room_for_its_very_last_file_leaves_none_taken(wine, tmp_path):
    """That file is the receipt, of some pages: all others are there by then."""
    there = tmp_path / "small"
    with small_disk(there, 2 * MUCH):
        assert wine.dreg("fetch", "wine", "-o", str(there / "wine")).code == 0
        pages = (shutil.disk_usage(there).used) // PAGE
        shutil.rmtree(there / "wine")
        limit(there, (pages - 1) * PAGE)
        done = wine.dreg("fetch", "wine", "-o", str(there / "wine"))
        assert done.code == 3
        assert "error: the disk is full at" in done.stderr
        assert f"hint: free some space: df -h {there}" in done.stderr
        assert "what arrived (17" in done.stderr
        assert "is removed" in done.stderr
        assert list(there.iterdir()) == []
        limit(there, 2 * MUCH)
        assert wine.dreg("fetch", "wine", "-o", str(there / "wine")).code == 0


def test_whatever_room_there_is_a_fetch_is_whole_or_leaves_nothing(wine, tmp_path):
    there = tmp_path / "small"
    wine.release("1.1.0", {f"processed/{n}.bin": bytes([n]) * PAGE for n in range(6)})
    codes = []
    for pages in range(1, 18):
        with small_disk(there, pages * PAGE):
            done = wine.dreg("fetch", "wine", "-o", str(there / "wine"))
            codes.append(done.code)
            assert "Traceback" not in done.stderr
            if done.code:
                assert "error: the disk is full" in done.stderr
                assert "hint: free some space: df -h " in done.stderr
            assert [path.name for path in there.iterdir()] == ([] if done.code else ["wine"])
    assert codes == sorted(codes, reverse=True)
    assert {*codes} == {0, 3}


def test_a_bundle_for_which_there_is_no_room_leaves_the_one_before(released_once, tmp_path):
    there = tmp_path / "small"
    with small_disk(there, 16 * 1024 * 1024):
        bundle = there / "bundle.tar"
        released_once.ok("export", NAME, "-o", str(bundle))
        before = bundle.read_bytes()
        used = shutil.disk_usage(there).used
        limit(there, used + 2 * PAGE)
        done = released_once.dreg("export", NAME, "-o", str(bundle))
        assert done.code == 3
        assert f"error: the disk is full at `{there}" in done.stderr
        assert f"hint: free some space: df -h {there}" in done.stderr
        assert tree(there) == {"bundle.tar": before}
