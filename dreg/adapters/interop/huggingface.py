"""A split as a dataset of Hugging Face's, with its features, mapped from a file in dreg's cache."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.interop import tables
from dreg.adapters.interop.kept import kept
from dreg.adapters.interop.tables import IMAGE, Split
from dreg.core.contract import Column
from dreg.errors import Outside

Converter = Callable[[pa.Array], pa.Array]
ARRAYS = {2: "Array2D", 3: "Array3D", 4: "Array4D", 5: "Array5D"}


def to_hf(split: Split) -> datasets.Dataset:
    """The split with the features `Image`, `ClassLabel`, `Value`, arrays and lists.

    Where the dataset is one of images, tensors of pixels become images (PNG, nothing is lost).
    Raises Outside for a class that the profile does not name.
    """
    parts = tables.batches(split)
    first = next(parts)
    readers = {field.name: _reader(field, split) for field in first.schema}
    features = datasets.Features({name: feature for name, (feature, _) in readers.items()})
    schema = features.arrow_schema

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in chain([first], parts):
            columns = [
                readers[field.name][1](batch.column(field.name)).cast(field.type)
                if not isinstance(field.type, pa.ExtensionType)
                else pa.ExtensionArray.from_storage(
                    field.type,
                    readers[field.name][1](batch.column(field.name)).cast(field.type.storage_type),
                )
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    form = f"hugging face {datasets.__version__}, {split.contract.kind}"
    file = kept(split, form, schema, batches())
    return datasets.Dataset.from_file(str(file), info=datasets.DatasetInfo(features=features))


def _reader(field: pa.Field, split: Split) -> tuple[Any, Converter]:
    """A column's feature, and what makes the values that it stores."""
    column = split.contract.columns.get(field.name)
    shape = tables.shaped(field.type, column.shape if column else ())
    if field.type == IMAGE:
        return datasets.Image(), _as_it_is
    if shape:
        return _of_tensors(field, shape, split)
    if column and column.classes:
        return _of_classes(field, column, split)
    return datasets.Features.from_arrow_schema(pa.schema([field]))[field.name], _as_it_is


def _as_it_is(values: pa.Array) -> pa.Array:
    return values


def _of_classes(field: pa.Field, column: Column, split: Split) -> tuple[Any, Converter]:
    feature = datasets.ClassLabel(names=list(column.classes))
    if pa.types.is_integer(field.type):
        return feature, _as_it_is
    names = pa.array(column.classes, pa.string())

    def indexes(values: pa.Array) -> pa.Array:
        found = pc.index_in(values.cast(pa.string()), value_set=names)
        if found.null_count > values.null_count:
            unknown = values.filter(pc.and_(found.is_null(), values.is_valid()))[0]
            raise Outside(
                f"{split.called} has the class `{unknown}`, which its metadata does not name",
                hint="tell the registry's owner; the data can be had by ds.to_arrow(...)",
            )
        return found

    return feature, indexes


def _of_tensors(field: pa.Field, shape: tuple[int, ...], split: Split) -> tuple[Any, Converter]:
    inner = tables.nested_type(field.type, ())
    is_pixels = pa.types.is_uint8(inner) and (
        len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    )
    if split.contract.kind == "image" and is_pixels:
        return datasets.Image(), lambda values: _drawn(values, shape)
    name = str(datasets.Features.from_arrow_schema(pa.schema([("x", inner)]))["x"].dtype)
    if len(shape) in ARRAYS:
        feature = getattr(datasets, ARRAYS[len(shape)])(shape=shape, dtype=name)
    else:
        feature = datasets.Value(name)
        for length in reversed(shape):
            feature = datasets.List(feature, length=length)
    return feature, lambda values: tables.nested(values, shape)


def _drawn(values: pa.Array, shape: tuple[int, ...]) -> pa.Array:
    """Tensors of pixels as PNG files."""
    from PIL import Image

    shape = shape[:2] if shape[2:] == (1,) else shape
    pictures = iter(tables.tensors(tables.present(values), shape))
    rows: list[dict[str, Any] | None] = []
    for valid in values.is_valid().to_pylist():
        if not valid:
            rows.append(None)
            continue
        file = io.BytesIO()
        Image.fromarray(next(pictures)).save(file, "PNG", compress_level=1)
        rows.append({"bytes": file.getvalue(), "path": None})
    return pa.array(rows, IMAGE)
