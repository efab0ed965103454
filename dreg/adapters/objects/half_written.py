"""Files that are not yet objects, in a folder of their own; those of killed processes go.

Each is locked by who writes it, so that the next writer on this machine knows which are dead. What
another machine writes, perhaps on a network file system that keeps locks to itself, has a day.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LONG_AGO = 24 * 60 * 60  # seconds
_tidied: set[Path] = set()


@contextlib.contextmanager
def half_written(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in `folder`, and its stream; removed unless it was renamed."""
    if folder not in _tidied:  # once a process: there may be many thousands to write
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        _tidied.add(folder)
    part, file = _new(folder)
    try:
        with file:
            yield part, file
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _new(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        part = folder / f"{socket.gethostname()}-{uuid.uuid4().hex}"
        file = part.open("xb")
        with contextlib.suppress(OSError):  # no locks here: after a day it is known as dead
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), part.stat()):
                return part, file
        file.close()  # tidied away before it was locked


def _tidy(folder: Path) -> None:
    ours = f"{socket.gethostname()}-"
    for part in folder.iterdir():
        with contextlib.suppress(OSError), part.open("rb") as file:
            if not part.name.startswith(ours) and part.stat().st_mtime > time.time() - LONG_AGO:
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
