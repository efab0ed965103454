"""The power goes: only what is on the disk is there afterwards, not what was on its way."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.truth import in_folder, lies
from tests.small_registry import NAME

LATER = 300  # seconds until a journal is written of its own accord, in which a test is long over


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[None]:
    """The disk `image` at `place`, which writes nothing down before it must."""
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-o", f"loop,commit={LATER}", str(image), str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a disk image cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def disk(tmp_path) -> Path:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("no mkfs.ext4 here")
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(32 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    return image


@pytest.mark.parametrize("command", ["release", "import"])
def test_a_tag_that_the_git_remote_has_names_what_is_on_the_disk(
    world_of, zygote, fault, disk, tmp_path, command
):
    """As the disk is at the moment in which the git remote is asked to take the tag."""
    kind = {"release": "ran", "import": "bundle"}[command]
    arguments = {"release": ("release", NAME), "import": ("import", "../bundle.tar")}[command]
    world, lost = world_of(kind), tmp_path / "lost"
    hook = world.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ncp '{disk}' '{lost}'\n")
    hook.chmod(0o755)
    with fault("the power goes"), mounted(disk, world.store):
        done = zygote.run(world, *arguments)
        assert done.code == 0, done.stderr
        with mounted(lost, tmp_path / "after"):
            assert world.git("tag", "--list", folder="registry.git") == f"{NAME}-v1.0.0"
            assert list(lies(world.remote, in_folder(tmp_path / "after"))) == []
