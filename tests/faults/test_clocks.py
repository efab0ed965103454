"""Clocks that were wrong, and are right again."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from tests.done import Done
from tests.faults.worlds import World
from tests.small_registry import NAME

DAY = "2035-05-05 05:05:05"


def dreg(world: World, *arguments: str) -> Done:
    """By a process of its own: a clock is loaded as one starts."""
    done = subprocess.run(
        [sys.executable, "-m", "dreg", *arguments],
        cwd=world.path, env=world.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def later(world_of) -> World:
    """One in which it is a day to come, for dreg, git, DVC and the pipeline's stages."""
    world: World = world_of("ran")
    spec = importlib.util.find_spec("libfaketime")
    assert spec is not None and spec.origin is not None
    (library,) = Path(spec.origin).parent.rglob("libfaketime.so.1")
    faked = {
        **world.environment, "LD_PRELOAD": str(library), "FAKETIME": f"@{DAY}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC",
    }  # fmt: skip
    year = [sys.executable, "-c", "import time; print(time.gmtime().tm_year)"]
    if subprocess.run(year, env=faked, capture_output=True, check=False).stdout != b"2035\n":
        pytest.skip("libfaketime's library does not work on this system")
    return replace(world, environment=faked)


def test_the_clock_is_moved_back(later, fault):
    """All that is there is of a day to come: data, a release, its tag, and every file."""
    now = {k: v for k, v in later.environment.items() if k not in ("LD_PRELOAD", "FAKETIME")}
    world = replace(later, environment=now)
    with fault("the clock is moved back"):
        unneeded = world.put(b"nobody needs this")
        for command in (("run", NAME, "--force"), ("release", NAME)):
            done = dreg(later, *command)
            assert done.code == 0, done.stderr
        tagger = "--format=%(taggerdate:format:%Y)"
        assert world.git("tag", "--list", tagger, folder="registry.git") == "2035"
        everywhere = (path.rglob("*") for path in (world.path, world.remote, world.store))
        files = [p for p in chain(*everywhere) if p.is_file() and not p.is_symlink()]
        subprocess.run(["touch", "-d", DAY, *files], check=True)

        assert dreg(world, "release", NAME).stdout.startswith(f"{NAME} 1.0.0: nothing to")
        contract = world.path / "pipelines" / NAME / "dataset.yaml"
        contract.write_text(contract.read_text().replace("title: ", "title: New "))
        assert dreg(world, "run", NAME).code == 0
        done = dreg(world, "release", NAME)
        assert done.code == 0, done.stderr
        assert f"released {NAME} 1.0.0 -> 1.0.1" in done.stdout
        assert world.lies() == []
        assert dreg(world, "list").code == 0

        # Weeks may be a moment by such clocks, so nothing is collected.
        done = dreg(world, "gc", "--older-than", "0d")
        assert done.code == 1 and "the clock says" in done.stderr
        assert (world.store / "files" / "md5" / unneeded[:2] / unneeded[2:]).is_file()
