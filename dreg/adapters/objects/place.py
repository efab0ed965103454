"""What a kind of remote must be able to do, and how it says that an object is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dreg.core.stored import Stored
from dreg.errors import Outside

CHUNK = 1024 * 1024
PAGE = 1000  # objects in one answer of a listing; S3 gives no more


@dataclass(frozen=True)
class Kept:
    """One object as a complete listing has it: bytes, and when it was written by the store's clock."""

    key: str
    size: int
    at: datetime


Buffer = bytes | memoryview
Advance = Callable[[int], None]
Page = list[tuple[str, Stored]]


class Missing(Outside):
    """The remote can be reached and does not have the object (exit code 3)."""


class Unsteady(Outside):
    """What may go well when it is tried again: a reset, a stall, an overloaded server (exit code 3)."""


class Place(Protocol):
    """What a kind of remote must be able to do; `location` says in messages which it is.

    `near`: reading an object costs no more than asking for it. `pages` yields None
    where the remote cannot list (further), and starts behind the key `after`; `identity` is whose
    credentials are used, empty where none are; `read_range` gives its bytes at once and
    `stream_range` as they come, None where there are no ranges, and with an `etag`, only of the object that
    has it: Outside is raised for another.
    `write` returns what the remote says that it has now, None if it says nothing.
    """

    location: str
    identity: str
    near: bool

    def stat(self, key: str) -> Stored | None: ...
    def pages(self, prefix: str, after: str = "") -> Iterator[Page | None]: ...
    def every(self, prefix: str) -> Iterator[Kept]: ...
    def read(self, key: str) -> Iterator[bytes]: ...
    def read_range(self, key: str, start: int, length: int, etag: str = "") -> Buffer | None: ...
    def stream_range(self, key: str, start: int, length: int) -> Iterator[Buffer] | None: ...
    def write(self, key: str, chunks: Iterator[bytes], size: int) -> Stored | None: ...
    def delete(self, key: str) -> None: ...


def unlistable(location: str) -> Outside:
    """The error for a remote of which a complete listing cannot be had."""
    return Outside(
        f"{location} does not list what it holds",
        hint="use credentials that may list it, or name another remote with --remote",
    )


def missing(key: str, location: str) -> Missing:
    """The error for an object that should be there."""
    return Missing(
        f"{location} lacks the object `{key}`",
        hint="choose the remote that has it (--remote), or ask the registry's owner to push it",
    )
