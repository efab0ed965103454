"""Splitting rows by what they say: equal rows always land in the same split.

A row's split depends on nothing but the row, or its key where it has one. So a row that is in both halves by accident - a
duplicate of a training row in the validation split - cannot happen, and rows added later leave the
others where they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import pyarrow as pa

from dreg.errors import BadRequest

Item = TypeVar("Item")


def by_hash(table: pa.Table, share: float, of: Sequence[str] = ()) -> tuple[pa.Table, pa.Table]:
    """The rows of `table` in two: about `1 - share` of them, and about `share`; order is kept.

    A row is in the second when the SHA-256 of its values, as a number from 0 to 1, is below
    `share`; of those in the columns `of`, if they are given: then a row whose other values are
    corrected stays in its split. Raises BadRequest for a share that leaves one of them without rows.
    """
    deciding = table.select(list(of)) if of else table
    return by_place(table, [place(row) for row in canonical(deciding)], share)


def by_place(table: pa.Table, places: Sequence[float], share: float) -> tuple[pa.Table, pa.Table]:
    """The rows of `table` whose places are at least `share`, and the others; order is kept."""
    refuse_whole(share)
    first = pa.array([at >= share for at in places], pa.bool_())
    second = pa.array([at < share for at in places], pa.bool_())
    return table.filter(first), table.filter(second)


def by_key(
    items: Iterable[Item], key: Callable[[Item], str], share: float
) -> tuple[list[Item], list[Item]]:
    """`items` in two: about `1 - share` of their keys, and about `share`; order is kept.

    The key alone decides, so items of one key - the images of one person - are in one split, and
    those that come later move no other. Raises BadRequest for a share that leaves one empty.
    """
    refuse_whole(share)
    listed = [(place(key(item).encode()), item) for item in items]
    return [item for at, item in listed if at >= share], [item for at, item in listed if at < share]


def refuse_whole(share: float) -> None:
    """Raises BadRequest for a share that is nothing or all."""
    if not 0 < share < 1:
        raise BadRequest(
            f"a share of {share} leaves a split without rows", hint="choose it between 0 and 1"
        )


def canonical(table: pa.Table) -> list[bytes]:
    """Each row as JSON text: equal values give equal text, whatever file they came from."""
    columns = [[_canonical(value) for value in _values(column)] for column in table.columns]
    return [
        json.dumps(row, ensure_ascii=False, default=str).encode()
        for row in zip(*columns, strict=True)
    ]


def _values(column: pa.ChunkedArray) -> list[object]:
    """As Python has them; instants of single nanoseconds, for which it has no type, as integers."""
    if getattr(column.type, "unit", "") == "ns":
        counts = column.cast(pa.int64())
        if any(count % 1000 for count in counts.to_pylist() if count is not None):
            return list(counts.to_pylist())
    return list(column.to_pylist())


def _canonical(value: object) -> object:
    return value + 0.0 if isinstance(value, float) else value  # 0.0 and -0.0 are equal


def place(row: bytes) -> float:
    """A number from 0 to 1 (exclusive) that the row alone decides."""
    return int.from_bytes(hashlib.sha256(row).digest()[:6]) / 2**48
