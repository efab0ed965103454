"""Bytes that are not what they were: on the remote, in DVC's cache, or for want of space."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.worlds import World
from tests.small_registry import NAME


def flipped(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def halved(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def removed(path: Path) -> None:
    path.unlink()


HARMS = {"one bit": flipped, "half of it": halved, "all of it": removed}


def objects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


@pytest.mark.parametrize("harm", HARMS)
def test_an_object_on_the_remote_is_found_and_repaired(
    released_world, world_of, zygote, fault, harm
):
    world = world_of("released")
    backup = world.home / "backup"
    shutil.copytree(world.store, backup)
    for path in objects(world.store):
        if "manifests" in path.parts and harm != "all of it":
            continue  # a manifest is of the tag's own digest; it is checked whole
        with fault("an object on the remote is damaged"):
            HARMS[harm](path)
            assert world.lies()
            found = zygote.run(world, "fsck", "--remote")
            assert found.code == 1, found.stdout
            mended = zygote.run(world, "fsck", "--repair", "--from", str(backup))
            assert mended.code == 0, mended.stderr
            assert world.lies() == []


@pytest.mark.parametrize("harm", ["one bit", "half of it"])
def test_a_damaged_cache_is_found_before_it_is_pushed(world_of, zygote, fault, harm):
    world = world_of("ran")
    cache = world.registry / ".dvc" / "cache" / "files"
    kept = world.home / "kept"
    shutil.copytree(cache, kept)
    for path in objects(cache):
        with fault("an object in the cache is damaged"):
            mode = path.stat().st_mode
            HARMS[harm](path)
            path.chmod(mode)
            done = zygote.run(world, "release", NAME)
            assert done.code in (1, 3), done.stdout
            assert "hint: " in done.stderr
            assert world.git("tag", "--list", folder="registry.git") == ""
            assert world.lies() == []
            path.unlink()
            shutil.copy2(kept / path.relative_to(cache), path)
    assert zygote.run(world, "release", NAME).code == 0
    assert world.lies() == []


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    """A file system of its own at `place`, of `size` bytes."""
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("room", [0, 4, 12, 20])
def test_a_full_disk_under_the_remote(world_of, zygote, fault, room):
    world = world_of("ran")
    kind, work = "a disk is full", world.users_work()
    with small_disk(world.store, 4096 * (room + 2)), fault(kind):
        done = zygote.run(world, "release", NAME)
        assert done.code in (0, 3), done.stderr
        assert world.lies() == []
        assert world.users_work() == work
        if done.code == 3:
            assert "the disk is full" in done.stderr
        bigger = ["mount", "-o", "remount,size=16m", str(world.store)]
        subprocess.run(bigger, check=True)
        assert zygote.run(world, "release", NAME).code == 0
        assert world.lies() == []
        assert not list(world.store.rglob("dreg/parts/*"))


@pytest.mark.parametrize("room", [0, 8, 24, 48, 96])
def test_a_full_disk_under_the_clone(world_of, zygote, fault, room, tmp_path):
    made = world_of("ran")
    with small_disk(tmp_path / "small", 64 * 1024 * 1024):
        world = made.copy(tmp_path / "small" / "home")
        shutil.copytree(made.remote, tmp_path / "remote", symlinks=True)
        shutil.rmtree(world.remote)
        world.remote.symlink_to(tmp_path / "remote")
        world.store.mkdir(exist_ok=True)
        (tmp_path / "store").mkdir()
        world.store.rmdir()
        world.store.symlink_to(tmp_path / "store")
        used = subprocess.run(
            ["df", "--output=used", "-B1", str(tmp_path / "small")],
            capture_output=True, text=True, check=True,
        ).stdout.split()[1]  # fmt: skip
        limit(tmp_path / "small", int(used) + room * 4096)
        with fault("a disk is full"):
            work, index = world.users_work(), world.index()
            done = zygote.run(world, "release", NAME, said=tmp_path / "said")
            assert done.code in (0, 3), done.stderr
            assert "Traceback" not in done.stderr
            assert world.lies() == []
            assert world.users_work() == work
            if done.code == 3:
                assert "the disk is full" in done.stderr
            limit(tmp_path / "small", 64 * 1024 * 1024)
            again = zygote.run(world, "release", NAME, said=tmp_path / "said")
            assert again.code == 0, again.stderr
            assert world.lies() == []
            assert world.users_work() == work
            assert world.index() != index
            assert world.git("rev-list", "HEAD..origin/main") == ""


def limit(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


def test_the_clock_is_moved_back(world_of, zygote, fault):
    """All that is there is of a day to come: a release, its tag, and every file."""
    world: World = world_of("ran")
    with fault("the clock is moved back"):
        day = "2035-05-05T05:05:05"
        later = {**world.environment, "GIT_COMMITTER_DATE": day, "GIT_AUTHOR_DATE": day}
        done = zygote.run(World(world.home, later), "release", NAME)
        assert done.code == 0, done.stderr
        for path in [*world.registry.rglob("*"), *world.remote.rglob("*")]:
            if path.is_file() and not path.is_symlink():
                subprocess.run(["touch", "-d", day, str(path)], check=True)
        assert zygote.run(world, "release", NAME).stdout.startswith(f"{NAME} 1.0.0: nothing to")
        contract = world.registry / "pipelines" / NAME / "dataset.yaml"
        contract.write_text(contract.read_text().replace("title: ", "title: New "))
        assert zygote.run(world, "run", NAME).code == 0
        done = zygote.run(world, "release", NAME)
        assert done.code == 0, done.stderr
        assert f"released {NAME} 1.0.0 -> 1.0.1" in done.stdout
        assert world.lies() == []
        assert zygote.run(world, "list").code == 0
