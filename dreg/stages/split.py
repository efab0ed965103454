"""Splitting rows by what they say: equal rows always land in the same split.

A row's split depends on nothing but the row. So a row that is in both halves by accident - a
duplicate of a training row in the validation split - cannot happen, and rows added later leave the
others where they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa

from dreg.errors import BadRequest


def by_hash(table: pa.Table, share: float) -> tuple[pa.Table, pa.Table]:
    """The rows of `table` in two: about `1 - share` of them, and about `share`; order is kept.

    A row is in the second when the SHA-256 of its values, as a number from 0 to 1, is below
    `share`. Raises BadRequest for a share that leaves one of them without rows.
    """
    return by_place(table, [place(row) for row in canonical(table)], share)


def by_place(table: pa.Table, places: Sequence[float], share: float) -> tuple[pa.Table, pa.Table]:
    """The rows of `table` whose places are at least `share`, and the others; order is kept."""
    if not 0 < share < 1:
        raise BadRequest(
            f"a share of {share} leaves a split without rows", hint="choose it between 0 and 1"
        )
    first = pa.array([at >= share for at in places], pa.bool_())
    second = pa.array([at < share for at in places], pa.bool_())
    return table.filter(first), table.filter(second)


def canonical(table: pa.Table) -> list[bytes]:
    """Each row as JSON text: equal values give equal text, whatever file they came from."""
    columns = [[_canonical(value) for value in column.to_pylist()] for column in table.columns]
    return [
        json.dumps(row, ensure_ascii=False, default=str).encode()
        for row in zip(*columns, strict=True)
    ]


def _canonical(value: object) -> object:
    return value + 0.0 if isinstance(value, float) else value  # 0.0 and -0.0 are equal


def place(row: bytes) -> float:
    """A number from 0 to 1 (exclusive) that the row alone decides."""
    return int.from_bytes(hashlib.sha256(row).digest()[:6]) / 2**48
