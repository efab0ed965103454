"""Bringing objects to files: many small ones at once, large ones in parts at once.

Memory is bounded by what is in flight, whatever the number and size of the objects. A file gets
its name when all of it is there and checks out.
"""

from __future__ import annotations

import contextlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dreg.adapters.objects.checksums import Checksums, corrupt
from dreg.adapters.objects.in_flight import IN_FLIGHT, for_each
from dreg.adapters.objects.parts import LARGE, fetch_in_parts
from dreg.adapters.objects.patience import patiently
from dreg.adapters.objects.place import Advance
from dreg.adapters.scratch import scratch_folder

if TYPE_CHECKING:
    from dreg.adapters.objects.store import Store

LARGE_AT_ONCE = 2
TOO_MUCH = LARGE  # bytes over the size; an object a little longer is read for its checksums


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object to be the file `into`, whose folder is there; `called` is its name in messages.

    `sha256` None is not compared. `unix`: the md5 may be that of the text with Unix line ends.
    """

    key: str
    into: Path
    size: int
    md5: str
    sha256: str | None
    called: str
    unix: bool = False


class Downloads(ABC):
    """What single objects can be had from."""

    @abstractmethod
    def fetch(self, wanted: Wanted, advance: Advance, parts: Path | None = None) -> str:
        """The object as a file, verified. Raises as `fetch_one` does."""

    def download(
        self,
        key: str,
        into: Path,
        *,
        size: int,
        md5: str,
        sha256: str | None = None,
        advance: Advance = lambda n: None,
        called: str = "",
    ) -> str:
        """The object as the file `into`, placed only if size and checksums are as given.

        Returns the SHA-256 of the bytes. `called` is the file's name in messages. Raises Outside
        naming expected and actual checksum; nothing is placed then.
        """
        into.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(into.parent) as scratch:
            part = scratch / "part"
            wanted = Wanted(key, part, size, md5, sha256, called or into.name)
            found = self.fetch(wanted, advance, into.parent)
            part.rename(into)
        return found


def fetch_all(
    wanted: Iterable[Wanted], fetch: Callable[[Wanted], object], *, near: bool = False
) -> None:
    """`fetch` each of them, large ones first; the first failure ends the rest.

    From a `near` store few at once are quickest.
    """
    small: list[Wanted] = []
    large: list[Wanted] = []
    for one in wanted:
        (large if one.size >= LARGE else small).append(one)
    for_each(large, fetch, min(LARGE_AT_ONCE, len(large)))
    for_each(small, fetch, min(4 if near else IN_FLIGHT, len(small)))


def fetch_one(store: Store, wanted: Wanted, advance: Advance, parts: Path | None = None) -> str:
    """The object as a file; returns the SHA-256 of its bytes.

    What arrived of a large one stays in the folder `parts` for the next try. Raises Corrupt
    naming expected and actual checksum, Missing, or Outside; nothing is placed then.
    """
    if wanted.size >= LARGE and not wanted.unix:
        sha256 = fetch_in_parts(store, wanted, advance, parts or wanted.into.parent)
        if sha256 is not None:
            return sha256
    return patiently(lambda: _stream(store, wanted, advance))


def _stream(store: Store, wanted: Wanted, advance: Advance) -> str:
    into = os.fspath(wanted.into)  # text: paths as objects cost as much as the checksums
    part = f"{os.path.dirname(into)}/.dreg-{os.getpid()}-{threading.get_ident()}"  # noqa: PTH120
    checksums = Checksums(unix=wanted.unix)
    counted = 0
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            for chunk in store.read(wanted.key):
                checksums.update(chunk)
                if checksums.size > wanted.size + TOO_MUCH:
                    more = f"at least {checksums.size}"
                    raise corrupt(wanted.called, store.location, "size", wanted.size, more)
                write_all(handle, chunk)
                advance(len(chunk))
                counted += len(chunk)
        finally:
            os.close(handle)
        checksums.check(
            wanted.called,
            size=wanted.size,
            md5=wanted.md5,
            sha256=wanted.sha256,
            where=store.location,
        )
        os.rename(part, into)  # noqa: PTH104
    except BaseException:
        advance(-counted)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)  # noqa: PTH108
        raise
    return checksums.sha256


def write_all(handle: int, data: bytes | memoryview) -> None:
    """All of the data; a system may write less of it at once."""
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
