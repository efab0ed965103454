"""What a store says of an object, and what that proves about its bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

ETAG = re.compile(r"([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?")
MIB = 1024 * 1024
PART = 8 * MIB
MOST_PARTS = 10_000  # S3 takes no more
DVC_PART = 50 * MIB  # s3fs


def part_size(size: int) -> int:
    """Bytes in each part of an object that dreg uploads: 8 MiB as the AWS tools have it, doubled
    until S3 takes as many parts."""
    part = PART
    while size > part * MOST_PARTS:
        part *= 2
    return part


class State(Enum):
    """What is known of an object: `UNREAD` has the right size, and its store reports no checksum."""

    RIGHT = "right"
    MISSING = "missing"
    WRONG_SIZE = "wrong-size"
    WRONG_BYTES = "wrong-bytes"
    UNREAD = "unread"

    @property
    def words(self) -> str:
        """The same in a sentence."""
        return self.value.replace("-", " ")


@dataclass(frozen=True)
class Stored:
    """One object as its store lists it. `etag` is empty where the store's means nothing; `touched` is
    when the object last changed, by the store's own clock in nanoseconds, 0 where that isn't told."""

    size: int
    etag: str = ""
    touched: int = 0

    @property
    def md5(self) -> str | None:
        """The MD5 that S3 reports for an object uploaded in one part, if it is one."""
        match = ETAG.fullmatch(self.etag)
        return match.group(1) if match and match.group(2) is None else None

    @property
    def part_sizes(self) -> tuple[int, ...]:
        """Sizes of the parts that the object may have been uploaded in; none if it was one part."""
        match = ETAG.fullmatch(self.etag)
        if match is None or match.group(2) is None:
            return ()
        sizes = (part_size(self.size), DVC_PART)
        return tuple(part for part in sizes if -(-self.size // part) == int(match.group(2)))


def parts_etag(read: Callable[[int], bytes], part_size: int) -> str:
    """The ETag of the bytes when S3 receives them in parts: the MD5 over the parts' MD5s."""
    digests = []
    while part := read(part_size):
        digests.append(hashlib.md5(part, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
