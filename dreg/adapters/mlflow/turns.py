"""Turns at a run: what it says is read, added to and written, and MLflow has no way to do that in one step."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator

from dreg.adapters.cache import cache_folder

PURPOSE = "turns"
FILES = 256  # runs share them: one for each run would stay behind with nobody to remove it


@contextlib.contextmanager
def turn(uri: str, run_id: str) -> Iterator[None]:
    """A block in which no other dreg of this machine and user adds to the run at that tracking server.

    It is the kernel's lock, so it ends with its process. Where the cache cannot be written to or does not lock, nobody
    waits: what a run says of its data is worth recording even so.
    """
    number = int(hashlib.sha256(f"{uri}\0{run_id}".encode()).hexdigest(), 16) % FILES
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            file = held.enter_context((cache_folder(PURPOSE) / f"{number:02x}").open("a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
