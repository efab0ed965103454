"""Tables in Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from dreg.adapters.formats import rows
from dreg.adapters.formats.arrow_file import arrow_file
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.promised import cast, shaped
from dreg.adapters.formats.rows import Rows
from dreg.core.contract import Contract
from dreg.errors import Outside

PIECE_BYTES = 128 << 20  # not compressed; large against what it costs to open a file


def cut(path: Path) -> Iterator[Piece]:
    """The table's row groups, as many in a piece as are within PIECE_BYTES; at least one."""
    with path.open("rb") as file:
        yield from cut_file(file, path)


def cut_file(file: BinaryIO, path: Path) -> Iterator[Piece]:
    """As `cut`, of an open file, which need not be on a disk."""
    import pyarrow.parquet as pq

    about = pq.read_metadata(file)
    start = first = row = size = 0
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        if number > start and size + group.total_byte_size > PIECE_BYTES:
            yield Piece(path, range(start, number), first)
            start, first, size = number, row, 0
        size += group.total_byte_size
        row += group.num_rows
    yield Piece(path, range(start, about.num_row_groups), first)


@contextmanager
def read(file: BinaryIO, piece: Piece, contract: Contract) -> Iterator[Rows]:
    import pyarrow.parquet as pq

    # Read ahead, Arrow would hold a whole row group's compressed bytes beside the batch.
    with pq.ParquetFile(
        arrow_file(file), buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True
    ) as parquet:
        about = parquet.metadata
        groups = range(about.num_row_groups) if piece.groups is None else piece.groups
        names = [n for n in piece.columns or () if n in parquet.schema_arrow.names]
        size = sum(_size(about.row_group(i), piece, names) for i in groups)
        count = sum(about.row_group(i).num_rows for i in groups)
        row_bytes = max(1, size // max(1, count))
        number = max(1, min(rows.BATCH_ROWS, rows.BATCH_BYTES // row_bytes))
        batches = parquet.iter_batches(
            batch_size=number,
            row_groups=list(groups),
            columns=None if piece.columns is None else names,
        )
        schema = shaped(parquet.schema_arrow, contract.columns)
        yield Rows(schema, cast(_checked(batches, piece), schema, piece))


def _checked(batches: Iterable[pa.RecordBatch], piece: Piece) -> Iterator[pa.RecordBatch]:
    """The same batches. Raises Outside for a text that is not UTF-8: Parquet doesn't look."""
    row = 0
    for batch in batches:
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if "string" in str(array.type) and not _is_valid(array):
                low, high = 0, len(array)  # the texts before `low` are right, not all before `high`
                while high - low > 1:
                    middle = (low + high) // 2
                    if _is_valid(array.slice(low, middle - low)):
                        low = middle
                    else:
                        high = middle
                raise Outside(
                    f"{piece.place(row + low)}: column `{name}` is not UTF-8",
                    hint="have the pipeline write its texts as UTF-8",
                )
        yield batch
        row += batch.num_rows


def _is_valid(array: pa.Array) -> bool:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _size(group: Any, piece: Piece, names: list[str]) -> int:
    """The bytes of a row group's columns that are wanted."""
    if piece.columns is None:
        return int(group.total_byte_size)
    columns = (group.column(i) for i in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if _top(c.path_in_schema, names))


def _top(path: str, names: list[str]) -> bool:
    """Whether a leaf of the schema is one of these columns, or within one."""
    return any(path == name or path.startswith(f"{name}.") for name in names)
