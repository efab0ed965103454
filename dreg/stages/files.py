"""Writing what is published. The same rows give the same bytes, on every machine.

Every setting that reaches the bytes is fixed here: Arrow's own defaults may change with its
version. What a pipeline writes depends on the rows and on pyarrow's pinned version, on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from dreg.adapters.written import written

PARQUET: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": True,
    "write_statistics": True,
    "write_page_index": False,
    "data_page_size": 1 << 20,
    "store_schema": True,  # Arrow's types come back as they were: tensors, for one
}
ROWS_IN_GROUP = 1 << 17


def write_parquet(
    rows: pa.Table | Iterable[pa.RecordBatch],
    path: Path,
    *,
    schema: pa.Schema | None = None,
    rows_in_group: int = ROWS_IN_GROUP,
    **settings: Any,
) -> None:
    """Write a table, or batches of `schema` (one row group each), to `path`.

    `settings` override the fixed ones, as keywords of pyarrow.parquet.ParquetWriter.
    """
    import pyarrow.parquet as pq

    table = rows if isinstance(rows, pa.Table) else None
    batches = [table] if table is not None else rows
    with (
        written(path) as file,
        pq.ParquetWriter(
            file, table.schema if table is not None else schema, **{**PARQUET, **settings}
        ) as writer,
    ):
        for batch in batches:
            writer.write(batch, row_group_size=rows_in_group)


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table to `path`: a header, commas, texts in quotes, nothing for null."""
    from pyarrow import csv

    options = csv.WriteOptions(include_header=True, delimiter=",", quoting_style="needed")
    with written(path) as file:
        csv.write_csv(table, file, options)
