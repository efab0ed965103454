"""Hashes of Arrow's numbers, and the words that stand for them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dreg.adapters.hashing.lanes import SEEDS, Integers, Lanes, Words, atoms, mix, sequences
from dreg.core import canonical

Mask = npt.NDArray[np.bool_]


def memory(array: pa.Array, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """The values of a fixed width as they lie in memory, also what lies under nulls."""
    buffer, dtype = array.buffers()[1], np.dtype(kind)
    if buffer is None or not len(array):
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype, count=len(array), offset=array.offset * dtype.itemsize)


def wholes(array: pa.Array) -> tuple[Words, Words | None, Mask | None]:
    """Numbers, but decimals: words; kinds where not all are WHOLE; where they are whole, if not all."""
    kind = array.type
    if pa.types.is_integer(kind):
        values = memory(array, str(kind))
        if kind == pa.uint64() and len(values) and values.max() >= 1 << 63:
            large = values >= np.uint64(1 << 63)
            return values, np.where(large, canonical.LARGE, canonical.WHOLE), None
        if kind == pa.uint64() or values.dtype.kind == "u":
            return values.astype(np.uint64), None, None
        return values.astype(np.int64).view(np.uint64), None, None
    name = {"halffloat": "float16", "float": "float32", "double": "float64"}[str(kind)]
    floats = memory(array, name).astype(np.float64)
    inside = (floats >= -(2.0**63)) & (floats < 2.0**63)
    near = (floats if inside.all() else np.where(inside, floats, 0.0)).astype(np.int64)
    whole = inside & (near == floats)
    words = np.where(whole, near.view(np.uint64), floats.view(np.uint64))
    words[np.isnan(floats)] = canonical.NAN
    kinds = np.where(whole, canonical.WHOLE, canonical.FLOAT)
    large = (floats >= 2.0**63) & (floats < 2.0**64)
    if large.any():
        words[large] = floats[large].astype(np.uint64)
        kinds[large] = canonical.LARGE
    return words, kinds, whole | large


def number_hashes(array: pa.Array) -> Lanes:
    words, kinds, _ = wholes(array)
    if kinds is None:
        return atoms(canonical.WHOLE, words)
    lanes = words + SEEDS[0][kinds], words + SEEDS[1][kinds]
    for lane in (0, 1):
        mix(lane, lanes[lane])
    return lanes


def decimal_hashes(array: pa.Array) -> Lanes:
    unscaled, scales, whole, beyond = reduced(array)
    words = np.zeros((len(array), 5), np.uint64)
    words[:, 0] = unscaled.view(np.uint64)
    words[:, 1:4] = (unscaled >> np.int64(63)).view(np.uint64)[:, None]
    words[:, 4] = scales.view(np.uint64)
    wholes, parts = atoms(canonical.WHOLE, unscaled), sequences(canonical.DECIMAL, 5, words)
    first, second = (np.where(whole, wholes[lane], parts[lane]) for lane in (0, 1))
    for row in np.flatnonzero(beyond):  # rare, and numpy has no integers of that width
        value = array[int(row)].as_py()
        if value is not None:
            first[row], second[row] = canonical.decimal(value)
    return first, second


def reduced(array: pa.Array) -> tuple[Integers, Integers, Mask, Mask]:
    """Decimals without zeros at their end: unscaled, scale, which are whole, which don't fit."""
    scale = array.type.scale
    if scale < 0:
        array, scale = array.cast(pa.decimal256(76, 0)), 0
    elif array.type.bit_width < 64:
        array = array.cast(pa.decimal128(array.type.precision, scale))
    width = array.type.bit_width // 8
    limbs = memory(array, f"V{width}").view(np.int64).reshape(len(array), width // 8)
    if sys.byteorder == "big":
        limbs = limbs[:, ::-1]
    unscaled = limbs[:, 0].copy()
    beyond = (limbs[:, 1:] != (unscaled >> np.int64(63))[:, None]).any(axis=1)
    scales = np.full(len(array), scale, np.int64)
    for _ in range(scale):
        shorter = (scales > 0) & (unscaled % 10 == 0)
        if not shorter.any():
            break
        unscaled[shorter] //= 10
        scales[shorter] -= 1
    return unscaled, scales, scales == 0, beyond
