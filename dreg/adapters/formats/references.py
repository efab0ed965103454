"""Columns of tables that name files: the files' contents in their place."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.formats import rows
from dreg.adapters.formats.file_contents import named
from dreg.adapters.formats.file_types import KINDS, files
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.rows import Rows
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.core.types import spelled
from dreg.errors import Outside


def followed(table: Rows, piece: Piece, contract: Contract) -> Rows:
    """The same rows with files where the contract says that a column has some.

    A path is relative to the table's folder. A column of bytes has the files in it already, one
    of structs of `bytes` and `path` those of which there are bytes.
    """
    kinds = {
        name: KINDS[column.type]()
        for name, column in contract.columns.items()
        if column.type in KINDS and name in table.schema.names
    }
    if not kinds:
        return table
    for name in kinds:
        try:
            _parts(pa.nulls(0, table.schema.field(name).type))
        except NoFiles as error:
            raise Outside(
                f"column `{name}` of `{shown(piece.path)}` has type {error}, and names no files",
                hint="have the pipeline write paths relative to the folder of the table, or bytes",
            ) from error
    schema = table.schema
    for name, kind in kinds.items():
        schema = schema.set(schema.get_field_index(name), pa.field(name, kind))
    return Rows(schema, _batches(table, piece, schema))


def _batches(table: Rows, piece: Piece, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    first = 0
    for batch in table.batches:
        yield from _cut(batch, piece, schema, first)
        first += batch.num_rows


class NoFiles(TypeError):
    """A type that neither holds nor names files."""


def _parts(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """What a column has of its files: bytes and paths, each null where there are none.

    Of a struct they are the fields `bytes` and `path`, as Hugging Face's datasets write images.
    Raises NoFiles.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _parts(array.dictionary_decode())
    inside = paths = pa.nulls(len(array))
    if pa.types.is_struct(kind):
        fields = {field.name: pc.struct_field(array, [i]) for i, field in enumerate(kind)}
        inside, paths = fields.pop("bytes", array), fields.pop("path", paths)
        if fields:
            raise NoFiles(str(kind))
    elif "binary" in str(kind):
        inside = array
    else:
        paths = array
    for part, words in ((inside, ("binary", "large_binary", "binary_view")), (paths, ("string",))):
        if spelled(str(part.type)) not in (*words, "null"):
            raise NoFiles(str(kind))
    return inside.cast(pa.large_binary()), paths.cast(pa.large_string())


def _cut(
    batch: pa.RecordBatch, piece: Piece, schema: pa.Schema, first: int
) -> Iterator[pa.RecordBatch]:
    """A batch of paths as batches of files, each of some megabytes."""
    columns = [i for i, field in enumerate(schema) if field.type != batch.schema.field(i).type]
    parts = {i: _parts(batch.column(i)) for i in columns}
    contents: dict[int, list[bytes | None]] = {i: [] for i in columns}
    start = size = 0
    for row in range(batch.num_rows):
        for i in columns:
            inside, paths = parts[i]
            value, path, field = inside[row].as_py(), paths[row].as_py(), schema.field(i)
            if value is None and path is not None:
                place = functools.partial(piece.place, first + row)
                value = named(piece.path.parent, path, field.type.word, place, field.name)
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
        _, paths = _parts(columns[i])
        columns[i] = files(schema.field(i).type, found, paths)
    return pa.RecordBatch.from_arrays(columns, schema=schema)
