"""A split as a data frame: pandas and polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dreg.adapters.extras import needed
from dreg.adapters.interop import tables
from dreg.adapters.interop.tables import Split

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


def to_pandas(split: Split) -> pd.DataFrame:
    """A frame in which tensors are numpy arrays of their shape."""
    pandas = needed("pandas", "pandas")
    table = tables.table(split)
    shapes = _shapes(table, split)
    frame: pd.DataFrame = table.drop_columns(list(shapes)).to_pandas()
    for name, shape in shapes.items():
        cells: list[Any] = []
        for chunk in table.column(name).chunks:
            full = iter(tables.tensors(tables.present(chunk), shape))
            cells += [next(full) if valid else None for valid in chunk.is_valid().to_pylist()]
        frame.insert(
            table.schema.get_field_index(name), name, pandas.Series(cells, frame.index, object)
        )
    return frame


def to_polars(split: Split) -> pl.DataFrame:
    """A frame in which tensors are polars' arrays of their shape."""
    polars = needed("polars", "polars")
    table = tables.table(split)
    shapes = _shapes(table, split)
    for name, shape in shapes.items():
        nested = [tables.nested(chunk, shape) for chunk in table.column(name).chunks]
        kind = tables.nested_type(table.schema.field(name).type, shape)
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.chunked_array(nested, kind))
    frame: pl.DataFrame = polars.from_arrow(table)
    return frame


def _shapes(table: pa.Table, split: Split) -> dict[str, tuple[int, ...]]:
    """The columns of tensors, with the shape of their values."""
    shapes = {}
    for field in table.schema:
        column = split.contract.columns.get(field.name)
        shape = tables.shaped(field.type, column.shape if column else ())
        if shape:
            shapes[field.name] = shape
    return shapes
