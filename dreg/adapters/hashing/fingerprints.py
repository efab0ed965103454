"""The hash of every row of a record batch, as core.canonical defines it, without a loop over rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.formats.file_types import FileType, PathType, content
from dreg.adapters.hashing.lanes import (
    Integers,
    Lanes,
    atoms,
    equal_items,
    finish,
    mix,
    octets,
    ragged_items,
    totals,
)
from dreg.adapters.hashing.number_hashes import (
    Mask,
    decimal_hashes,
    memory,
    number_hashes,
    reduced,
    wholes,
)
from dreg.adapters.hashing.time_hashes import dates, durations, times, timestamps
from dreg.core import canonical

SLICE_BYTES = 1 << 19  # what is worked on at once stays in the processor's cache
SLICE_ROWS = 1 << 14


class Unhashable(TypeError):
    """A type whose values have no canonical content."""


def fingerprints(batch: pa.RecordBatch) -> Lanes:
    """Both lanes of every row's hash. Raises Unhashable for a type without canonical content."""
    if not batch.num_rows:
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    rows = _at_once(batch.num_rows, batch.nbytes)
    return _joined(_rows(batch.slice(start, rows)) for start in range(0, batch.num_rows, rows))


def hashes(array: pa.Array) -> Lanes:
    """Both lanes of every value's hash; those of nulls are of no meaning. Raises Unhashable."""
    if not len(array):
        return _values(array)
    rows = _at_once(len(array), array.nbytes)
    return _joined(_values(array.slice(start, rows)) for start in range(0, len(array), rows))


