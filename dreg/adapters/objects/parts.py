"""A large object in parts at once, resumed where an earlier try stopped, even one that was killed.

Parts are written where they belong in one file; a journal beside it says which of them are there.
Hashing follows the parts from the beginning, reading them back from the file, so that memory holds
only what is in flight. A file whose earlier parts turn out wrong is fetched once more from nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dreg.adapters.objects.checksums import Corrupt, corrupt
from dreg.adapters.objects.in_flight import for_each
from dreg.adapters.objects.patience import patiently
from dreg.adapters.objects.place import Advance
from dreg.adapters.os_errors import is_full

if TYPE_CHECKING:
    from dreg.adapters.objects.store import Store
    from dreg.adapters.objects.transfer import Wanted

PART = 8 * 1024 * 1024
LARGE = 2 * PART
AT_ONCE = 6  # parts on their way, of all files together
HASHED = 1024 * 1024  # bytes read back at once

_at_once = threading.BoundedSemaphore(AT_ONCE)


class NoRanges(Exception):
    """The store gives an object only as a whole."""


def fetch_in_parts(store: Store, wanted: Wanted, advance: Advance, folder: Path) -> str | None:
    """The object as a file; its SHA-256, or None where the store has no ranges.

    Raises as `fetch_one` does; what arrived stays in `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _Parts(folder, wanted).held() as parts:
        try:
            try:
                parts.fetch(store, advance)
            except Corrupt:
                if not parts.resumed:
                    raise
                parts.forget(advance)
                parts.fetch(store, advance)
        except NoRanges:
            parts.remove()
            return None
        except Corrupt:
            parts.remove()
            raise
        except OSError as error:
            if is_full(error):
                parts.remove()
            raise
        return parts.place()


class _Parts:
    """The file in the making and its journal, a byte for each part that is there."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self.wanted = wanted
        self.file = folder / f".dreg-part-{wanted.sha256 or wanted.md5}"
        self.journal = self.file.with_suffix(".done")
        self.count = -(-wanted.size // PART)
        self.resumed = False

    @contextlib.contextmanager
    def held(self) -> Iterator[_Parts]:
        """Alone: another process that wants the same bytes into the same folder waits."""
        while True:
            self.handle = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self.handle, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self.handle), self.file.stat()):
                    break
            os.close(self.handle)
        self.log = os.open(self.journal, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield self
        finally:
            os.close(self.log)
            os.close(self.handle)

    def fetch(self, store: Store, advance: Advance) -> None:
        """Bring the parts that are not there yet, and check the whole."""
        there = bytearray(os.pread(self.log, self.count, 0).ljust(self.count, b"\0"))
        if os.fstat(self.handle).st_size != self.wanted.size:
            there = bytearray(self.count)
        os.ftruncate(self.handle, self.wanted.size)
        self.resumed = any(there)
        advance(sum(self._length(n) for n in range(self.count) if there[n]))
        hashing = _Hashing(self, there)

        def bring(number: int) -> None:
            with _at_once:
                patiently(lambda: self._bring(store, number))
            os.pwrite(self.log, b"\1", number)
            there[number] = 1
            advance(self._length(number))
            hashing.go_on()

        for_each([n for n in range(self.count) if not there[n]], bring, min(AT_ONCE, self.count))
        hashing.finish(store.location)
        self.sha256 = hashing.sha256.hexdigest()

    def _bring(self, store: Store, number: int) -> None:
        begin = at = number * PART
        end = begin + self._length(number)
        data = store.stream_range(self.wanted.key, begin, end - begin)
        if data is None:
            raise NoRanges
        for chunk in data:
            _write_at(self.handle, chunk[: end - at], at)
            at += len(chunk)
            if at > end:
                break
        if at != end:
            raise corrupt(self.wanted.called, store.location, "size", self.wanted.size, at)

    def _length(self, number: int) -> int:
        return min(PART, self.wanted.size - number * PART)

    def forget(self, advance: Advance) -> None:
        """Begin anew: what an earlier try left is not what it should be."""
        advance(-self.wanted.size)
        os.ftruncate(self.log, 0)

    def place(self) -> str:
        """Give the file its name."""
        self.file.rename(self.wanted.into)
        self.journal.unlink(missing_ok=True)
        return self.sha256

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)


class _Hashing:
    """Checksums of the parts in order, as far as they are there."""

    def __init__(self, parts: _Parts, there: bytearray) -> None:
        self.parts = parts
        self.there = there
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._reached = 0
        self._alone = threading.Lock()

    def go_on(self) -> None:
        """Hash what can be; if another thread is doing so, leave it to that one."""
        if self._alone.acquire(blocking=False):
            try:
                self._hash()
            finally:
                self._alone.release()

    def finish(self, where: str) -> None:
        """Hash the rest. Raises Corrupt unless the whole is what it should be."""
        with self._alone:
            self._hash()
        wanted = self.parts.wanted
        if wanted.sha256 is None:
            kind, expected, actual = "md5", wanted.md5, self.md5.hexdigest()
        else:
            kind, expected, actual = "sha256", wanted.sha256, self.sha256.hexdigest()
        if expected != actual:
            raise corrupt(wanted.called, where, kind, expected, actual)

    def _hash(self) -> None:
        handle, size = self.parts.handle, self.parts.wanted.size
        while self._reached < self.parts.count and self.there[self._reached]:
            start = self._reached * PART
            for at in range(start, min(start + PART, size), HASHED):
                data = os.pread(handle, min(HASHED, size - at), at)
                self.sha256.update(data)
                if self.parts.wanted.sha256 is None:
                    self.md5.update(data)
            self._reached += 1


def _write_at(handle: int, data: bytes | memoryview, at: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(handle, left, at)
        left, at = left[written:], at + written
