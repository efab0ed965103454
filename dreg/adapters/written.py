"""A file that appears under its name only when all of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    part = unfinished(target)
    try:
        with naming(target), _begun(part) as file:
            yield file
        part.replace(target)
    except BaseException:
        with suppress(NotADirectoryError):
            part.unlink(missing_ok=True)
        raise


def _begun(part: Path) -> BinaryIO:
    """Mostly the folder is there and nothing is left in it: of thousands of small files, looking first costs as
    much as opening them."""
    try:
        return part.open("xb")
    except FileExistsError:
        part.unlink(missing_ok=True)
    except (FileNotFoundError, NotADirectoryError):
        part.parent.mkdir(parents=True, exist_ok=True)
    return part.open("xb")
