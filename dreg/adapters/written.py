"""A file that appears under its name only when all of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dreg.adapters.os_errors import naming

HALF_WRITTEN = ".new-"  # how the names of files begin that are not yet what they will be


def unfinished(target: Path) -> Path:
    """The name that the file has while it is written, and that a killed process leaves."""
    return target.with_name(f"{HALF_WRITTEN}{target.name}")


@contextmanager
def written(target: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes are the file `target` when the block ends; nothing if it fails.

    One process at a time may write a target. What a killed one left has the same name, and so is
    gone when the file is written again.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = unfinished(target)
    part.unlink(missing_ok=True)
    try:
        with naming(target), part.open("xb") as file:
            yield file
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
