"""Sketches of many values at once, as core.sketches defines them of one.

Hashes are written out here, so that they are the same on every machine and with every library.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dreg.core.sketches import (
    EXACT,
    FINEST,
    MANTISSA,
    MOST_BUCKETS,
    RANKS,
    REGISTERS,
    Distinct,
    Spread,
)

Hashes = npt.NDArray[np.uint64]

WORD = 8
WORDS_AT_ONCE = 1 << 18
SAMPLE = 4 * EXACT
GOLDEN = 0x9E3779B97F4A7C15
MAGNITUDE = np.int64((1 << 63) - 1)


def of_numbers(values: npt.NDArray[Any]) -> tuple[Spread, Distinct]:
    """Where integers or finite floats lie, and how many are different."""
    if values.dtype.kind == "f":
        values = values.astype(np.float64) + 0.0  # -0.0 is zero
    if not many(values):
        found, counts = np.unique(values, return_counts=True)
        if len(found) <= EXACT:
            exact = dict(zip(found.tolist(), counts.tolist(), strict=True))
            return Spread.of_values(exact), of_hashes(hashes(found))
    return buckets(values), of_hashes(hashes(values))


def many(values: npt.NDArray[Any]) -> bool:
    """Whether some of the values suffice to tell that too many are different to be kept."""
    if len(values) <= EXACT:
        return False
    return len(np.unique(values[:: max(1, len(values) // SAMPLE)])) > EXACT


def buckets(values: npt.NDArray[Any]) -> Spread:
    """Counts by bucket of more than EXACT different values."""
    bits = values.astype(np.float64).view(np.int64)
    keys = bits ^ ((bits >> 63) & MAGNITUDE)
    found, counts = np.unique((keys >> (MANTISSA - FINEST)).astype(np.int32), return_counts=True)
    lost = 0
    while len(found) > MOST_BUCKETS:  # as `Spread.of_buckets` would, more slowly
        lost += 1
        found >>= 1
        firsts = np.flatnonzero(np.diff(found, prepend=found[0] - 1))
        found, counts = found[firsts], np.add.reduceat(counts, firsts)
    by_bucket = dict(zip(found.tolist(), counts.tolist(), strict=True))
    return Spread.of_buckets(by_bucket, FINEST - lost)


def hashes(values: npt.NDArray[Any]) -> Hashes:
    """A hash of every number: its 64 bits, mixed."""
    if values.dtype.kind == "f":
        return mixed(values.view(np.uint64))
    return mixed(values.astype(np.int64 if values.dtype.kind == "i" else np.uint64).view(np.uint64))


def mixed(numbers: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the number.

    The output of SplitMix64 (G. Steele, D. Lea, C. Flood: Fast splittable pseudorandom number
    generators, 2014), whose constants are Stafford's Mix13.
    """
    x = numbers + np.uint64(GOLDEN)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def of_texts(array: pa.Array) -> Distinct:
    """How many texts are different; nulls are none."""
    return of_hashes(text_hashes(array))


def text_hashes(array: pa.Array) -> Hashes:
    """A hash of every text that is not null.

    A text is words of eight bytes, the last filled up with zeros. Each is mixed with its place,
    their sum with the length: so all words of all texts are mixed at once.
    """
    array = array.drop_null() if array.null_count else array
    if not len(array):
        return np.empty(0, np.uint64)
    _, places, content = array.buffers()
    wide = np.dtype(np.int64 if pa.types.is_large_string(array.type) else np.int32)
    starts = np.frombuffer(places, wide, len(array) + 1, array.offset * wide.itemsize)
    starts = starts.astype(np.int64)
    lengths = np.diff(starts)
    words = -(-lengths // WORD)
    ends = np.cumsum(words)
    found = np.zeros(len(array), np.uint64)
    first = 0
    while first < len(array):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + WORDS_AT_ONCE, side="right")))
        text = np.zeros(int(starts[last] - starts[first]) + WORD, np.uint8)
        if content is not None:
            size = len(text) - WORD
            text[:size] = np.frombuffer(content, np.uint8, size, int(starts[first]))
        found[first:last] = sums_of_words(
            text, starts[first:last] - starts[first], lengths[first:last], words[first:last]
        )
        first = last
    found += lengths.view(np.uint64)
    return mixed(found)


def sums_of_words(
    text: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    words: npt.NDArray[np.int64],
) -> Hashes:
    """Of each text the sum of its words, each mixed with its place in the text."""
    sums = np.zeros(len(starts), np.uint64)
    some = np.flatnonzero(words)
    if not len(some):
        return sums
    firsts = np.cumsum(words[some]) - words[some]
    total = int(firsts[-1] + words[some][-1])
    place = np.arange(total) - np.repeat(firsts, words[some])
    at_every_byte = np.ndarray((len(text) - WORD + 1,), "<u8", text, strides=(1,))
    word = at_every_byte[np.repeat(starts[some], words[some]) + place * WORD].astype(np.uint64)
    unused = (words * WORD - lengths)[some] * 8
    word[firsts + words[some] - 1] &= np.uint64(2**64 - 1) >> unused.astype(np.uint64)
    sums[some] = np.add.reduceat(mixed(word + mixed(place.view(np.uint64))), firsts)
    return sums


def of_hashes(found: Hashes) -> Distinct:
    """How many hashes are different."""
    if not many(found):
        different = np.unique(found)
        if len(different) <= EXACT:
            return Distinct.of(frozenset(different.tolist()))
    rest = found & np.uint64((1 << RANKS) - 1)
    # A float's exponent is the place of the first bit, and numbers of 52 bits are exact floats.
    _, lengths = np.frexp(rest.astype(np.float64))
    ranks = RANKS + 1 - lengths.astype(np.int64)
    met = np.zeros((REGISTERS, RANKS + 2), np.bool_)
    met[(found >> np.uint64(RANKS)).view(np.int64), ranks] = True
    highest = RANKS + 1 - met[:, ::-1].argmax(axis=1)
    highest[~met.any(axis=1)] = 0
    return Distinct(registers=highest.astype(np.uint8).tobytes())
