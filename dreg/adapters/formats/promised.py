"""Columns as the types that the contract promises, where a file has none of its own, or no lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.type_names import arrow_type
from dreg.core.contract import Column
from dreg.core.types import spelled
from dreg.errors import Outside

Columns = Mapping[str, Column]
Types = dict[str, pa.DataType]
Reader = Callable[[pa.DataType], pa.DataType | None]  # `type_names.from_csv` or `from_json`


def promised(columns: Columns) -> Types:
    """The types that Arrow has by name, lists of the lengths that the contract says."""
    types = {}
    for name, column in columns.items():
        kind = arrow_type(spelled(column.type))
        if kind is not None:
            for length in reversed(column.shape):
                kind = pa.list_(kind, length)
            types[name] = kind
    return types


def read_as(columns: Columns, reader: Reader) -> Types:
    """What the reader is to make of the columns; others are left to what the values look like."""
    found = {name: reader(kind) for name, kind in promised(columns).items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def typed(schema: pa.Schema, columns: Columns, reader: Reader) -> pa.Schema:
    """The schema of what was read with the promised types, but where values have more to them."""
    types = promised(columns)
    fields = []
    for field in schema:
        kind = types.get(field.name)
        fits = kind is not None and field.type == reader(kind)
        fields.append(pa.field(field.name, kind) if fits else field)
    return pa.schema(fields)


def shaped(schema: pa.Schema, columns: Columns) -> pa.Schema:
    """The schema with lists of the lengths that the contract says; of their elements nothing is said."""
    for name, column in columns.items():
        if column.shape and name in schema.names:
            lists = _lists(schema.field(name).type, column.shape)
            if lists is not None:
                schema = schema.set(schema.get_field_index(name), pa.field(name, lists))
    return schema


def _lists(kind: pa.DataType, shape: tuple[int, ...]) -> pa.DataType | None:
    if not shape:
        return kind
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return None
    values = _lists(kind.value_type, shape[1:])
    return None if values is None else pa.list_(values, shape[0])


def cast(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, piece: Piece
) -> Iterator[pa.RecordBatch]:
    """The rows, of which not all columns have to be there, as the types of `schema`.

    Raises Outside naming the first row that has a value of no such type.
    """
    row = 0
    for batch in batches:
        columns = []
        some = pa.schema([field for field in schema if field.name in batch.schema.names])
        for field in some:
            array = batch.column(field.name)
            try:
                columns.append(_cast(array, field.type))
            except pa.ArrowInvalid as error:
                raise _wrong(array, field, piece, row) from error
        yield pa.RecordBatch.from_arrays(columns, schema=some)
        row += batch.num_rows


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if pa.types.is_time(kind) and pa.types.is_string(array.type):
        moments = pc.binary_join_element_wise("1970-01-01T", array, "")
        return moments.cast(pa.timestamp(kind.unit)).cast(kind)
    return array.cast(kind)


def _wrong(array: pa.Array, field: pa.Field, piece: Piece, row: int) -> Outside:
    for number in range(len(array)):
        try:  # taken, not a slice: of a slice, Arrow casts the lists before it too
            _cast(array.take(pa.array([number], pa.int64())), field.type)
        except pa.ArrowInvalid:
            break
    return Outside(
        f"{piece.place(row + number)}: column `{field.name}` is no {spelled(str(field.type))}",
        hint="have the pipeline write the type and shape that dataset.yaml names",
    )
