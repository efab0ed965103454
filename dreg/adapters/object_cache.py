"""Verified bytes that were fetched before, by checksum, shared by projects and processes.

A placed file and its entry here share their bytes where that is safe: as a clone where the file
system can (btrfs, xfs, APFS), else as a hard link, but of one placed file at most. So whoever
edits a placed file spoils the entry at worst, which is noticed as every entry is read before it
is used, and never a file of another project. `DREG_LINK` chooses otherwise: `hardlink` shares one
file among all, which nobody may write to then; `copy` shares nothing; `off` keeps nothing.

Nothing is kept where that would take a second copy on disk, unless `copy` asks for it: the cache
takes no space that was not needed anyway, until a placed file goes.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import shutil
import threading
from pathlib import Path
from typing import BinaryIO

from dreg.adapters.cache import cache_place
from dreg.adapters.cache_entries import used
from dreg.adapters.half_written import half_written, tidy
from dreg.adapters.objects import Checksums
from dreg.core.receipt import Placed
from dreg.core.snapshot import File
from dreg.errors import BadRequest

CHUNK = 1024 * 1024
FICLONE = 0x40049409  # Linux: let a file share the bytes of another until either is written to
READ_ONLY = 0o444
PARTS = "parts"


class Link(enum.Enum):
    """How a placed file and its entry share their bytes."""

    AUTO = "auto"
    HARDLINK = "hardlink"
    COPY = "copy"
    OFF = "off"


def link_wanted() -> Link:
    """What DREG_LINK says. Raises BadRequest for another word."""
    word = os.environ.get("DREG_LINK") or "auto"
    try:
        return Link(word)
    except ValueError as error:
        raise BadRequest(
            f"DREG_LINK is `{word}`", hint="it can be auto, hardlink, copy or off"
        ) from error


class ObjectCache:
    """The entries below `$DREG_CACHE/objects`. Any of them may be deleted at any time."""

    def __init__(self) -> None:
        self.root = cache_place("objects")
        self.link = link_wanted()
        self._clones = self.link is Link.AUTO
        for place in (self.root / PARTS, cache_place(PARTS)):
            tidy(place)

    def entry(self, file: File) -> Path:
        """Where the file's bytes are, or would be."""
        return Path(self._entry(file))

    def _entry(self, file: File) -> str:  # no Path: there may be many thousands
        kind, digest = ("sha256", file.sha256) if file.sha256 else ("md5", file.md5)
        return f"{self.root}/{kind}/{digest[:2]}/{digest[2:]}"

    def has(self, file: File) -> bool:
        """Whether there is an entry; whether it is right is seen when it is taken."""
        with contextlib.suppress(OSError):
            if self.link is not Link.OFF:
                return os.stat(self._entry(file)).st_size == file.size  # noqa: PTH116
        return False

    def read(self, file: File) -> bytes | None:
        """The bytes of a small file, verified; None if they are not here."""
        with contextlib.suppress(OSError):
            data = self.entry(file).read_bytes() if self.has(file) else b""
            checksums = Checksums(unix=file.legacy)
            checksums.update(data)
            return data if _is(checksums, file) else None
        return None

    def take(self, file: File, into: Path) -> Placed | None:
        """Place the file from here, verified; None if it is not here, or not right any more."""
        if not self.has(file):
            return None
        entry = self.entry(file)
        part = into.with_name(f".dreg-{os.getpid()}-{threading.get_ident()}")
        try:
            placed = self._share(entry, part, file) or _copy(entry, part, file)
            part.rename(into)
            used(entry)
        except Spoilt:
            entry.unlink(missing_ok=True)
            return None
        except FileNotFoundError:  # somebody emptied the cache
            return None
        finally:
            part.unlink(missing_ok=True)
        return placed

    def _share(self, entry: Path, part: Path, file: File) -> Placed | None:
        """A verified clone or link; None where there can't or should not be one."""
        if self.link is Link.COPY:
            return None
        if not self._clone(entry, part):
            if not _linked(entry, part):
                return None
            if self.link is Link.HARDLINK:
                part.chmod(READ_ONLY)
            elif part.stat().st_nlink > 2:  # some placed file has these bytes already
                part.unlink()
                return None
        return _verified(part, file)

    def keep(self, file: File, path: Path) -> None:
        """Have the bytes of a verified file here too, where that takes no space."""
        if self.link is Link.OFF:
            return
        entry = self.entry(file)
        for folder_is_there in (False, True):
            try:
                self._keep(path, entry)
                return
            except FileNotFoundError:
                if not folder_is_there:
                    entry.parent.mkdir(parents=True, exist_ok=True)
            except OSError:
                return  # it is only a cache

    def _keep(self, path: Path, entry: Path) -> None:
        if self.link is Link.COPY or self._clones:
            with path.open("rb") as read, half_written(self.root / PARTS) as (part, file):
                if self.link is Link.COPY:
                    shutil.copyfileobj(read, file, CHUNK)
                    file.flush()
                if self.link is Link.COPY or self._cloned(read, file):
                    part.rename(entry)
                    return
        if self.link is Link.HARDLINK:
            path.chmod(READ_ONLY)
        try:
            os.link(path, entry)
        except FileExistsError:  # another process was first, or it was damaged
            entry.unlink(missing_ok=True)
            os.link(path, entry)

    def _clone(self, source: Path, into: Path) -> bool:
        """Whether `into` is a clone now."""
        if not self._clones:
            return False
        with source.open("rb") as read, into.open("xb") as written:
            if self._cloned(read, written):
                return True
        into.unlink()
        return False

    def _cloned(self, source: BinaryIO, into: BinaryIO) -> bool:
        """Whether `into` shares the bytes now. Where that can't be, it is not tried again."""
        try:
            fcntl.ioctl(into.fileno(), FICLONE, source.fileno())
        except OSError:
            self._clones = False
        return self._clones


class Spoilt(Exception):
    """An entry that was edited through a link, or damaged."""


def _linked(source: Path, into: Path) -> bool:
    try:
        os.link(source, into)
        return True
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or more links than it can count
        return False


def _copy(entry: Path, part: Path, file: File) -> Placed:
    checksums = Checksums(unix=file.legacy)
    with entry.open("rb") as read, part.open("xb") as written:
        while chunk := read.read(CHUNK):
            checksums.update(chunk)
            written.write(chunk)
    return _checked(checksums, part, file)


def _verified(part: Path, file: File) -> Placed:
    checksums = Checksums(unix=file.legacy)
    with part.open("rb") as read:
        while chunk := read.read(CHUNK):
            checksums.update(chunk)
    return _checked(checksums, part, file)


def _checked(checksums: Checksums, part: Path, file: File) -> Placed:
    if not _is(checksums, file):
        raise Spoilt
    return Placed(file.size, part.stat().st_mtime_ns, file.md5, checksums.sha256)


def _is(checksums: Checksums, file: File) -> bool:
    known = checksums.size == file.size and file.sha256 in (None, checksums.sha256)
    return known and checksums.has_md5(file.md5)
