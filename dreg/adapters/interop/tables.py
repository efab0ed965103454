"""A split as Arrow: whatever format its files are in, the types are those of the profile.

Images are structs of `bytes` and `path`, as Hugging Face and polars users know them; documents are
their texts; tensors keep their shape.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from dreg.adapters.formats import opened, pieces
from dreg.adapters.formats.file_types import FileType, ImageType, PathType
from dreg.adapters.formats.opening import READERS
from dreg.adapters.formats.piece import kind_of
from dreg.core.contract import Contract
from dreg.core.types import spelled
from dreg.errors import BadRequest

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True)
class Split:
    """The files of a split, all here, and what is known of their columns.

    `columns` are those that are wanted, None for all; `called` is how errors name the split.
    """

    files: tuple[Path, ...]
    contract: Contract
    columns: tuple[str, ...] | None = None
    called: str = ""

    @property
    def images(self) -> tuple[str, ...]:
        """Columns whose values are image files."""
        names = [n for n, column in self.contract.columns.items() if column.type == "image"]
        return tuple(n for n in names if self.columns is None or n in self.columns)

    def refuse_other_files(self) -> None:
        """Raises BadRequest unless all files are in formats that have samples."""
        other = [f for f in self.files if f.suffix not in READERS and kind_of(f) is None]
        if other:
            raise BadRequest(
                f"`{other[0].name}` of {self.called} is in no format that dreg reads as a table",
                hint=f"read it yourself: ds.path(...); formats: {', '.join(READERS)}, images, documents",
            )


def table(split: Split) -> pa.Table:
    """The whole split in memory, columns in the files' order. Raises BadRequest for columns that
    there are not."""
    split.refuse_other_files()
    if _plain_parquet(split):
        return _parquet(split)
    tables = [pa.Table.from_batches([batch]) for batch in batches(split)]
    found = pa.concat_tables(tables, promote_options="permissive")
    refuse_unknown(split, found.schema)
    return found


def batches(split: Split) -> Iterator[pa.RecordBatch]:
    """The split in parts of some megabytes, with at least one, in order."""
    split.refuse_other_files()
    schema = None
    for piece in pieces(split.files, split.contract):
        with opened(replace(piece, columns=split.columns), split.contract) as rows:
            schema = plain_schema(rows.schema)
            refuse_unknown(split, schema)
            empty = True
            for batch in rows.batches:
                empty = False
                yield plain(batch)
            if empty:
                yield pa.RecordBatch.from_pylist([], schema=schema)


def refuse_unknown(split: Split, schema: pa.Schema) -> None:
    """Raises BadRequest for a wanted column that is none."""
    for name in split.columns or ():
        if name not in schema.names:
            known = tuple(split.contract.columns) or tuple(schema.names)
            close = difflib.get_close_matches(name, known, n=1)
            there = f"columns: {', '.join(known) or 'none of these'}"
            raise BadRequest(
                f"{split.called} has no column `{name}`",
                hint=f"did you mean `{close[0]}`?" if close else there,
            )


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in types that every library reads."""
    columns = [_plain(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=plain_schema(batch.schema))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    fields = [pa.field(f.name, _plain_type(f.type), f.nullable) for f in schema]
    return pa.schema(fields)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, ImageType):
        return IMAGE
    if isinstance(kind, FileType | PathType):
        return pa.string()
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if _is_permuted(kind):
        return pa.fixed_shape_tensor(kind.value_type, [kind.shape[i] for i in kind.permutation])
    return pa.string() if spelled(str(kind)) == "string" else kind


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if isinstance(kind, ImageType):
        content, path = column.storage.flatten()
        parts = [content.cast(pa.binary()), path.cast(pa.string())]
        return pa.StructArray.from_arrays(parts, fields=list(IMAGE), mask=column.is_null())
    if isinstance(kind, FileType):
        return column.storage.flatten()[0].cast(pa.string())
    if isinstance(kind, PathType):
        return column.storage.cast(pa.string())
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if _is_permuted(kind):
        return _in_order(column)
    return column.cast(pa.string()) if spelled(str(kind)) == "string" else column


