"""Files that come into being together: written to a hidden folder beside their place, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dreg.errors import Refused

STAGE = ".dreg-new-"  # git and DVC ignore it in every registry that `dreg init` makes


def taken(path: Path) -> bool:
    """Whether something is at `path`, be it a broken link."""
    return os.path.lexists(path)


@contextmanager
def stage(inside: Path) -> Iterator[Path]:
    """A new hidden folder in the existing folder `inside`; whatever is left in it is removed."""
    folder = inside / f"{STAGE}{os.urandom(6).hex()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` (by path relative to `folder`)."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def move(moves: Sequence[tuple[Path, Path]]) -> None:
    """Rename every (from, to) in this order; should one fail, those before it are taken back.

    Raises Refused when something is at a `to` by now.
    """
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            if taken(target):
                raise Refused(
                    f"`{target}` appeared in the meantime",
                    hint="look at what is there; nothing was written",
                )
            source.rename(target)
            done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        raise
