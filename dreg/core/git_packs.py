"""A git bundle looked through before git sees it: which references, how large once unpacked.

git would inflate whatever a pack declares. Here every object is inflated in small pieces that
are thrown away, so a pack of a few kilobytes that becomes terabytes is refused in bounded memory.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping

from dreg.core.tar import untrusted
from dreg.core.wording import numbered

OBJECT_LIMIT = 256 * 1024 * 1024  # bytes of one git object; the largest that GitHub takes is 100 MB
TOTAL_LIMIT = 8 * 1024**3  # bytes of a whole history; the data itself is never in git
HEADER_LIMIT = 4096
PIECE = 1024 * 1024
STEP = 4096
SHA1, SHA256 = 40, 64
FIRST = {SHA1: "# v2 git bundle\n", SHA256: "# v3 git bundle\n@object-format=sha256\n"}
OFS_DELTA, REF_DELTA = 6, 7


def bundle_header(references: Mapping[str, str]) -> bytes:
    """What a git bundle of a complete history with these references (object by name) starts with."""
    oids = list(references.values())
    lines = [f"{oid} {name}\n" for name, oid in references.items()]
    return (FIRST[len(oids[0])] + "".join(lines) + "\n").encode()


def parse_bundle_header(data: bytes) -> tuple[dict[str, str], int]:
    """The references, object by name, and where the pack begins.

    Raises Refused for a bundle that needs commits from elsewhere, or wants anything but that.
    """
    text, found, _ = data[:HEADER_LIMIT].partition(b"\n\n")
    if not found:
        raise untrusted("its git part has no header")
    head = text.decode("ascii", errors="replace") + "\n"
    for length, first in FIRST.items():
        if head.startswith(first):
            lines = head.removeprefix(first).splitlines()
            reference = re.compile(rf"([0-9a-f]{{{length}}}) (refs/tags/[!-~]+)")
            matches = [reference.fullmatch(line) for line in lines]
            if lines and all(matches):
                found_refs = {match[2]: match[1] for match in matches if match}
                if len(found_refs) == len(lines):
                    return found_refs, len(text) + 2
            bad = next((line for line, match in zip(lines, matches, strict=True) if not match), "")
            raise untrusted(f"its git part asks for something else than tags: {bad[:80]!r}")
    raise untrusted("its git part is not a git bundle")


def check_pack(chunks: Iterator[bytes], oid_length: int = SHA1) -> int:
    """The number of objects in a pack. Raises Refused for one that is malformed or too large."""
    stream = _Stream(chunks)
    start = stream.take(12)
    if start[:8] != b"PACK\0\0\0\2":
        raise untrusted("its git part has no pack of version 2")
    count = int.from_bytes(start[8:], "big")
    total = 0
    try:
        for _ in range(count):
            total += _object(stream, oid_length // 2)
            if total > TOTAL_LIMIT:
                raise untrusted(f"its git history is larger than {TOTAL_LIMIT} bytes unpacked")
    except zlib.error as error:
        raise untrusted(f"its git pack is damaged ({error})") from error
    stream.take(oid_length // 2)
    if not stream.at_end():
        raise untrusted("something follows its git pack")
    return count


def _object(stream: _Stream, oid_bytes: int) -> int:
    """Bytes of the next object once it is unpacked."""
    first = stream.byte()
    kind, size = (first >> 4) & 7, first & 15
    shift = 4
    while first & 0x80:
        first = stream.byte()
        size |= (first & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise untrusted("its git pack is damaged (a size)")
    if kind == OFS_DELTA:
        while stream.byte() & 0x80:
            pass
    elif kind == REF_DELTA:
        stream.take(oid_bytes)
    elif kind not in (1, 2, 3, 4):
        raise untrusted(f"its git pack is damaged (an object of kind {kind})")
    _refuse_large(size)
    begin = stream.inflate(size)
    if kind in (OFS_DELTA, REF_DELTA):
        _, at = _varint(begin, 0)
        size, _ = _varint(begin, at)
        _refuse_large(size)
    return size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    raise untrusted("its git pack is damaged (a delta)")


def _refuse_large(size: int) -> None:
    if size > OBJECT_LIMIT:
        raise untrusted(
            f"a git object of {numbered(size, 'byte')} is in it, and {OBJECT_LIMIT} is the limit"
        )


class _Stream:
    """Bytes in pieces, read to any length."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._at = 0

    def _more(self) -> bool:
        piece = next(self._chunks, b"")
        self._held = self._held[self._at :] + piece
        self._at = 0
        return bool(piece)

    def take(self, number: int) -> bytes:
        while len(self._held) - self._at < number:
            if not self._more():
                raise untrusted("its git part ends too early")
        self._at += number
        return self._held[self._at - number : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def at_end(self) -> bool:
        return self._at == len(self._held) and not self._more()

    def inflate(self, size: int) -> bytes:
        """The first bytes of what is deflated here, all of which is skipped; it must have `size`."""
        inflater = zlib.decompressobj()
        begin, seen, rest = b"", 0, b""
        while not inflater.eof:
            if not rest:
                if self._at == len(self._held) and not self._more():
                    raise untrusted("its git part ends too early")
                rest = self._held[self._at : self._at + STEP]
                self._at += len(rest)
            piece = inflater.decompress(rest, PIECE)
            rest = inflater.unconsumed_tail
            begin += piece[: max(0, 32 - len(begin))]
            seen += len(piece)
            if seen > size:
                raise untrusted("its git pack is damaged (more bytes than declared)")
        if seen != size:
            raise untrusted("its git pack is damaged (fewer bytes than declared)")
        self._at -= len(inflater.unused_data)
        return begin
