"""Figures of a column, whatever its values are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters import sketching
from dreg.adapters.figures.arrays import feature, plain, values
from dreg.adapters.figures.different import distinct
from dreg.adapters.figures.images import images
from dreg.adapters.figures.numbers import numbers, of_values
from dreg.adapters.formats.file_types import ImageType
from dreg.adapters.hashing.fingerprints import hashes
from dreg.core.numbers import Numbers
from dreg.core.statistics import Column, Lengths, Others, Texts, Vectors
from dreg.core.types import spelled

EVERY = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FLOATS_AT_ONCE = 1 << 18


def column(array: pa.Array) -> Column:
    """The figures of a column's values. Raises Undecodable for an image that is none."""
    if isinstance(array.type, ImageType):
        return images(array)[0]
    vector = is_vector(array.type)
    array = plain(array)
    kind = array.type
    if spelled(str(kind)) == "string":
        return Texts(numbers(pc.utf8_length(array)), sketching.of_texts(array))
    if pa.types.is_boolean(kind):
        return numbers(array.cast(pa.uint8()))
    if pa.types.is_decimal(kind):
        # As floats, decimals of many digits would be one value.
        return replace(numbers(array.cast(pa.float64())), distinct=distinct(array))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return numbers(array)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return times(array)
    if vector:
        return vectors(array)
    if has_length(kind):
        return Lengths(numbers(lengths(array)), distinct(array))
    return Others(array.null_count, len(array) - array.null_count, distinct(array))


def times(array: pa.Array) -> Numbers:
    """Dates as days, all else as seconds: whatever the unit of the type is."""
    if pa.types.is_date(array.type):
        return numbers(array.cast(pa.date32()).view(pa.int32()))
    whole = values(array.view(pa.int32() if array.type.bit_width == 32 else pa.int64()))
    found = of_values(whole / EVERY[array.type.unit], array.null_count)
    # As floats, times some nanoseconds apart would be one value.
    return replace(found, distinct=distinct(array))


def is_vector(kind: pa.DataType) -> bool:
    """Whether values are rows of so many floats each, such as embeddings."""
    found = feature(kind)
    return len(found.shape) == 1 and found.type in ("float16", "float32", "float64")


def vectors(array: pa.Array) -> Vectors:
    """The lengths of vectors. Of the same vectors the same, whatever lies beside them."""
    nulls = array.null_count
    given = array.drop_null() if nulls else array
    size = array.type.list_size
    # Nulls among the elements are no numbers, and neither is the norm.
    flat = pc.fill_null(given.flatten().cast(pa.float64()), float("nan"))
    rows = values(flat).reshape(len(given), size)
    step = max(1, FLOATS_AT_ONCE // max(1, size))
    found = [norms(rows[start : start + step]) for start in range(0, len(rows), step)]
    norm = np.concatenate([np.empty(0), *found])
    finite = hashes(given)[0][np.isfinite(norm)]
    return Vectors(of_values(norm, nulls), sketching.of_hashes(finite))


def norms(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The square roots of the sums of squares, added in the order of the elements."""
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.zeros(len(rows))
        for squares in np.square(np.ascontiguousarray(rows.T)):
            sums += squares
        return np.sqrt(sums)


def has_length(kind: pa.DataType) -> bool:
    """Whether values are lists or bytes."""
    name = str(kind).partition("<")[0]
    return ("binary" in name or "list" in name or pa.types.is_map(kind)) and not (
        pa.types.is_fixed_size_list(kind) or pa.types.is_fixed_size_binary(kind)
    )


def lengths(array: pa.Array) -> pa.Array:
    if "binary" in str(array.type):
        if pa.types.is_binary_view(array.type):
            array = array.cast(pa.large_binary())
        return pc.binary_length(array)
    if pa.types.is_map(array.type):
        pair = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
        array = array.cast(pa.list_(pair))
    return pc.list_value_length(array)