def _is_permuted(kind: pa.DataType) -> bool:
    """Whether tensors lie in memory in another order of axes than the one they are meant in."""
    order = kind.permutation if isinstance(kind, pa.FixedShapeTensorType) else None
    return order is not None and list(order) != sorted(order)


def _in_order(column: pa.Array) -> pa.Array:
    """Tensors that lie in memory as they are meant; readers forget the permutation."""
    kind = _plain_type(column.type)
    there = tensors(present(column), column.type.shape)
    turned = there.transpose(0, *(axis + 1 for axis in column.type.permutation))
    full = pa.FixedShapeTensorArray.from_numpy_ndarray(turned.copy()).storage
    if column.null_count:
        numbers = iter(range(len(full)))
        places = [next(numbers) if valid else None for valid in column.is_valid().to_pylist()]
        full = full.take(pa.array(places, pa.int64()))
    return pa.ExtensionArray.from_storage(kind, full.cast(kind.storage_type))


def _plain_parquet(split: Split) -> bool:
    """Whether Arrow reads the files by itself: many row groups at once, only the columns wanted."""
    follows = any(c.type in ("image", "document") for c in split.contract.columns.values())
    return not follows and all(file.suffix == ".parquet" for file in split.files)


def _parquet(split: Split) -> pa.Table:
    import pyarrow.parquet as pq

    found = []
    for file in split.files:
        with pq.ParquetFile(file, memory_map=True) as parquet:
            refuse_unknown(split, parquet.schema_arrow)
            names = None if split.columns is None else list(split.columns)
            found.append(parquet.read(columns=names))
    whole = pa.concat_tables(found, promote_options="permissive")
    columns = [_plain_chunks(column) for column in whole.columns]
    return pa.table(columns, schema=plain_schema(whole.schema))


def _plain_chunks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = _plain_type(column.type)
    if kind == column.type:
        return column
    return pa.chunked_array([_plain(chunk) for chunk in column.chunks], kind)


def shape_of(kind: pa.DataType) -> tuple[int, ...]:
    """The shape of a tensor's values, as the type or nested lists of fixed lengths have it."""
    if isinstance(kind, pa.FixedShapeTensorType):
        return tuple(kind.shape)
    if pa.types.is_fixed_size_list(kind):
        return (kind.list_size, *shape_of(kind.value_type))
    return ()


def shaped(kind: pa.DataType, described: Sequence[int]) -> tuple[int, ...]:
    """The shape of a column's values: the type's, or for lists of the right length the profile's."""
    own, size = shape_of(kind), 1
    for length in described:
        size *= length
    flat = 1
    for length in own:
        flat *= length
    return tuple(described) if described and flat == size else own


def present(column: pa.Array) -> pa.Array:
    """The values of a column of tensors, as lists, without the nulls."""
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    return storage.drop_null() if storage.null_count else storage


def tensors(column: pa.Array, shape: Sequence[int]) -> Any:
    """A column of tensors without nulls as one numpy array."""
    return _flat(column).to_numpy(zero_copy_only=False).reshape(len(column), *shape)


def nested(column: pa.Array, shape: Sequence[int]) -> pa.Array:
    """A column of tensors as lists of fixed lengths, one in another."""
    full = present(column)
    values = _flat(full)
    for length in reversed(shape):
        values = pa.FixedSizeListArray.from_arrays(values, length)
    if not column.null_count:
        return values
    numbers = iter(range(len(full)))
    places = [next(numbers) if valid else None for valid in column.is_valid().to_pylist()]
    return values.take(pa.array(places, pa.int64()))


def nested_type(kind: pa.DataType, shape: Sequence[int]) -> pa.DataType:
    """The type of what `nested` gives."""
    inner = kind.storage_type if isinstance(kind, pa.ExtensionType | pa.BaseExtensionType) else kind
    while pa.types.is_fixed_size_list(inner):
        inner = inner.value_type
    for length in reversed(shape):
        inner = pa.list_(inner, length)
    return inner


def _flat(column: pa.Array) -> pa.Array:
    values = column.storage if isinstance(column, pa.ExtensionArray) else column
    while pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    return values