def _at_once(count: int, size: int) -> int:
    return max(1, min(SLICE_ROWS, SLICE_BYTES * count // max(1, size)))


def _joined(slices: Iterable[Lanes]) -> Lanes:
    first, second = (np.concatenate(lanes) for lanes in zip(*slices, strict=True))
    return first, second


def _rows(batch: pa.RecordBatch) -> Lanes:
    return _fields(batch.num_rows, zip(batch.schema.names, batch.columns, strict=True))


def _fields(count: int, fields: Iterable[tuple[str, pa.Array]]) -> Lanes:
    sums = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for name, array in fields:
        if isinstance(array.type, PathType):
            continue
        called, valid = canonical.octets(canonical.TEXT, name.encode()), _valid(array)
        for lane, hashes in enumerate(_values(array)):
            np.add(hashes, np.uint64(called[lane]), out=hashes)
            mix(lane, hashes)
            if valid is not None:  # what is null counts as absent
                np.multiply(hashes, valid, out=hashes)
            np.add(sums[lane], hashes, out=sums[lane])
    return finish(canonical.STRUCT, None, sums)


def _values(array: pa.Array) -> Lanes:
    """The hashes of an array's values, in new memory; those of nulls are of no meaning."""
    if isinstance(array.type, pa.FixedShapeTensorType) and 0 not in array.type.shape:
        return _tensors(array)
    if isinstance(array.type, FileType):
        return _values(content(array))
    if isinstance(array, pa.ExtensionArray):
        return _values(array.storage)
    kind = array.type
    for recognises, hashed in KINDS:
        if recognises(kind):
            return hashed(array)
    raise Unhashable(str(kind))


def _valid(array: pa.Array) -> Mask | None:
    """Where values are not null; None if they all are not."""
    if isinstance(array, pa.ExtensionArray):
        return _valid(array.storage)
    if pa.types.is_dictionary(array.type):  # a dictionary may hold a null as well
        return _valid(_decoded(array))
    if pa.types.is_run_end_encoded(array.type):
        return _valid(pc.run_end_decode(array))
    if not array.null_count:
        return None
    return memory(array.is_valid().cast(pa.uint8()), np.uint8).view(np.bool_)


def _booleans(array: pa.Array) -> Lanes:
    return atoms(canonical.BOOL, memory(array.cast(pa.uint8()), np.uint8))


def _bytes(kind: int, array: pa.Array) -> Lanes:
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        array = array.cast(pa.large_binary())
    buffer = array.buffers()[2]
    starts, lengths = _runs(array)
    data = np.frombuffer(buffer, np.uint8) if buffer is not None else np.empty(0, np.uint8)
    return octets(kind, data, starts, lengths)


def _fixed_bytes(array: pa.Array) -> Lanes:
    width = array.type.byte_width
    data = memory(array, f"V{width}").view(np.uint8) if width else np.empty(0, np.uint8)
    starts = np.arange(len(array), dtype=np.int64) * width
    return octets(canonical.BYTES, data, starts, np.full(len(array), width))


def _runs(array: pa.Array) -> tuple[Integers, Integers]:
    """Where the values of texts or lists start, and their lengths."""
    wide = "large" in str(array.type).partition("<")[0]
    kind, buffer = np.dtype(np.int64 if wide else np.int32), array.buffers()[1]
    if buffer is None or not len(array):
        return np.zeros(len(array), np.int64), np.zeros(len(array), np.int64)
    place = array.offset * kind.itemsize
    offsets = np.frombuffer(buffer, kind, count=len(array) + 1, offset=place).astype(np.int64)
    return offsets[:-1], np.diff(offsets)


def _lists(array: pa.Array) -> Lanes:
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        lengths = np.full(len(array), size)
        return _items(array.values.slice(array.offset * size, len(array) * size), lengths)
    if str(array.type).startswith(("list_view", "large_list_view")):
        lengths = pc.list_value_length(array).fill_null(0).cast(pa.int64())
        return _items(array.flatten(), memory(lengths, np.int64))
    if pa.types.is_map(array.type):
        pairs = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
        return _run_items(array, pairs)
    return _run_items(array, array.values)


def _tensors(array: pa.Array) -> Lanes:
    """Tensors as the lists of lists that they are, whatever the order in which they lie in memory."""
    shape, size = array.type.shape, array.storage.type.list_size
    values = array.storage.values.slice(array.storage.offset * size, len(array) * size)
    if order := array.type.permutation:
        places = np.arange(len(values)).reshape(len(array), *shape)
        places = places.transpose(0, *(axis + 1 for axis in order)).ravel()
        values = values.take(
            pa.Array.from_buffers(pa.int64(), len(places), [None, pa.py_buffer(places)])
        )
        shape = [shape[axis] for axis in order]
    for length in reversed(shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, length)
    return _items(values, np.full(len(array), shape[0]))


def _run_items(array: pa.Array, values: pa.Array) -> Lanes:
    starts, lengths = _runs(array)
    first = int(starts[0]) if len(starts) else 0
    return _items(values.slice(first, int(lengths.sum())), lengths)


def _items(values: pa.Array, lengths: npt.NDArray[Any]) -> Lanes:
    """Lists of so many of the values each."""
    small = _small(values)
    if small is None:
        return _plain_items(values, lengths)
    bytes_, fits = small
    ends = np.cumsum(lengths)
    packed = octets(canonical.PACKED, bytes_, ends - lengths, lengths)
    if fits is None:
        return packed
    outside = totals(~fits, ends - lengths, ends)
    if not outside.any():
        return packed
    items = _plain_items(values, lengths)
    first, second = (np.where(outside == 0, packed[lane], items[lane]) for lane in (0, 1))
    return first, second


def _plain_items(values: pa.Array, lengths: npt.NDArray[Any]) -> Lanes:
    items, valid = _values(values), _valid(values)
    if valid is not None:
        for lane, null in enumerate(canonical.value_hash(None)):
            items[lane][~valid] = null
    if len(lengths) and not (lengths != lengths[0]).any():
        shape = len(lengths), int(lengths[0])
        return equal_items(
            canonical.LIST, shape[1], (items[0].reshape(shape), items[1].reshape(shape))
        )
    return ragged_items(canonical.LIST, lengths, lengths, items)


def _small(array: pa.Array) -> tuple[npt.NDArray[np.uint8], Mask | None] | None:
    """Numbers as bytes, and which of them are whole, from 0 to 255 (None: all); None if no numbers."""
    if isinstance(array, pa.ExtensionArray):
        return _small(array.storage)
    if pa.types.is_dictionary(array.type):
        return _small(_decoded(array))
    if pa.types.is_run_end_encoded(array.type):
        return _small(pc.run_end_decode(array))
    if pa.types.is_null(array.type):  # only empty lists have no nulls
        return np.zeros(len(array), np.uint8), np.zeros(len(array), np.bool_)
    valid = _valid(array)
    if array.type == pa.uint8():
        return memory(array, np.uint8), valid
    if pa.types.is_decimal(array.type):
        unscaled, _, whole, beyond = reduced(array)
        fits = whole & ~beyond & (unscaled >= 0) & (unscaled <= 255)
        small = unscaled.astype(np.uint8)
    elif pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        words, _, is_whole = wholes(array)
        small, fits = words.astype(np.uint8), words <= 255
        fits = fits if is_whole is None else fits & is_whole
    else:
        # Empty lists are packed, of whatever type.
        return np.zeros(len(array), np.uint8), np.zeros(len(array), np.bool_)
    return small, fits if valid is None else fits & valid


def _decoded(array: pa.DictionaryArray) -> pa.Array:
    """The values of a dictionary's indices. Below a null, an index may point nowhere: it is null."""
    inside = pc.less(array.indices, pa.scalar(len(array.dictionary), pa.int64()))
    if pc.all(inside, min_count=0).as_py():
        return array.dictionary_decode()
    return array.dictionary.take(pc.if_else(inside, array.indices, None))


def _structs(array: pa.Array) -> Lanes:
    kind = array.type
    names = [kind.field(i).name for i in range(kind.num_fields)]
    # Flattened, a null struct's fields are null: what lies under it may be no value at all.
    return _fields(len(array), zip(names, array.flatten(), strict=True))


def _nulls(array: pa.Array) -> Lanes:
    return atoms(canonical.NULL, np.zeros(len(array), np.uint64))


def _is_text(kind: pa.DataType) -> bool:
    return str(kind) in ("string", "large_string", "string_view")


def _is_bytes(kind: pa.DataType) -> bool:
    return str(kind) in ("binary", "large_binary", "binary_view")


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_nested(kind) and "list" in str(kind).partition("<")[0]


KINDS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], Lanes]], ...] = (
    (pa.types.is_dictionary, lambda array: _values(_decoded(array))),
    (pa.types.is_run_end_encoded, lambda array: _values(pc.run_end_decode(array))),
    (pa.types.is_null, _nulls),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_integer, number_hashes),
    (pa.types.is_floating, number_hashes),
    (pa.types.is_decimal, decimal_hashes),
    (_is_text, functools.partial(_bytes, canonical.TEXT)),
    (_is_bytes, functools.partial(_bytes, canonical.BYTES)),
    (pa.types.is_fixed_size_binary, _fixed_bytes),
    (pa.types.is_date, dates),
    (pa.types.is_time, times),
    (pa.types.is_timestamp, timestamps),
    (pa.types.is_duration, durations),
    (_is_list, _lists),
    (pa.types.is_map, _lists),
    (pa.types.is_struct, _structs),
)
