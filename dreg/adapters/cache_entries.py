"""What dreg's cache has: entries that can each be had again, when they were last used, and their removal.

Using a file notes the time as its time of access, whatever the file system does by itself, and leaves its
time of change alone: placed files share it. Of a folder it is the other way round, as listing one is no use of it. A folder or file that a process reads for as long as it runs
is held by a shared lock, which ends with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.cache import cache_place

# What is kept for which purpose. What was noted about yanks is none of it: it can't be had again.
PURPOSES = {
    "objects": "files of releases, by checksum",
    "releases": "what dreg.load brought",
    "arrow": "splits for torch and Hugging Face",
    "samples": "sample indexes",
    "manifests": "lists of releases' files",
    "git": "what was read of registries",
    "sources": "downloads of pipelines",
    "models": "embedding models",
}
FOLDERS = ("releases", "git", "models")  # an entry is a folder there
_held: dict[Path, int] = {}


@dataclass(frozen=True)
class Entry:
    """A file or folder in the cache. `used` is in seconds since 1970; `own` are the bytes that its
    removal would free: what placed files share costs nothing."""

    purpose: str
    path: Path
    size: int
    own: int
    used: float


def entries(purpose: str) -> Iterator[Entry]:
    """The entries for one purpose, in no order; what goes meanwhile is left out."""
    root = cache_place(purpose)
    if purpose in FOLDERS:
        for folder in root.iterdir() if root.is_dir() else ():
            with contextlib.suppress(OSError):
                found = [path.lstat() for path in folder.rglob("*") if not path.is_dir()]
                whole = sum(one.st_size for one in found)
                yield Entry(purpose, folder, whole, _own(found), _used(folder.stat()))
        return
    for below, _, names in os.walk(root):
        for name in names:
            path = Path(below) / name
            if name.endswith(".lock"):  # who waits for it has it open
                continue
            with contextlib.suppress(OSError):
                one = path.lstat()
                yield Entry(purpose, path, one.st_size, _own([one]), _used(one))


def _used(found: os.stat_result) -> float:
    folder = stat.S_ISDIR(found.st_mode)
    return found.st_mtime if folder else max(found.st_atime, found.st_mtime)


def _own(found: list[os.stat_result]) -> int:
    return sum(one.st_size for one in found if one.st_nlink == 1)


def remove(entry: Entry) -> bool:
    """Remove it, unless a process holds it or it was used meanwhile; whether it is gone."""
    with contextlib.suppress(OSError):
        handle = os.open(entry.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _used(os.fstat(handle)) > entry.used:
                return False
            if entry.purpose not in FOLDERS:
                entry.path.unlink()
                return True
            gone = entry.path.with_name(f".{entry.path.name}.{os.getpid()}.gone")
            entry.path.rename(gone)  # nobody sees half of it
            shutil.rmtree(gone, ignore_errors=True)
            return True
        finally:
            os.close(handle)
    return False


def hold(path: Path) -> bool:
    """Keep it from being removed until this process ends; False if it is not there (any more)."""
    known = _held.get(path)
    if known is not None and _is(known, path):
        return True
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_SH)
    if not _is(handle, path):
        os.close(handle)
        return False
    _held[path] = handle
    used(path)
    return True


def _is(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def used(path: Path) -> None:
    """Note that it was used now."""
    with contextlib.suppress(OSError):
        now = time.time_ns()
        os.utime(path, ns=(now, now if path.is_dir() else path.stat().st_mtime_ns))
