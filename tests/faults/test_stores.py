"""An S3 server that goes down, drops, fails, dawdles or lies, while a release goes to it."""

from __future__ import annotations

import itertools
import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.proxy import DROP, DROP_ANSWER, HALF, LIE, PASS, Decide, Faulty
from tests.faults.truth import lies
from tests.faults.worlds import World
from tests.s3_server import S3, SECRET, directly
from tests.small_registry import NAME


def in_bucket(s3: S3, folder: str = "") -> Callable[[str], bytes | None]:
    """Reads objects of the bucket, or of a folder in it, without dreg."""
    import obstore

    store, below = directly(s3), f"{folder}/" if folder else ""

    def get(key: str) -> bytes | None:
        try:
            return bytes(obstore.get(store, below + key).bytes())
        except FileNotFoundError:
            return None

    return get


@pytest.fixture
def proxy(s3: S3) -> Iterator[Faulty]:
    started = Faulty(s3.port)
    yield started
    started.down()


@pytest.fixture
def world(world_of, s3: S3, proxy: Faulty) -> World:
    """One whose bytes go to S3, through the proxy."""
    made = world_of("ran")
    more = {"DREG_REMOTE": s3.url, "AWS_ENDPOINT_URL": proxy.endpoint, **s3.environment}
    return replace(made, environment={**made.environment, **more})


@pytest.fixture
def true(world: World, s3: S3) -> Callable[[], bool]:
    """Whether every tag on the git remote is true of the bucket."""
    get = in_bucket(s3)

    def check() -> bool:
        found = list(lies(world.remote, get))
        assert found == []
        return True

    return check


def released(world: World) -> bool:
    return world.git("tag", "--list", folder="registry.git") == f"{NAME}-v1.0.0"


def some(chance: random.Random, share: float, *harm) -> Decide:
    """One of these for a share of the requests; the second is always among them."""

    def decide(number: int, method: str, path: str) -> str | int | float:
        return chance.choice(harm) if number == 2 or chance.random() < share else PASS

    return decide


UNEVEN = {
    "S3 drops 10% of requests": (0.1, DROP, DROP_ANSWER),
    "S3 answers 500 or 503": (0.3, 500, 503),
    "S3 is slow": (0.5, 0.4),
    "S3 cuts answers short": (0.2, HALF),
}


@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("kind", UNEVEN)
def test_a_release_gets_through(world, zygote, proxy, true, fault, kind, turn):
    share, *harm = UNEVEN[kind]
    proxy.decide = some(random.Random(turn), share, *harm)
    with fault(kind):
        done = zygote.run(world, "release", NAME)
        assert done.code == 0, done.stderr
        assert released(world)
        assert true()
        training = world.home / "training"
        training.mkdir()
        fetch = ("fetch", NAME, "--repo", str(world.remote), "-o", "data")
        done = zygote.run(world, *fetch, folder="training")
        assert done.code == 0, done.stderr
        for file in ("train.csv", "val.parquet"):
            made = world.path / "data" / NAME / "processed" / file
            assert (training / "data" / "processed" / file).read_bytes() == made.read_bytes()
        assert proxy.harmed


@pytest.mark.parametrize("part", range(1, 4))
def test_a_server_that_goes_down_half_way_and_comes_back(world, zygote, proxy, true, fault, part):
    with fault("S3 goes down half-way"):
        gone = {1: 2, 2: 12, 3: 20}[part]
        work = world.users_work()
        proxy.decide = lambda number, method, path: DROP if number >= gone else PASS
        done = zygote.run(world, "release", NAME)
        assert done.code == 3, done.stderr
        assert "hint: " in done.stderr
        assert not released(world)
        assert world.users_work() == work
        proxy.decide = lambda number, method, path: PASS
        assert zygote.run(world, "release", NAME).code == 0
        assert released(world)
        assert true()


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_only_fails(world, zygote, proxy, true, fault, status):
    with fault("S3 answers 500 or 503"):
        proxy.decide = lambda number, method, path: status
        done = zygote.run(world, "release", NAME)
        assert (done.code, done.stdout) == (3, ""), done.stderr
        assert SECRET not in done.stderr
        assert not released(world)
        proxy.decide = lambda number, method, path: PASS
        assert zygote.run(world, "release", NAME).code == 0
        assert true()


def test_a_server_that_says_done_and_keeps_nothing(world, zygote, proxy, true, fault):
    with fault("S3 says done and keeps nothing"):
        proxy.decide = lambda number, method, path: LIE
        done = zygote.run(world, "release", NAME)
        assert done.code == 3, done.stderr
        assert not released(world)
        proxy.decide = lambda number, method, path: PASS
        assert zygote.run(world, "release", NAME).code == 0
        assert true()


@pytest.mark.parametrize("part", range(4))
def test_killed_at_a_request(world, zygote, proxy, s3, fault, part, tmp_path):
    """Before it reaches the server, or when it was carried out and nobody was told."""

    def below(folder: str) -> World:
        """Another such world, whose bytes go to a folder of the bucket."""
        proxy.numbers = itertools.count(1)
        proxy.asked = 0
        made = world.copy(tmp_path / folder)
        made.environment["DREG_REMOTE"] += f"/{folder}"
        return made

    assert zygote.run(below("undisturbed"), "release", NAME).code == 0
    for request in range(1 + part, proxy.asked + 1, 4):
        folder = f"turn-{request}"
        fresh = below(folder)
        with fault("kill -9 at a request to S3"):
            proxy.decide = killing(fresh.home / "said" / "pid", request)
            done = zygote.run(fresh, "release", NAME)
            assert done.code == -signal.SIGKILL, done.stderr
            proxy.decide = lambda number, method, path: PASS
            assert list(lies(fresh.remote, in_bucket(s3, folder))) == []
            again = zygote.run(fresh, "release", NAME)
            assert again.code == 0, again.stderr
            assert released(fresh)
            assert list(lies(fresh.remote, in_bucket(s3, folder))) == []


def killing(pid: Path, request: int) -> Decide:
    """Kills the process with that id at one request."""

    def decide(number: int, method: str, path: str) -> str:
        if number != request:
            return PASS
        os.kill(int(pid.read_text()), signal.SIGKILL)
        return DROP_ANSWER if number % 2 else DROP

    return decide
