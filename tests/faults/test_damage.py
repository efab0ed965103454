"""Bytes that are not what they were: on the remote, or in DVC's cache."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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
    cache = world.path / ".dvc" / "cache" / "files"
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
