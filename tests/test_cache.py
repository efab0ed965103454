"""dreg's cache: how large it is, and what goes from it, while others use it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dreg
from dreg.core.sizes import parse_size
from dreg.errors import BadRequest
from tests.hand_made import HandMade

DAY = 86400
MB = 1_000_000


@pytest.fixture
def wine(hand_made: HandMade, monkeypatch) -> HandMade:
    """Three releases of a megabyte each, fetched one after the other, that only the cache still has."""
    hand_made.environment |= {"DREG_REPO": str(hand_made.bare), "DREG_LINK": "copy"}
    for number in range(3):
        hand_made.release(f"1.{number}.0", {"processed/train.bin": bytes([number]) * MB})
        hand_made.fetch(f"wine@1.{number}.0")
    shutil.rmtree(hand_made.train / "data")
    monkeypatch.chdir(hand_made.train)
    for name, value in hand_made.environment.items():
        monkeypatch.setenv(name, value)
    return hand_made


def age(made: HandMade, days: int, below: str = "", newer_than: float = 0) -> None:
    """As if what is in the cache had not been used for so long."""
    at = time.time() - days * DAY
    for path in sorted((made.home / "cache" / below).rglob("*"), reverse=True):
        if path.stat().st_atime > newer_than:
            os.utime(path, (at, at))


def cache(made: HandMade, *arguments: str) -> dict:
    done = made.dreg("cache", *arguments, "--json")
    assert done.code == 0, done.stderr
    return done.json


def entry(made: HandMade, number: int) -> Path:
    """Where the cache has the large object of release 1.NUMBER.0. Nothing is read: that would be use."""
    digest = hashlib.sha256(bytes([number]) * MB).hexdigest()
    return made.home / "cache" / "objects" / "sha256" / digest[:2] / digest[2:]


def objects(made: HandMade) -> list[int]:
    """Of which releases the cache has the large object."""
    return [number for number in range(3) if entry(made, number).exists()]


def test_where_it_is_and_how_large(wine):
    told = cache(wine, "list")
    assert told["place"] == str(wine.home / "cache")
    parts = {part["name"]: part for part in told["parts"]}
    assert parts["objects"]["own"] == parts["objects"]["size"] > 3 * MB
    assert parts["manifests"]["entries"] == 3
    assert "OWN" in wine.dreg("cache", "list").stdout


def test_what_placed_files_share_costs_nothing(hand_made):
    hand_made.release("1.0.0", {"processed/train.bin": b"x" * MB})
    hand_made.fetch("wine", "--repo", str(hand_made.bare))
    (part,) = [p for p in cache(hand_made, "list")["parts"] if p["name"] == "objects"]
    assert part["size"] > MB > part["own"]


def test_what_was_not_used_for_long_goes(wine):
    age(wine, 40)
    wine.fetch("wine@1.1.0")  # uses its object, its manifest and the registry's repository
    told = cache(wine, "prune", "--dry-run")
    assert (objects(wine), told["dry_run"]) == ([0, 1, 2], True)
    pruned = cache(wine, "prune")
    assert objects(wine) == [1]
    assert (pruned["removed"], pruned["freed"]) == (told["removed"], told["freed"])
    assert 2 * MB < pruned["freed"] < 2.1 * MB
    assert pruned["size"] == cache(wine, "list")["own"]
    shutil.rmtree(wine.store)
    assert wine.fetch("wine@1.1.0")["changed"] is False
    assert cache(wine, "prune", "--older-than", "30d")["removed"] == 0


def test_the_longest_unused_goes_until_so_much_stays(wine):
    for number, days in ((0, 3), (1, 5), (2, 4)):
        at = time.time() - days * DAY
        os.utime(entry(wine, number), (at, at))
    cache(wine, "prune", "--keep-size", "1.5MB")
    assert objects(wine) == [0]


@pytest.mark.parametrize("options", [["--keep-size", "0"], ["--older-than", "0"]])
def test_what_was_used_just_now_stays_and_that_is_said(wine, options):
    told = cache(wine, "prune", *options)
    assert (told["removed"], objects(wine)) == (0, [0, 1, 2])
    assert told["fresh"] >= 3
    said = wine.dreg("cache", "prune", *options).stdout
    assert said.startswith("removed 0 entries, 0 B; 3.0 MB stay\n")
    assert f"  {told['fresh']} more were used in the last ten minutes, and stay\n" in said


def test_what_a_process_reads_stays_as_long_as_it_runs(wine):
    script = "import dreg; print(dreg.load('wine@1.0.0').path('train'), flush=True); input()"
    training = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    path = training.stdout.readline().strip()
    age(wine, 40)
    told = cache(wine, "prune")
    assert told["in_use"] == 1
    assert len(Path(path).read_bytes()) == MB
    training.communicate("\n")
    assert cache(wine, "prune")["in_use"] == 0
    assert not Path(path).exists()


def test_a_fetch_survives_that_its_objects_go(wine):
    done = [wine.dreg("fetch", "wine@1.2.0", "-o", f"data/{n}") for n in range(1)]
    pruner = subprocess.Popen(
        [sys.executable, "-c", PRUNE_ALWAYS], env={**os.environ, **wine.environment}
    )
    try:
        for number in range(4):
            done.append(wine.dreg("fetch", f"wine@1.{number % 3}.0", "--force"))
    finally:
        pruner.kill()
        pruner.wait()
    assert [one.code for one in done] == [0] * 5, [one.stderr for one in done]


PRUNE_ALWAYS = """
import contextlib, os, time
from dreg.adapters.cache import cache_place
from dreg.cache import prune
while True:
    for path in (*cache_place("objects").rglob("*"), *cache_place("manifests").rglob("*")):
        with contextlib.suppress(OSError):
            os.utime(path, (time.time() - 86400,) * 2)
    prune(older_than=3600, keep=None)
"""


def test_a_pruned_release_is_brought_again(wine):
    path = dreg.load("wine@1.0.0").path("train")
    cached = path.parents[1]
    shutil.rmtree(cached)
    assert dreg.load("wine@1.0.0").path("train").read_bytes() == bytes(MB)


@pytest.mark.parametrize(
    ("text", "size"), [("50G", 50e9), ("500 MB", 5e8), ("1.5TiB", 1.5 * 2**40), ("7", 7), ("2kb", 2000)]
)  # fmt: skip
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "1X", "1 2"])
def test_what_is_no_size(text):
    with pytest.raises(BadRequest):
        parse_size(text)
