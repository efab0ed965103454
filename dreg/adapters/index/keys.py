"""The key columns of a batch as text, one text a row, the same whatever type holds the values."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.formats.file_types import FileType, paths
from dreg.core.types import spelled
from dreg.errors import BadRequest

BETWEEN = "|"


def key_texts(batch: pa.RecordBatch, names: tuple[str, ...]) -> pa.Array:
    """Null where any of the columns is. Raises BadRequest for a type that makes no key."""
    parts = [texts(batch.column(name), name) for name in names]
    if len(parts) == 1:
        return parts[0]
    for i, part in enumerate(parts):
        backslashes = pc.replace_substring(part, "\\", "\\\\")
        parts[i] = pc.replace_substring(backslashes, BETWEEN, f"\\{BETWEEN}")
    return pc.binary_join_element_wise(*parts, pa.scalar(BETWEEN, pa.string()))


def texts(array: pa.Array, name: str) -> pa.Array:
    """The values of the column `name` as text."""
    if isinstance(array.type, FileType):
        return texts(paths(array), name)
    if isinstance(array, pa.ExtensionArray):
        return texts(array.storage, name)
    kind = array.type
    if pa.types.is_dictionary(kind):
        return texts(array.dictionary_decode(), name)
    if spelled(str(kind)) == "string" or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return array.cast(pa.string())
    if pa.types.is_date(kind):
        return array.cast(pa.date32()).cast(pa.string())
    if pa.types.is_time(kind):
        return without_zeros(array.cast(pa.string()))
    if pa.types.is_timestamp(kind):
        told = without_zeros(array.cast(pa.timestamp(kind.unit)).cast(pa.string()))
        told = pc.replace_substring(told, " ", "T")
        return told if kind.tz is None else pc.binary_join_element_wise(told, "Z", "")
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.array([numeral(value) for value in array.to_pylist()], pa.string())
    if "binary" in str(kind):
        values = array.to_pylist()
        return pa.array([None if value is None else value.hex() for value in values], pa.string())
    raise BadRequest(
        f"key column `{name}` has type {kind}, of which there is no short text",
        hint="name columns of texts, numbers or dates as `key` in dataset.yaml",
    )


def without_zeros(times: pa.Array) -> pa.Array:
    """Times without zeros at the end of their fractions, which depend on the type's unit."""
    return pc.replace_substring_regex(times, r"(\.[0-9]*[1-9])0+$|\.0+$", r"\1")


def numeral(value: float | Decimal | None) -> str | None:
    """A number's text: whole where it is, as an integer's would be."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        told = f"{value:f}"
        return told.rstrip("0").rstrip(".") if "." in told else told
    return str(int(value)) if value.is_integer() else repr(value)
