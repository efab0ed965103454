"""What every reader gives, and how much of it at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

BATCH_BYTES = 16 << 20
BATCH_ROWS = 1 << 17


@dataclass(frozen=True)
class Rows:
    """A piece's schema and its rows, in order."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


def only(rows: Rows, columns: Iterable[str]) -> Rows:
    """The same rows with just those of the columns that there are."""
    names = [name for name in columns if name in rows.schema.names]
    schema = pa.schema([rows.schema.field(name) for name in names])
    return Rows(schema, (batch.select(names) for batch in rows.batches))
