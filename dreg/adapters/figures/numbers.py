"""Figures of numbers, as core.numbers keeps them.

Sums are exact: a number is cut into limbs of few bits, whose products add up without rounding, and
the sums of the limbs are put together as Python's integers. Floats of similar size are cut as floats,
which is fastest; others, and integers of more bits than a float has, as 64-bit integers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dreg.adapters import sketching
from dreg.adapters.figures.arrays import values
from dreg.core.numbers import SCALE, Numbers

LIMB = 22
LIMB_MASK = np.uint64((1 << LIMB) - 1)
MOST_ROWS = 1 << 18  # of which products of two limbs (44 bits) add up in 63 bits
MANTISSA = 53
UNIT = MANTISSA - SCALE
FLOAT_LIMB = 17  # of which MOST_ROWS products of two add up in a mantissa
MOST_FLOAT_LIMBS = 7
USUAL = 350  # exponents of floats whose products are within the range of floats


def numbers(array: pa.Array) -> Numbers:
    """The figures of integers or floats."""
    return of_values(values(array), array.null_count)


def of_values(present: npt.NDArray[Any], nulls: int = 0) -> Numbers:
    """The figures of integers or floats that are not null."""
    found = Numbers(nulls=nulls)
    for piece in np.split(present, range(MOST_ROWS, len(present), MOST_ROWS)):
        found += of_floats(piece) if piece.dtype.kind == "f" else of_integers(piece)
    finite = present[np.isfinite(present)] if present.dtype.kind == "f" else present
    spread, distinct = sketching.of_numbers(finite)
    return replace(found, spread=spread, distinct=distinct)


def of_integers(values: npt.NDArray[np.integer]) -> Numbers:
    """The figures of at most MOST_ROWS integers."""
    if not len(values):
        return Numbers()
    low, high = int(values.min()), int(values.max())
    if max(-low, high) < 1 << MANTISSA:
        found = sums_of_floats(values.astype(np.float64))
        if found is not None:
            return Numbers(len(values), 0, 0, low, high, *found)
    if values.dtype.kind == "u":
        magnitudes, negative = values.astype(np.uint64), None
    else:
        wide = values.astype(np.int64)
        magnitudes, negative = np.abs(wide).view(np.uint64), wide < 0  # right even for -2**63
    [(total, squares)] = sums(magnitudes, negative, np.array([0]))
    return Numbers.of_integers(len(values), low, high, total, squares)


def of_floats(values: npt.NDArray[np.floating]) -> Numbers:
    """The figures of at most MOST_ROWS floats."""
    finite = values[np.isfinite(values)].astype(np.float64)
    found = Numbers(count=len(finite), not_finite=len(values) - len(finite))
    if not len(finite):
        return found
    low, high = float(finite.min()), float(finite.max())
    if (exact := sums_of_floats(finite)) is not None:
        return replace(found, low=low, high=high, total=exact[0], squares=exact[1])
    fractions, exponents = np.frexp(finite)
    order = np.argsort(exponents.astype(np.int16), kind="stable")
    exponents = exponents[order]
    mantissas = np.ldexp(fractions[order], MANTISSA).astype(np.int64)
    starts = np.flatnonzero(np.diff(exponents, prepend=exponents[0] - 1))
    total = squares = 0
    groups = sums(np.abs(mantissas).view(np.uint64), mantissas < 0, starts)
    for start, (group_total, group_squares) in zip(starts, groups, strict=True):
        shift = int(exponents[start]) - UNIT
        total += group_total << shift
        squares += group_squares << 2 * shift
    return replace(found, low=low, high=high, total=total, squares=squares)


def sums_of_floats(values: npt.NDArray[np.float64]) -> tuple[int, int] | None:
    """Exact sum and sum of squares of at most MOST_ROWS floats, in `Numbers`' units.

    Adding a large number and taking it away again rounds all values to a multiple of a unit: that
    is a limb, and what it left is exact. None when the values take more than MOST_FLOAT_LIMBS.
    """
    rest = values.copy()
    exponent = math.frexp(max(float(values.max()), -float(values.min())))[1]
    if abs(exponent) > USUAL:
        return None
    limbs: list[tuple[int, npt.NDArray[np.float64]]] = []
    while rest.any():
        if len(limbs) == MOST_FLOAT_LIMBS:
            return None
        unit = exponent - FLOAT_LIMB * (len(limbs) + 1)
        large = math.ldexp(1.5, unit + MANTISSA - 1)
        limb = rest + large
        limb -= large
        rest -= limb
        limbs.append((unit, limb))
    total = squares = 0
    for i, (unit, limb) in enumerate(limbs):
        total += int(math.ldexp(float(limb.sum()), -unit)) << unit + SCALE
        for j, (other_unit, other) in enumerate(limbs[i:], start=i):
            # Not `np.dot`, whose threads cost more on busy processors than they gain.
            product = int(math.ldexp(float(np.einsum("i,i->", limb, other)), -unit - other_unit))
            squares += product << unit + other_unit + 2 * SCALE + (i != j)
    return total, squares


def sums(
    magnitudes: npt.NDArray[np.uint64],
    negative: npt.NDArray[np.bool_] | None,
    starts: npt.NDArray[np.intp],
) -> list[tuple[int, int]]:
    """Exact sum and sum of squares of each group of numbers; groups begin at `starts`."""
    bits = int(magnitudes.max()).bit_length()
    limbs = [
        ((magnitudes >> np.uint64(shift)) & LIMB_MASK).view(np.int64)
        for shift in range(0, max(bits, 1), LIMB)
    ]
    totals, squares = [0] * len(starts), [0] * len(starts)
    for i, limb in enumerate(limbs):
        signed = limb if negative is None else np.where(negative, -limb, limb)
        for group, part in enumerate(np.add.reduceat(signed, starts).tolist()):
            totals[group] += part << LIMB * i
        for j, other in enumerate(limbs[i:], start=i):
            twice = 0 if i == j else 1  # limb i times limb j, and j times i
            for group, part in enumerate(np.add.reduceat(limb * other, starts).tolist()):
                squares[group] += part << LIMB * (i + j) + twice
    return list(zip(totals, squares, strict=True))
