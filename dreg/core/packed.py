"""Packs: small files of a release end to end in one object, so that thousands come with a few requests.

Nothing depends on them. What a release promises are its single objects, where DVC finds them too; a
file out of a pack is verified as one that came alone, and where a pack is missing or wrong, single
objects are fetched. So no tag and no manifest names packs: a list beside the manifest does, and
either may be deleted at any time.

A pack is a head and, behind it, the bytes of its files in the head's order. The head is `dregpack`,
the format's number and the number of files (uint32, little-endian), then the MD5 (16 bytes) and the
size (uint64) of each file. A pack is named by the SHA-256 of its head, which says what is in it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import struct
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from dreg.core.json_text import parse_json
from dreg.core.snapshot import DIGEST, File
from dreg.errors import Refused

PACKS = "dreg/packs/"
LISTS = f"{PACKS}lists/"
SCHEMA = "dreg.packs/1"
FORMAT = 1
SMALL = 64 * 1024  # bytes; of a larger file a request costs little beside its bytes
FEWEST = 64  # files that are worth a pack
LARGEST = 1 << 30  # bytes of small files that are kept a second time for this
MANY = 500_000  # files of all packs of a release; their heads are in memory
MOST = 8  # packs of a release; then they are made anew
SPAN = 4 * 1024 * 1024  # bytes asked for at once
GAP = 32 * 1024  # bytes read in vain rather than asking twice
FILES_A_SPAN = (
    4  # at least, on average; else single objects come sooner, of which more are asked for at once
)

_START = struct.Struct("<8sII")
_MEMBER = struct.Struct("<16sQ")
_MAGIC = b"dregpack"
_LIST = re.compile(rf"{LISTS}([0-9a-f]{{2}})/([0-9a-f]{{62}})\.json")


class Member(NamedTuple):
    """A file of a pack; `start` is where its bytes are in the pack, all in bytes."""

    md5: str
    start: int
    size: int


class Listed(NamedTuple):
    """A pack as a list names it: how many files are in it, and its bytes with its head."""

    name: str
    files: int
    size: int

    @property
    def key(self) -> str:
        """Where the pack lies on the remote."""
        return f"{PACKS}{self.name[:2]}/{self.name[2:]}.pack"

    @property
    def head_size(self) -> int:
        """Bytes of the pack's head."""
        return _START.size + self.files * _MEMBER.size


@dataclass(frozen=True)
class Pack:
    """The files of a pack in order, as MD5 and size in bytes."""

    files: tuple[tuple[str, int], ...]

    @functools.cached_property
    def head(self) -> bytes:
        """What the object starts with."""
        members = (_MEMBER.pack(bytes.fromhex(md5), size) for md5, size in self.files)
        return _START.pack(_MAGIC, FORMAT, len(self.files)) + b"".join(members)

    @functools.cached_property
    def listed(self) -> Listed:
        """Name and sizes."""
        size = len(self.head) + sum(size for _, size in self.files)
        return Listed(hashlib.sha256(self.head).hexdigest(), len(self.files), size)

    @functools.cached_property
    def members(self) -> tuple[Member, ...]:
        """The files, and where they are."""
        found, at = [], len(self.head)
        for md5, size in self.files:
            found.append(Member(md5, at, size))
            at += size
        return tuple(found)

    @classmethod
    def parse(cls, head: bytes, listed: Listed) -> Pack:
        """The pack with this head. Raises Refused when it isn't the one that is `listed`."""
        try:
            magic, number, files = _START.unpack_from(head)
            if (magic, number, files) != (_MAGIC, FORMAT, listed.files):
                raise ValueError("another format")
            found = _MEMBER.iter_unpack(head[_START.size :])
            pack = cls(tuple([(md5.hex(), size) for md5, size in found]))
        except (struct.error, ValueError) as error:
            raise _refused(listed.key, str(error)) from error
        if pack.listed != listed:
            raise _refused(listed.key, "it is not what its name says")
        if len(dict(pack.files)) != len(pack.files):
            raise _refused(listed.key, "a file is in it twice")
        if not all(0 < size <= SMALL for _, size in pack.files):
            raise _refused(listed.key, "its files are not small")
        return pack


class Span(NamedTuple):
    """Bytes of a pack to be asked for at once, and the wanted files in them."""

    start: int
    length: int
    members: tuple[Member, ...]


