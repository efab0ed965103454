"""A bundle as a file: written from front to back, read in any order once its members are known."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dreg.adapters.interrupts import awaited, submitted
from dreg.adapters.objects.place import CHUNK
from dreg.core.bundle import ABOUT, GIT, MANIFEST, OBJECT
from dreg.core.tar import BLOCK, END, header, padding, parse, untrusted
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside

AHEAD = 32
SMALL = 1024 * 1024  # bytes; AHEAD times this is held at most


class BundleWriter:
    """Members in the order in which they are added."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def add(self, name: str, size: int, chunks: Iterator[bytes]) -> None:
        """Raises Outside when there are not `size` bytes."""
        self._stream.write(header(name, size))
        left = size
        for chunk in chunks:
            left -= len(chunk)
            self._stream.write(chunk)
        if left:
            raise Outside(
                f"`{name}` has not the {numbered(size, 'byte')} that it should have",
                hint="see what is wrong: dreg fsck --remote",
            )
        self._stream.write(bytes(padding(size)))

    def end(self) -> None:
        self._stream.write(END)


def in_order(
    jobs: Sequence[tuple[int | None, Callable[[], Iterator[bytes]]]],
) -> Iterator[Iterator[bytes]]:
    """The bytes of each job in order; small ones are read ahead, many at once.

    A job is a size (None: unknown, and small) and what reads the bytes.
    """
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="objects") as pool:
        waiting: deque[Future[bytes] | Callable[[], Iterator[bytes]]] = deque()
        left = iter(jobs)
        try:
            while True:
                while len(waiting) < AHEAD and (job := next(left, None)) is not None:
                    size, read = job
                    small = size is None or size <= SMALL
                    waiting.append(submitted(pool, _whole, read) if small else read)
                if not waiting:
                    return
                first = waiting.popleft()
                yield iter((awaited(first),)) if isinstance(first, Future) else first()
        finally:
            for one in waiting:
                if isinstance(one, Future):
                    one.cancel()


def _whole(read: Callable[[], Iterator[bytes]]) -> bytes:
    return b"".join(read())


@dataclass(frozen=True)
class Member:
    """One file in a bundle: where its bytes begin, and how many there are."""

    name: str
    at: int
    size: int


class BundleReader:
    """The members of a bundle, by name. May be read from many threads at once."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
        except FileNotFoundError as error:
            raise BadRequest(f"there is no file `{path}`", hint="check the path") from error
        except IsADirectoryError as error:
            raise BadRequest(f"`{path}` is a folder", hint="name the bundle's file") from error
        if not self._file.seekable():
            raise BadRequest(
                f"`{path}` can only be read once, and a bundle is verified before it is used",
                hint="save it as a file first",
            )
        self.members = {member.name: member for member in self._scan()}

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def objects(self) -> list[str]:
        """Keys of the objects in the order in which they lie here."""
        return [name for name in self.members if OBJECT.fullmatch(name)]

    def read(self, name: str) -> Iterator[bytes]:
        """The member's bytes."""
        member = self.members[name]
        at, end = member.at, member.at + member.size
        while at < end:
            chunk = os.pread(self._file.fileno(), min(CHUNK, end - at), at)
            if not chunk:
                raise untrusted("it became shorter while it was read")
            at += len(chunk)
            yield chunk

    def get_bytes(self, name: str, limit: int) -> bytes:
        """The whole member. Raises Refused if it has more than `limit` bytes."""
        if self.members[name].size > limit:
            raise untrusted(f"`{name}` in it is larger than {numbered(limit, 'byte')}")
        return b"".join(self.read(name))

    def _scan(self) -> Iterator[Member]:
        """All members by their headers only. Raises Refused for any that has no business here."""
        handle = self._file.fileno()
        end = os.fstat(handle).st_size
        at, seen, first = 0, set(), [ABOUT, GIT, MANIFEST]
        while (found := parse(os.pread(handle, BLOCK, at))) is not None:
            name, size = found
            expected = first.pop(0) if first else None
            if name != expected if expected else not OBJECT.fullmatch(name):
                raise untrusted(f"{name!r} has no business there")
            if name in seen:
                raise untrusted(f"{name!r} is in it twice")
            seen.add(name)
            at += BLOCK
            if at + size + padding(size) + len(END) > end:
                raise untrusted(f"it is too short for the {numbered(size, 'byte')} of {name!r}")
            yield Member(name, at, size)
            at += size + padding(size)
        if first:
            raise untrusted(f"it has no `{first[0]}`")
        if os.pread(handle, len(END) + 1, at) != END:
            raise untrusted("something follows its end")
