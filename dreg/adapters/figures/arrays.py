"""Arrow's arrays as what they hold, however they are encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.formats.file_types import FileType, content
from dreg.core.profile import Feature
from dreg.core.types import spelled


def feature(kind: pa.DataType) -> Feature:
    """The type's name and, of a tensor, its shape. Encodings of the same values have one name."""
    if isinstance(kind, pa.FixedShapeTensorType):
        order = kind.permutation or range(len(kind.shape))
        return Feature(feature(kind.value_type).type, shape=tuple(kind.shape[i] for i in order))
    if isinstance(kind, FileType):
        return Feature(type=kind.word)
    if isinstance(kind, pa.BaseExtensionType):
        return feature(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return feature(kind.value_type)
    if pa.types.is_fixed_size_list(kind):
        inner = feature(kind.value_type)
        return Feature(type=inner.type, shape=(kind.list_size, *inner.shape))
    return Feature(type=spelled(str(kind)))


def storage(kind: pa.DataType) -> pa.DataType:
    """The type that `plain` gives."""
    if isinstance(kind, FileType):
        return kind.holds
    if isinstance(kind, pa.BaseExtensionType):
        return storage(kind.storage_type)
    return storage(kind.value_type) if pa.types.is_dictionary(kind) else kind


def plain(array: pa.Array) -> pa.Array:
    """The array's values, without extension types, dictionaries and views."""
    if isinstance(array.type, FileType):
        return content(array)
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage)
    if pa.types.is_dictionary(array.type):
        return plain(array.dictionary_decode())
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())  # few functions take views
    return array


def values(array: pa.Array) -> npt.NDArray[Any]:
    """What is not null of integers or floats, as it lies in memory.

    `array.to_numpy()` would do, and import pandas for it, which takes longer than all the rest.
    """
    if array.null_count:
        array = array.drop_null()
    memory = array.buffers()[1]
    kind = np.dtype(spelled(str(array.type)))
    if memory is None or not len(array):
        return np.empty(0, kind)
    return np.frombuffer(memory, kind, count=len(array), offset=array.offset * kind.itemsize)


def present(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Where values are not null."""
    return values(array.is_valid().cast(pa.uint8())).view(np.bool_)


def counts(array: pa.Array) -> dict[object, int]:
    """How often each value occurs; nulls are not values."""
    found = pc.value_counts(plain(array).drop_null())
    return {item["values"]: item["counts"] for item in found.to_pylist()}


def first_row(array: pa.Array, value: object) -> int:
    """The position of `value` in the array, from 0."""
    return int(pc.index(plain(array), pa.scalar(value, type=plain(array).type)).as_py())
