"""Folders for what is half done, which go with the process that made them - if need be, later.

Each is locked by its process. Who makes the next one in the same place removes those that nobody
holds any more: what a `kill -9` left, however large, is gone with the next command.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PREFIX = "dreg-scratch-"
NAME = re.compile(PREFIX + r"[0-9a-f]{16}")
REFERENCE_LOCKS = "reference-locks"  # in one, the paths of locks that git takes for our references
ORPHANED = 1.0  # seconds; a git that we started and that outlived us is through by then
INDEX_LOCK = "index.lock"  # in a scratch folder, a second name of the lock that git takes for ours


@contextmanager
def scratch_folder(inside: Path | None = None) -> Iterator[Path]:
    """A new folder in `inside` (default: where the system has temporary files), then removed."""
    place = inside or _usual()
    tidy(place)
    folder, handle = _made(place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def tidy(place: Path | None = None) -> None:
    """Remove the scratch folders in `place`, as above, of processes that ended without doing so.

    If one of them had git's index or references locked, `place` being git's folder, that ends too.
    """
    place = place or _usual()
    for folder in place.glob(f"{PREFIX}*"):
        if not NAME.fullmatch(folder.name):
            continue
        try:
            handle = _locked(folder)
        except OSError:
            continue
        try:
            if _git_lives(folder):
                continue
            lock = place / INDEX_LOCK
            with contextlib.suppress(FileNotFoundError):
                if lock.samefile(folder / INDEX_LOCK):
                    lock.unlink()
            _unlock_references(folder)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _usual() -> Path:
    import tempfile  # here, as most who know of scratch folders make none

    return Path(tempfile.gettempdir())


def _git_lives(folder: Path) -> bool:
    """Whether a git that was given the list of its locks goes on, though who started it is gone."""
    with contextlib.suppress(FileNotFoundError), (folder / REFERENCE_LOCKS).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def _unlock_references(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        locks = [Path(line) for line in (folder / REFERENCE_LOCKS).read_text().splitlines()]
        deadline = time.monotonic() + ORPHANED
        left = _seen(locks)
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            now = _seen(list(left))
            left = {lock: at for lock, at in left.items() if now.get(lock) == at}
        for lock in left:  # a living git has let go of its locks by now
            lock.unlink(missing_ok=True)


def _seen(locks: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    found = {}
    for lock in locks:
        with contextlib.suppress(OSError):
            about = lock.stat()
            found[lock] = about.st_ino, about.st_mtime_ns
    return found


def _made(place: Path) -> tuple[Path, int]:
    while True:
        folder = place / f"{PREFIX}{os.urandom(8).hex()}"
        folder.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            # Else somebody tidied it away before it was ours.
            return folder, _locked(folder, needed=False)


def _locked(folder: Path, *, needed: bool = True) -> int:
    """The open folder, locked. Raises BlockingIOError if another process has it, FileNotFoundError
    when it is gone, and OSError where folders cannot be locked (NFS), if that is `needed`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            if needed:
                raise
        if os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
        raise FileNotFoundError(folder)
    except BaseException:
        os.close(handle)
        raise
