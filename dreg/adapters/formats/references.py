"""Columns of tables that name files: the files' contents in their place."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from dreg.adapters.formats import rows
from dreg.adapters.formats.file_contents import named
from dreg.adapters.formats.file_types import KINDS, files
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.rows import Rows
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import Outside


def followed(table: Rows, piece: Piece, contract: Contract) -> Rows:
    """The same rows with files where the contract says that a column has some.

    A path is relative to the table's folder. A column of bytes has the files in it already.
    """
    kinds = {
        name: KINDS[column.type]()
        for name, column in contract.columns.items()
        if column.type in KINDS and name in table.schema.names
    }
    if not kinds:
        return table
    for name in kinds:
        kind = table.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not any(word in str(kind) for word in ("string", "binary", "null")):
            raise Outside(
                f"column `{name}` of `{shown(piece.path)}` has type {kind}, and names no files",
                hint="have the pipeline write paths relative to the folder of the table",
            )
    schema = table.schema
    for name, kind in kinds.items():
        schema = schema.set(schema.get_field_index(name), pa.field(name, kind))
    return Rows(schema, _batches(table, piece, schema))


def _batches(table: Rows, piece: Piece, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    first = 0
    for batch in table.batches:
        yield from _cut(batch, piece, schema, first)
        first += batch.num_rows


def _cut(
    batch: pa.RecordBatch, piece: Piece, schema: pa.Schema, first: int
) -> Iterator[pa.RecordBatch]:
    """A batch of paths as batches of files, each of some megabytes."""
    columns = [i for i, field in enumerate(schema) if field.type != batch.schema.field(i).type]
    inside = {i: "binary" in str(batch.column(i).type) for i in columns}
    values = {
        i: batch.column(i).cast(pa.large_binary() if inside[i] else pa.large_string())
        for i in columns
    }
    contents: dict[int, list[bytes | None]] = {i: [] for i in columns}
    start = size = 0
    for row in range(batch.num_rows):
        for i in columns:
            value, field = values[i][row].as_py(), schema.field(i)
            if value is not None and not inside[i]:
                place = piece.place(first + row)
                value = named(piece.path.parent, value, field.type.word, place, field.name)
            contents[i].append(value)
            size += len(value or b"")
        if size >= rows.BATCH_BYTES:
            yield _with_files(batch.slice(start, row + 1 - start), schema, contents)
            contents, start, size = {i: [] for i in columns}, row + 1, 0
    if start < batch.num_rows:
        yield _with_files(batch.slice(start), schema, contents)


def _with_files(
    batch: pa.RecordBatch, schema: pa.Schema, contents: dict[int, list[bytes | None]]
) -> pa.RecordBatch:
    columns = list(batch.columns)
    for i, found in contents.items():
        is_path = "binary" not in str(columns[i].type)
        no_path = pa.nulls(len(found), pa.large_string())
        paths = columns[i].cast(pa.large_string()) if is_path else no_path
        columns[i] = files(schema.field(i).type, found, paths)
    return pa.RecordBatch.from_arrays(columns, schema=schema)
