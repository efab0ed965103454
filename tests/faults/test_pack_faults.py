"""Packs that are written or read while the store fails or dreg is killed: files come all the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

import obstore
import pytest

from tests.faults.proxy import DROP, DROP_ANSWER, HALF, LIE, PASS, Decide, Faulty
from tests.faults.test_stores import in_bucket, killing
from tests.faults.truth import lies
from tests.faults.worlds import World, Zygote, differences
from tests.many_files import FILES, MANY
from tests.s3_server import directly

PACKS = "/dreg/packs/"


@pytest.fixture
def proxy(s3) -> Iterator[Faulty]:
    started = Faulty(s3.port)
    yield started
    started.down()


@pytest.fixture
def world(many_files, proxy) -> World:
    """A registry of many small files, whose bytes go to S3 through the proxy."""
    tmp = many_files.home / "tmp"
    tmp.mkdir()
    more = {"AWS_ENDPOINT_URL": proxy.endpoint, "TMPDIR": str(tmp)}
    (many_files.home / "training").mkdir()
    return World(many_files.home, {**many_files.environment, **more})


def of_packs(*harm: str | int, share: float = 1, seed: int = 0) -> Decide:
    """One of these for a share of the requests for packs and their lists."""
    chance = random.Random(seed)

    def decide(number: int, method: str, path: str) -> str | int | float:
        return chance.choice(harm) if PACKS in path and chance.random() < share else PASS

    return decide


def fetched(world: World, zygote, cache: str = "cache") -> bool:
    """Whether a fetch with an empty cache places every file as it was made."""
    world.environment["DREG_CACHE"] = str(world.home / cache)
    done = zygote.run(
        world, "fetch", MANY, "--repo", str(world.remote), "-o", cache + "-data", folder="training"
    )
    assert done.code == 0, done.stderr
    made = world.path / "data" / MANY / "processed" / "000"
    place = world.home / "training" / f"{cache}-data" / "processed" / "000"
    assert {p.name: p.read_bytes() for p in place.iterdir()} == {
        p.name: p.read_bytes() for p in made.iterdir()
    }
    return len(list(place.iterdir())) == FILES


HARM = {
    "S3 drops requests for packs": (DROP, DROP_ANSWER),
    "S3 fails on packs": (500, 503),
    "S3 cuts packs short": (HALF,),
    "S3 says packs are written and keeps nothing": (LIE,),
}


@pytest.mark.parametrize("share", [0.4, 1])
@pytest.mark.parametrize("kind", HARM)
def test_a_release_and_a_fetch_get_through(world, zygote, proxy, s3, fault, kind, share):
    with fault(kind):
        proxy.decide = of_packs(*HARM[kind], share=share)
        done = zygote.run(world, "release", MANY)
        assert done.code == 0, done.stderr
        assert list(lies(world.remote, in_bucket(s3))) == []
        assert fetched(world, zygote)
        assert proxy.harmed
        proxy.decide = lambda number, method, path: PASS
        assert zygote.run(world, "pack", MANY).code == 0
        proxy.decide = of_packs(*HARM[kind], share=share, seed=1)
        assert fetched(world, zygote, "second")


def killed_at(world: World, moment: str) -> Decide:
    """The command is killed when it asks so of a pack or of a list of packs."""
    pid = world.home / "said" / "pid"

    def decide(number: int, method: str, path: str) -> str:
        there = PACKS in path and (method == moment or (method == "PUT" and moment in path))
        return killing(pid, number)(number, method, path) if there else PASS

    return decide


def single_objects_asked(world: World, zygote: Zygote, proxy: Faulty) -> list[str]:
    """What a fetch, which must succeed, does not find in packs."""
    asked: list[str] = []

    def note(number: int, method: str, path: str) -> str:
        asked.append(path)
        return PASS

    proxy.decide = note
    assert fetched(world, zygote)
    return [path for path in asked if "/files/md5/" in path]


MOMENTS = ("HEAD", ".pack", "lists/")  # before it is written, while it is, and its list


def test_killed_at_each_request_for_a_pack(world, zygote, proxy, s3, fault):
    for moment in MOMENTS:
        with fault("kill -9 at a request for a pack"):
            proxy.decide = killed_at(world, moment)
            done = zygote.run(world, "release", MANY)
            assert done.code < 0, done.stderr
            assert world.git("tag", "--list", folder="registry.git") == ""
    proxy.decide = lambda number, method, path: PASS
    done = zygote.run(world, "release", MANY)
    assert done.code == 0, done.stderr
    assert list(lies(world.remote, in_bucket(s3))) == []
    assert single_objects_asked(world, zygote, proxy) == []


@pytest.mark.parametrize("moment", ["GET", *MOMENTS[1:]])
def test_packs_that_were_lost_are_made_again_though_it_is_killed(
    world, zygote, proxy, s3, fault, moment
):
    assert zygote.run(world, "release", MANY).code == 0
    bucket = directly(s3)
    packs = [one["path"] for page in obstore.list(bucket, "dreg/packs") for one in page]
    assert packs
    obstore.delete(bucket, packs)
    before = world.seen()
    with fault("kill -9 at a request of dreg pack"):
        proxy.decide = killed_at(world, moment)
        done = zygote.run(world, "pack", MANY)
        assert done.code < 0, done.stderr
        assert list(lies(world.remote, in_bucket(s3))) == []
        proxy.decide = lambda number, method, path: PASS
        done = zygote.run(world, "pack", MANY)
        assert done.code == 0, done.stderr
        assert list(lies(world.remote, in_bucket(s3))) == []
        assert differences(world.seen(), before) == []
        assert single_objects_asked(world, zygote, proxy) == []


@pytest.mark.parametrize("which", range(3))
def test_a_fetch_that_was_killed_at_a_pack_goes_on(world, zygote, proxy, fault, which):
    assert zygote.run(world, "release", MANY).code == 0
    with fault("kill -9 at a request for a pack"):
        seen = 0

        def decide(number: int, method: str, path: str) -> str:
            nonlocal seen
            if PACKS not in path:
                return PASS
            seen += 1
            pid = world.home / "said" / "pid"
            return killing(pid, number)(number, method, path) if seen == which + 1 else PASS

        proxy.decide = decide
        world.environment["DREG_CACHE"] = str(world.home / "cache")
        fetch = ("fetch", MANY, "--repo", str(world.remote), "-o", "cache-data")
        done = zygote.run(world, *fetch, folder="training")
        assert done.code < 0, done.stderr
        proxy.decide = lambda number, method, path: PASS
        assert fetched(world, zygote)
