"""What a kind of remote must be able to do, and how it says that an object is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from dreg.core.stored import Stored
from dreg.errors import Outside

CHUNK = 4 * 1024 * 1024

Advance = Callable[[int], None]
Page = list[tuple[str, Stored]]


class Missing(Outside):
    """The remote can be reached and does not have the object (exit code 3)."""


class Place(Protocol):
    """What a kind of remote must be able to do; `location` says in messages which it is.

    `near`: reading an object costs no more than asking for it. `pages` yields None
    where the remote cannot list (further).
    """

    location: str
    near: bool

    def stat(self, key: str) -> Stored | None: ...
    def pages(self, prefix: str) -> Iterator[Page | None]: ...
    def read(self, key: str) -> Iterator[bytes]: ...
    def write(self, key: str, chunks: Iterator[bytes], size: int) -> None: ...
    def delete(self, key: str) -> None: ...


def missing(key: str, location: str) -> Missing:
    """The error for an object that should be there."""
    return Missing(
        f"{location} lacks the object `{key}`",
        hint="choose the remote that has it (--remote), or ask the registry's owner to push it",
    )
