"""The content of a sample, and its 128-bit hash: the definition, one value at a time.

docs/sample-index.md states it in words, for any language. adapters.fingerprints computes the same
for whole Arrow arrays, and tests hold the two against each other. Once released it never changes:
hashes of releases years apart are compared.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
NAN = 0x7FF8000000000000
# Two mixers (shift, multiply, shift, multiply, shift), one a lane: variant 13 of Stafford's, and
# the one of MurmurHash3.
MIXERS = (
    (30, 0xBF58476D1CE4E5B9, 27, 0x94D049BB133111EB, 31),
    (33, 0xFF51AFD7ED558CCD, 33, 0xC4CEB9FE1A85EC53, 33),
)

NULL, WHOLE, LARGE, FLOAT, DECIMAL, BOOL, TEXT, BYTES = range(1, 9)
DATE, TIME, INSTANT, LOCAL, SPAN, LIST, PACKED, STRUCT = range(9, 17)

NANO = 1_000_000_000

Lanes = tuple[int, int]


class Date(NamedTuple):
    """Days since 1970-01-01."""

    days: int


class Time(NamedTuple):
    """Nanoseconds since midnight."""

    nanoseconds: int


class Moment(NamedTuple):
    """Time since 1970-01-01 00:00:00; `zoned` when it is an instant, not what a wall clock shows."""

    seconds: int
    nanoseconds: int
    zoned: bool = False


class Span(NamedTuple):
    """A duration: seconds, rounded down, and the rest."""

    seconds: int
    nanoseconds: int


def fingerprint(sample: Mapping[str, object]) -> bytes:
    """The 16 bytes that stand for a sample's content, its columns by name."""
    return b"".join(lane.to_bytes(8, "big") for lane in value_hash(sample))


def mix(lane: int, word: int) -> int:
    """`word` (modulo 2**64) stirred: a bijection in which every bit of input moves all others."""
    first, one, second, other, third = MIXERS[lane]
    word &= MASK
    word = (word ^ word >> first) * one & MASK
    word = (word ^ word >> second) * other & MASK
    return word ^ word >> third


def seed(lane: int, kind: int) -> int:
    """What sets one kind of value apart from the others."""
    return mix(lane, kind * GOLDEN)


def finish(kind: int, length: int, sums: Sequence[int]) -> Lanes:
    """The hash of a value of this kind, of so many parts that add up to `sums`."""
    first, second = (mix(lane, sums[lane] + seed(lane, kind) + length * GOLDEN) for lane in (0, 1))
    return first, second


def sequence(kind: int, length: int, items: Iterable[Lanes]) -> Lanes:
    """The hash of items of which each counts with its place."""
    sums = [0, 0]
    for place, item in enumerate(items, start=1):
        for lane in (0, 1):
            sums[lane] += mix(lane, item[lane] + place * GOLDEN)
    return finish(kind, length, sums)


def value_hash(value: object) -> Lanes:  # noqa: PLR0912 - a table of kinds, in order
    """Both lanes of a value's hash. Raises TypeError for a value of no known kind."""
    match value:
        case None:
            return atom(NULL, 0)
        case bool():
            return atom(BOOL, int(value))
        case int():
            return number(value)
        case float():
            return real(value)
        case Decimal():
            return decimal(value)
        case str():
            return octets(TEXT, value.encode())
        case bytes():
            return octets(BYTES, value)
        case Moment():
            return pair(INSTANT if value.zoned else LOCAL, value.seconds, value.nanoseconds)
        case Span():
            return pair(SPAN, value.seconds, value.nanoseconds)
        case Date():
            return atom(DATE, value.days)
        case Time():
            return atom(TIME, value.nanoseconds)
        case Mapping():
            return fields(value)
        case list() | tuple():
            return items(value)
    raise TypeError(f"a {type(value).__name__} has no canonical content")


def atom(kind: int, word: int) -> Lanes:
    return finish(kind, 0, (word, word))


def pair(kind: int, first: int, second: int) -> Lanes:
    return sequence(kind, 2, ((first, first), (second, second)))


def number(value: int) -> Lanes:
    """A whole number, of whatever type: 5, 5.0 and a decimal 5.00 are one value."""
    if -(1 << 63) <= value < 1 << 63:
        return atom(WHOLE, value)
    return atom(LARGE, value) if 0 <= value < 1 << 64 else unscaled(value, 0)


def real(value: float) -> Lanes:
    """A float: whole where it is, else its bits. There is one zero and one NaN."""
    if math.isfinite(value) and value == math.floor(value) and -(2.0**63) <= value < 2.0**64:
        return number(int(value))
    bits = NAN if math.isnan(value) else int.from_bytes(struct.pack(">d", value))
    return atom(FLOAT, bits)


def decimal(value: Decimal) -> Lanes:
    """A decimal: whole where it is, else without zeros at its end."""
    negative, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "Arrow's decimals are finite"
    whole, scale = int("".join(map(str, digits))) * (-1 if negative else 1), -exponent
    if scale < 0:
        whole, scale = whole * 10**-scale, 0
    while scale and whole % 10 == 0:
        whole, scale = whole // 10, scale - 1
    return unscaled(whole, scale) if scale else number(whole)


def unscaled(value: int, scale: int) -> Lanes:
    """`value` * 10**-`scale`, as the four words of its two's complement, lowest first, and scale."""
    words = [value >> shift & MASK for shift in (0, 64, 128, 192)]
    return sequence(DECIMAL, 5, ((word, word) for word in (*words, scale)))


def octets(kind: int, value: bytes) -> Lanes:
    """Bytes, eight a word, lowest first; the last word is filled up with zeros."""
    words = (int.from_bytes(value[i : i + 8], "little") for i in range(0, len(value), 8))
    return sequence(kind, len(value), ((word, word) for word in words))


def items(values: Sequence[object]) -> Lanes:
    """A list. Bytes in a list, as pixels are, take an eighth of the words, whatever their type."""
    small = [small_number(value) for value in values]
    if None not in small:
        return octets(PACKED, bytes(value for value in small if value is not None))
    return sequence(LIST, len(values), map(value_hash, values))


def small_number(value: object) -> int | None:
    """The value if it is a whole number from 0 to 255."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return int(value) if 0 <= value <= 255 and value == int(value) else None


def fields(values: Mapping[str, object]) -> Lanes:
    """A struct, or a whole sample: values by name, in no order. What is null counts as absent."""
    sums = [0, 0]
    for name, value in values.items():
        if value is None:
            continue
        called, hashed = octets(TEXT, name.encode()), value_hash(value)
        for lane in (0, 1):
            sums[lane] += mix(lane, hashed[lane] + called[lane])
    return finish(STRUCT, 0, sums)
