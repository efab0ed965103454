"""Hashes of many values at once: core.canonical's arithmetic on two lanes of 64-bit words.

numpy lets other threads run meanwhile, so several batches can be hashed side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dreg.core import canonical
from dreg.core.canonical import GOLDEN, MIXERS

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Lanes = tuple[Words, Words]

WORD = np.dtype("<u8")
FILLED = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)  # the lowest bytes
SEEDS = tuple(
    np.array([canonical.seed(lane, kind) for kind in range(canonical.STRUCT + 1)], np.uint64)
    for lane in (0, 1)
)


def mix(lane: int, words: Words) -> None:
    """canonical.mix, in place."""
    first, one, second, other, third = (np.uint64(constant) for constant in MIXERS[lane])
    shifted = np.right_shift(words, first)
    np.bitwise_xor(words, shifted, out=words)
    np.multiply(words, one, out=words)
    np.right_shift(words, second, out=shifted)
    np.bitwise_xor(words, shifted, out=words)
    np.multiply(words, other, out=words)
    np.right_shift(words, third, out=shifted)
    np.bitwise_xor(words, shifted, out=words)


def finish(kind: int, lengths: npt.NDArray[Any] | None, sums: Lanes) -> Lanes:
    """canonical.finish, in place."""
    for lane, words in enumerate(sums):
        np.add(words, np.uint64(canonical.seed(lane, kind)), out=words)
        if lengths is not None:
            np.add(words, lengths.astype(np.uint64) * np.uint64(GOLDEN), out=words)
        mix(lane, words)
    return sums


def atoms(kind: int, words: npt.NDArray[Any]) -> Lanes:
    """Values of one word each."""
    wide = words.astype(np.int64).view(np.uint64) if words.dtype.kind == "i" else words
    return finish(kind, None, (wide.astype(np.uint64), wide.astype(np.uint64)))


def sequences(kind: int, length: int, words: Words) -> Lanes:
    """Rows of equally many words, each of which counts with its place."""
    return equal_items(kind, length, (words.copy(), words.copy()))


def equal_items(kind: int, length: int, items: Lanes) -> Lanes:
    """Rows of equally many items, in two dimensions; `items` is overwritten."""
    rows, count = items[0].shape
    places = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    sums = np.zeros(rows, np.uint64), np.zeros(rows, np.uint64)
    for lane, words in enumerate(items):
        np.add(words, places, out=words)
        mix(lane, words)
        # Few columns are added faster one after the other than along rows.
        if count <= 32:
            for column in words.T:
                np.add(sums[lane], column, out=sums[lane])
        else:
            np.sum(words, axis=1, out=sums[lane])
    return finish(kind, np.full(rows, length), sums)


def ragged_items(
    kind: int, lengths: npt.NDArray[Any], counts: npt.NDArray[Any], items: Lanes
) -> Lanes:
    """Rows of `counts` items each; `items` is overwritten."""
    ends = np.cumsum(counts)
    place = np.arange(1, len(items[0]) + 1, dtype=np.int64)
    place -= np.repeat(ends - counts, counts)
    places = place.view(np.uint64) * np.uint64(GOLDEN)
    sums = []
    for lane, words in enumerate(items):
        np.add(words, places, out=words)
        mix(lane, words)
        sums.append(totals(words, ends - counts, ends))
    return finish(kind, lengths, (sums[0], sums[1]))


def totals(values: npt.NDArray[Any], starts: npt.NDArray[Any], ends: npt.NDArray[Any]) -> Words:
    """The sum, modulo 2**64, of each run of the values."""
    running = np.zeros(len(values) + 1, np.uint64)
    np.cumsum(values, dtype=np.uint64, out=running[1:])
    found: Words = running[ends] - running[starts]
    return found


def octets(kind: int, data: npt.NDArray[np.uint8], starts: Any, lengths: Any) -> Lanes:
    """Runs of bytes; `starts` are places in `data`."""
    if len(lengths) and not (lengths != lengths[0]).any():
        length = int(lengths[0])
        if int(starts[-1]) == int(starts[0]) + length * (len(starts) - 1):
            first = int(starts[0])
            return equal_octets(kind, data[first : first + length * len(starts)], length, starts)
    first = int(starts.min()) if len(starts) else 0
    last = int((starts + lengths).max()) if len(starts) else 0
    padded = np.zeros(last - first + 8, np.uint8)
    padded[: last - first] = data[first:last]
    anywhere: Words = np.ndarray(last - first + 1, WORD, buffer=padded.data, strides=(1,))
    counts = (lengths + 7) >> 3
    ends = np.cumsum(counts)
    within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)
    within <<= 3
    words = anywhere[np.repeat(starts - first, counts) + within].astype(np.uint64)
    words &= FILLED[np.minimum(np.repeat(lengths, counts) - within, 8)]
    return ragged_items(kind, lengths, counts, (words, words.copy()))


def equal_octets(kind: int, data: npt.NDArray[np.uint8], length: int, starts: Any) -> Lanes:
    """Runs of bytes that are equally long, one after the other."""
    count = -(-length // 8)
    if length % 8:
        padded = np.zeros((len(starts), count * 8), np.uint8)
        padded[:, :length] = data.reshape(len(starts), length)
    else:
        padded = np.ascontiguousarray(data).reshape(len(starts), length)
    words = padded.view(WORD) if length else np.empty((len(starts), 0), np.uint64)
    return sequences(kind, length, words)
