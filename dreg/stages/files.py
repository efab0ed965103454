"""Writing what is published. The same rows give the same bytes, on every machine."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from dreg.adapters.figures import has_pixels, storage
from dreg.adapters.parquet import PARQUET, ROWS_IN_GROUP
from dreg.adapters.written import written


def write_parquet(
    rows: pa.Table | Iterable[pa.RecordBatch], path: Path, schema: pa.Schema | None = None
) -> None:
    """Write a table, or batches of the given `schema` (one row group each), to `path`."""
    import pyarrow.parquet as pq

    if isinstance(rows, pa.Table):
        # How a table is cut into chunks is an accident of how it was made.
        schema, groups = rows.schema, iter([rows.combine_chunks()])
    elif schema is not None:
        groups = iter(rows)
    else:
        raise TypeError("batches need a schema: there may be none of them")
    schema = without_pandas(schema)
    with (
        written(path) as file,
        # Who reads some columns from afar has nothing else to tell damaged ones by.
        pq.ParquetWriter(
            file, schema, write_page_checksum=True, **PARQUET, **encodings(schema)
        ) as writer,
    ):
        for group in groups:
            writer.write(group.replace_schema_metadata(schema.metadata), ROWS_IN_GROUP)


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table to `path`: a header, commas, texts in quotes, nothing for null; bytes that are no text
    as Base64."""
    from pyarrow import csv

    for at, column in enumerate(table.columns):
        if has_bytes(column.type) and not is_text(column):
            table = table.set_column(at, table.column_names[at], as_base64(column))

    options = csv.WriteOptions(include_header=True, delimiter=",", quoting_style="needed")
    with written(path) as file:
        csv.write_csv(table, file, options)


def has_bytes(kind: pa.DataType) -> bool:
    """Whether a column's values are bytes of any kind."""
    variable = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return bool(variable or pa.types.is_fixed_size_binary(kind))


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether all of a column's bytes are UTF-8."""
    try:
        column.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def as_base64(column: pa.ChunkedArray) -> pa.Array:
    """A column of bytes as texts."""
    return pa.array(
        [
            None if value is None else base64.b64encode(value).decode()
            for value in column.to_pylist()
        ],
        pa.string(),
    )


def encodings(schema: pa.Schema) -> dict[str, Any]:
    """A dictionary where values repeat; for pixels, which don't, the streams of their bytes.

    A pixel is stored in four bytes of which three are zero: apart, these take no space and no time.
    """
    images = [field.name for field in schema if has_pixels(field.type)]
    if not images:
        return {"use_dictionary": True}
    return {
        "use_dictionary": [field.name for field in schema if field.name not in images],
        "column_encoding": {leaf(schema.field(name)): "BYTE_STREAM_SPLIT" for name in images},
    }


def leaf(field: pa.Field) -> str:
    """Where Parquet keeps the values of a column of lists, or of lists of lists."""
    path, kind = field.name, storage(field.type)
    while pa.types.is_fixed_size_list(kind):
        path, kind = f"{path}.list.element", kind.value_type
    return str(path)


def without_pandas(schema: pa.Schema) -> pa.Schema:
    """The schema without the note that pandas leaves in it, which names pandas' version."""
    kept = {key: value for key, value in (schema.metadata or {}).items() if key != b"pandas"}
    return schema.with_metadata(kept or None)
