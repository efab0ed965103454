"""The key columns of a batch as text, one text a row, the same whatever type holds the values."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.formats.file_types import FileType, paths
from dreg.core.types import spelled
from dreg.errors import BadRequest

BETWEEN = "|"


class NoText(ValueError):
    """A type, or a value, of which there is no short text."""


def key_texts(batch: pa.RecordBatch, names: tuple[str, ...]) -> pa.Array:
    """Null where any of the columns is. Raises BadRequest for a type that makes no key."""
    parts = []
    for name in names:
        try:
            parts.append(texts(batch.column(name)))
        except NoText as error:
            raise BadRequest(
                f"key column `{name}` has {error}, of which there is no short text",
                hint="name columns of texts, numbers or dates as `key` in dataset.yaml",
            ) from error
    if len(parts) == 1:
        return parts[0]
    for i, part in enumerate(parts):
        backslashes = pc.replace_substring(part, "\\", "\\\\")
        parts[i] = pc.replace_substring(backslashes, BETWEEN, f"\\{BETWEEN}")
    return pc.binary_join_element_wise(*parts, pa.scalar(BETWEEN, pa.string()))


def texts(array: pa.Array) -> pa.Array:
    """Values as text. Raises NoText."""
    if isinstance(array.type, FileType):
        return texts(paths(array))
    if isinstance(array, pa.ExtensionArray):
        return texts(array.storage)
    kind = array.type
    if pa.types.is_dictionary(kind):
        return texts(array.dictionary_decode())
    if spelled(str(kind)) == "string" or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return array.cast(pa.string())
    if pa.types.is_date(kind):
        return _calendar(array.cast(pa.date32()))
    if pa.types.is_time(kind):
        return without_zeros(array.cast(pa.string()))
    if pa.types.is_timestamp(kind):
        told = without_zeros(_calendar(array.cast(pa.timestamp(kind.unit))))
        told = pc.replace_substring(told, " ", "T")
        return told if kind.tz is None else pc.binary_join_element_wise(told, "Z", "")
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.array([numeral(value) for value in array.to_pylist()], pa.string())
    if "binary" in str(kind):
        values = array.to_pylist()
        return pa.array([None if value is None else value.hex() for value in values], pa.string())
    raise NoText(f"type {kind}")


def _calendar(moments: pa.Array) -> pa.Array:
    """Dates or timestamps as text. Arrow writes beyond some year that they are out of range."""
    told = moments.cast(pa.string())
    if pc.any(pc.starts_with(told, "<")).as_py():
        raise NoText("a year beyond 32767")
    return told


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
