"""Files that do not have their names yet, in a folder of their own; those of killed processes go.

Each is locked by who writes it, so that the next writer on this machine knows which are dead. What
another machine writes, perhaps on a network file system that keeps locks to itself, has a day.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LONG_AGO = 24 * 60 * 60  # seconds
_tidied: set[Path] = set()


@contextlib.contextmanager
def half_written(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in `folder`, and its stream; removed unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    tidy(folder)
    part, file = _new(folder)
    try:
        with file:
            yield part, file
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _new(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        part = folder / f"{os.uname().nodename}-{os.urandom(16).hex()}"
        file = part.open("xb")
        with contextlib.suppress(OSError):  # no locks here: after a day it is known as dead
            # Who tidies may have it for a moment, to see whether it is dead, and then removes it.
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), part.stat()):
                return part, file
        file.close()  # tidied away before it was locked


def tidy(folder: Path) -> None:
    """Remove what dead processes left in `folder`, which need not be there."""
    if folder in _tidied:
        return  # once a process: there may be many thousands to write
    _tidied.add(folder)
    ours = f"{os.uname().nodename}-"
    for part in folder.glob("*"):
        with contextlib.suppress(OSError), part.open("rb") as file:
            old = part.stat().st_mtime < time.time() - LONG_AGO
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if old or part.name.startswith(ours):
                    part.unlink()
            except BlockingIOError:
                continue  # somebody writes it
            except OSError:
                if old:
                    part.unlink()
