"""What every reader gives, and how much of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from dreg.core.contract import Column
from dreg.core.types import spelled

BATCH_BYTES = 16 << 20
BATCH_ROWS = 1 << 17


@dataclass(frozen=True)
class Rows:
    """A piece's schema and its rows, in order."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


def known(columns: Mapping[str, Column]) -> dict[str, pa.DataType]:
    """The types that Arrow has by name; others are left to what the values look like."""
    types = {}
    for name, column in columns.items():
        try:
            types[name] = pa.type_for_alias(spelled(column.type))
        except ValueError:
            continue
    return types
