"""Tar in one form only: plain files, no dates, no owners. Any other header is refused.

POSIX `ustar`, which every tar reads; the size of a file of 8 GiB or more is binary, as GNU tar
and bsdtar write it. The header of a member follows from its name and size, so reading one is
comparing it with what it should be: links, devices, extensions and absolute names never match.
"""

from __future__ import annotations

from dreg.errors import Refused

BLOCK = 512
END = bytes(2 * BLOCK)
LONGEST_NAME = 100
OCTAL_LIMIT = 8**11
KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder",
    b"6": "a pipe",
    b"x": "an extended header",
    b"g": "an extended header",
    b"L": "an extended header",
    b"K": "an extended header",
    b"S": "a sparse file",
}


def header(name: str, size: int) -> bytes:
    """The block before a member's bytes. `name` is ASCII of at most 100 signs."""
    encoded = name.encode("ascii")
    assert 0 < len(encoded) <= LONGEST_NAME and size >= 0
    length = b"%011o\0" % size if size < OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    block = bytearray(BLOCK)
    block[0 : len(encoded)] = encoded
    block[100:108] = b"0000644\0"
    block[108:124] = b"0000000\0" * 2
    block[124:136] = length
    block[136:148] = b"%011o\0" % 0
    block[148:156] = b" " * 8
    block[156:157] = b"0"
    block[257:265] = b"ustar\00000"
    block[329:345] = b"0000000\0" * 2
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padding(size: int) -> int:
    """How many zeros follow a member of `size` bytes."""
    return -size % BLOCK


def parse(block: bytes) -> tuple[str, int] | None:
    """Name and size of the member that `block` announces; None at the end of the archive.

    Raises Refused for everything that `header` does not write.
    """
    if len(block) != BLOCK:
        raise untrusted("it ends in the middle of a member")
    if block == bytes(BLOCK):
        return None
    raw = block[:LONGEST_NAME].rstrip(b"\0")
    shown = repr(raw.decode("ascii", errors="replace"))
    if (kind := KINDS.get(block[156:157])) is not None:
        raise untrusted(f"{shown} is {kind}")
    try:
        name = raw.decode("ascii")
        field = block[124:136]
        size = (
            int.from_bytes(field[1:], "big") if field[0] == 0x80 else int(field.rstrip(b"\0 "), 8)
        )
        same = bool(name) and size >= 0 and header(name, size) == block
    except ValueError:
        same = False
    if not same:
        raise untrusted(f"the header of {shown} is not one that `dreg export` writes")
    return name, size


def untrusted(why: str) -> Refused:
    """The error for a bundle that is not what `dreg export` writes."""
    return Refused(
        f"this is no bundle that can be trusted: {why}",
        hint="nothing was changed; export the release again: dreg export NAME@VERSION -o FILE",
    )