def spans(pack: Pack, wanted: Set[str]) -> Iterator[Span]:
    """The parts of the pack that have the files with the wanted MD5s."""
    taken: list[Member] = []
    for member in pack.members:
        if member.md5 not in wanted:
            continue
        if taken and (
            member.start - _end(taken) > GAP or member.start + member.size - taken[0].start > SPAN
        ):
            yield _span(taken)
            taken = []
        taken.append(member)
    if taken:
        yield _span(taken)


def is_worth_it(found: Sequence[Span]) -> bool:
    """Whether the files in the spans come sooner so than one by one."""
    return FILES_A_SPAN * len(found) <= sum(len(span.members) for span in found)


def is_small(file: File) -> bool:
    """Whether the file belongs in a pack. An empty one has no bytes to be put there."""
    return not file.in_git and 0 < file.size <= SMALL


def choose(files: Iterable[File], before: Sequence[Pack] = ()) -> tuple[list[Pack], Pack | None]:
    """Which of the packs `before` a release with these files goes on with, and the new one it needs.

    A pack stays while half of its bytes are those of files that no pack before it in the order has. Of
    more small files than may be packed, the first ones are, in the order of `files`.
    """
    small = _small(files)
    if len(small) < FEWEST:
        return [], None
    left, kept = dict(small), []
    for pack in before:
        used = [md5 for md5, size in pack.files if left.get(md5) == size]
        if 2 * sum(left[md5] for md5 in used) >= sum(size for _, size in pack.files):
            kept.append(pack)
            for md5 in used:
                del left[md5]
    new = _pack(left)
    if len(kept) + (new is not None) > MOST or sum(len(pack.files) for pack in kept) > MANY:
        return [], _pack(small)
    return kept, new


def _small(files: Iterable[File]) -> dict[str, int]:
    """Sizes of the files that are to be packed, by MD5."""
    small: dict[str, int] = {}
    total = 0
    for file in files:
        if is_small(file) and file.md5 not in small:
            total += file.size
            if total > LARGEST or len(small) == MANY:
                break
            small[file.md5] = file.size
    return small


def _pack(files: dict[str, int]) -> Pack | None:
    return Pack(tuple(files.items())) if len(files) >= FEWEST else None


def list_key(manifest: str) -> str:
    """Where the list of a release's packs is, by the SHA-256 of its manifest."""
    return f"{LISTS}{manifest[:2]}/{manifest[2:]}.json"


def manifest_of_list(key: str) -> str | None:
    """The SHA-256 of the manifest that a list belongs to; None where `key` is no list's."""
    match = _LIST.fullmatch(key)
    return match[1] + match[2] if match else None


def list_to_text(packs: Iterable[Pack]) -> bytes:
    """The list of a release's packs, as JSON."""
    listed = [pack.listed._asdict() for pack in packs]
    return (json.dumps({"schema": SCHEMA, "packs": listed}, indent=1) + "\n").encode()


def parse_list(text: bytes, key: str) -> tuple[Listed, ...]:
    """The packs that a list names. Raises Refused for what is no such list."""
    try:
        data = parse_json(text)
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']!r}")
        found = tuple(_listed(each) for each in data["packs"])
        if len(found) > MOST or len({pack.name for pack in found}) < len(found):
            raise ValueError("too many, or one twice")
        if sum(pack.files for pack in found) > 2 * MANY:
            raise ValueError("too many files")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _refused(key, str(error)) from error
    return found


def _listed(item: Any) -> Listed:
    pack = Listed(item["name"], item["files"], item["size"])
    right = all(type(number) is int for number in pack[1:]) and DIGEST.fullmatch(pack.name)
    if not right or not pack.head_size < pack.size <= pack.head_size + pack.files * SMALL:
        raise ValueError("names or sizes")
    return pack


def _refused(key: str, reason: str) -> Refused:
    return Refused(
        f"`{key}` on the remote is no pack that this dreg reads ({reason})",
        hint="nothing is lost, as files are fetched one by one; make it again: dreg pack",
    )


def _end(members: Sequence[Member]) -> int:
    return members[-1].start + members[-1].size


def _span(members: Sequence[Member]) -> Span:
    start = members[0].start
    return Span(start, _end(members) - start, tuple(members))
