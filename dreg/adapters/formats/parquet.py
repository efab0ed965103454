"""Tables in Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from dreg.adapters.formats import rows
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.rows import Rows
from dreg.core.contract import Contract


@contextmanager
def read(file: BinaryIO, piece: Piece, contract: Contract) -> Iterator[Rows]:
    import pyarrow.parquet as pq

    # Read ahead, Arrow would hold a whole row group's compressed bytes beside the batch.
    with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as parquet:
        about = parquet.metadata
        size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        row_bytes = max(1, size // max(1, about.num_rows))
        number = max(1, min(rows.BATCH_ROWS, rows.BATCH_BYTES // row_bytes))
        yield Rows(parquet.schema_arrow, parquet.iter_batches(batch_size=number))
