"""Hashes of Arrow's dates, times, timestamps and durations, whatever their unit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dreg.adapters.hashing.lanes import Lanes, atoms, sequences
from dreg.adapters.hashing.number_hashes import memory
from dreg.core import canonical
from dreg.core.canonical import NANO

EVERY = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": NANO}
DAY_MS = 86_400_000


def dates(array: pa.Array) -> Lanes:
    if pa.types.is_date32(array.type):
        return atoms(canonical.DATE, memory(array, np.int32))
    return atoms(canonical.DATE, memory(array, np.int64) // DAY_MS)


def times(array: pa.Array) -> Lanes:
    values = memory(array, f"i{array.type.bit_width // 8}").astype(np.int64)
    return atoms(canonical.TIME, values * (NANO // EVERY[array.type.unit]))


def _moments(kind: int, array: pa.Array) -> Lanes:
    every, values = EVERY[array.type.unit], memory(array, np.int64)
    seconds, rest = np.divmod(values, every)
    words = np.stack([seconds, rest * (NANO // every)], axis=1).view(np.uint64)
    return sequences(kind, 2, words)


def timestamps(array: pa.Array) -> Lanes:
    return _moments(canonical.LOCAL if array.type.tz is None else canonical.INSTANT, array)


def durations(array: pa.Array) -> Lanes:
    return _moments(canonical.SPAN, array)
