"""A disk that is full: under the remote, under the clone, or under everything there is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.commands import ALL, COMMANDS
from tests.faults.worlds import differences
from tests.small_registry import NAME

KIND = "a disk is full"
PAGE = 4096
ROOM = 64 * 1024 * 1024
PAGES = (0, 1, 2, 4, 8, 16, 32, 64) if ALL else (4,)


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
    work = world.users_work()
    with small_disk(world.store, PAGE * (room + 2)), fault(KIND):
        done = zygote.run(world, "release", NAME)
        assert done.code in (0, 3), done.stderr
        assert world.lies() == []
        assert world.users_work() == work
        if done.code == 3:
            assert f"error: the disk is full at `{world.store}" in done.stderr
        bigger = ["mount", "-o", "remount,size=16m", str(world.store)]
        subprocess.run(bigger, check=True)
        assert zygote.run(world, "release", NAME).code == 0
        assert world.lies() == []
        assert not list(world.store.rglob("dreg/parts/*"))


@pytest.mark.parametrize("room", [0, 8, 24, 48, 96])
def test_a_full_disk_under_the_clone(world_of, zygote, fault, room, tmp_path):
    made = world_of("ran")
    with small_disk(tmp_path / "small", ROOM):
        world = made.copy(tmp_path / "small" / "home")
        shutil.copytree(made.remote, tmp_path / "remote", symlinks=True)
        shutil.rmtree(world.remote)
        world.remote.symlink_to(tmp_path / "remote")
        world.store.mkdir(exist_ok=True)
        (tmp_path / "store").mkdir()
        world.store.rmdir()
        world.store.symlink_to(tmp_path / "store")
        limit(tmp_path / "small", used(tmp_path / "small") + room * PAGE)
        with fault(KIND):
            work, index = world.users_work(), world.index()
            done = zygote.run(world, "release", NAME, said=tmp_path / "said")
            assert done.code in (0, 3), done.stderr
            assert "Traceback" not in done.stderr
            assert world.lies() == []
            assert world.users_work() == work
            if done.code == 3:
                assert "the disk is full" in done.stderr
            limit(tmp_path / "small", ROOM)
            again = zygote.run(world, "release", NAME, said=tmp_path / "said")
            assert again.code == 0, again.stderr
            assert world.lies() == []
            assert world.users_work() == work
            assert world.index() != index
            assert world.git("rev-list", "HEAD..origin/main") == ""


def used(place: Path) -> int:
    """Bytes of the file system at `place` that hold something."""
    df = ["df", "--output=used", "-B1", str(place)]
    return int(subprocess.run(df, capture_output=True, text=True, check=True).stdout.split()[1])


def limit(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


@pytest.mark.parametrize("pages", PAGES)
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "reproduce"])
def test_a_full_disk_under_all_of_it(world_of, zygote, undisturbed, fault, name, pages, tmp_path):
    command, usual = COMMANDS[name], undisturbed(name)
    said = tmp_path / "said"
    with small_disk(tmp_path / "small", ROOM), fault(KIND):
        world = world_of(command.world).copy(tmp_path / "small" / "home")
        work, index, lies = world.users_work(), world.index(), world.lies()
        limit(tmp_path / "small", used(tmp_path / "small") + pages * PAGE)
        done = zygote.run(world, *command.arguments, folder=command.folder, said=said)
        assert done.code in (0, 1, 3), done.stderr
        assert "Traceback" not in done.stderr
        if done.code != 0:
            assert "hint: " in done.stderr
        assert {*world.lies()} <= {*lies}
        assert world.users_work() == work
        assert world.index() in (index, usual.index)
        limit(tmp_path / "small", ROOM)
        again = zygote.run(world, *command.arguments, folder=command.folder, said=said)
        assert again.code == 0, again.stderr
        assert world.lies() == []
        assert world.users_work() == work
        assert differences(world.seen(), usual.seen) == []
