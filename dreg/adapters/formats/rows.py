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


def known_lists(columns: Mapping[str, Column]) -> dict[str, pa.DataType]:
    """As `known`, with lists of any length where the contract has a shape."""
    types = known(columns)
    for name in types:
        for _ in columns[name].shape:
            types[name] = pa.list_(types[name])
    return types


def shaped(schema: pa.Schema, columns: Mapping[str, Column]) -> pa.Schema:
    """The schema with lists of the lengths that the contract says."""
    for name, kind in known(columns).items():
        if columns[name].shape and name in schema.names:
            lists = kind
            for length in reversed(columns[name].shape):
                lists = pa.list_(lists, length)
            schema = schema.set(schema.get_field_index(name), pa.field(name, lists))
    return schema


def only(rows: Rows, columns: Iterable[str]) -> Rows:
    """The same rows with just those of the columns that there are."""
    names = [name for name in columns if name in rows.schema.names]
    schema = pa.schema([rows.schema.field(name) for name in names])
    return Rows(schema, (batch.select(names) for batch in rows.batches))
