"""Arrow's types by the names that contracts give them, and what its readers of text make of them."""

from __future__ import annotations

import re

import pyarrow as pa

LISTS = ("list", "large_list", "list_view", "large_list_view")
ELEMENT = re.compile(r"(?:item|element): ")
DECIMAL = re.compile(r"decimal(32|64|128|256)?\((\d+), *(-?\d+)\)")
ZONED = re.compile(r"timestamp\[(s|ms|us|ns), *tz=(.+)\]")
SIZED = re.compile(r"fixed_size_binary\[(\d+)\]")
NESTED = re.compile(r"(\w+)<(.*)>(?:\[(\d+)\])?")
OPEN, CLOSED = "<([", ">)]"


def arrow_type(name: str) -> pa.DataType | None:
    """The type of that name; None if Arrow has none, as for `image`."""
    try:
        return _parsed(name.strip())
    except ValueError:  # Arrow's own errors too
        return None


def _parsed(name: str) -> pa.DataType:
    """Raises ValueError for the name of no type."""
    if match := NESTED.fullmatch(name):
        return _nested(*match.groups())
    if match := DECIMAL.fullmatch(name):
        make = getattr(pa, f"decimal{match[1] or 128}", pa.decimal128)  # older Arrow has but two
        return make(int(match[2]), int(match[3]))
    if match := ZONED.fullmatch(name):
        return pa.timestamp(match[1], match[2])
    if match := SIZED.fullmatch(name):
        return pa.binary(int(match[1]))
    return pa.type_for_alias(name)


def _nested(word: str, inside: str, size: str | None) -> pa.DataType:
    if word == "struct":
        return pa.struct([_field(part) for part in _parts(inside)])
    if word == "map":
        key, item = (_parsed(part) for part in _parts(inside))
        return pa.map_(key, item)
    values = _parsed(ELEMENT.sub("", inside, count=1) if ELEMENT.match(inside) else inside)
    if word == "fixed_size_list" or (word in LISTS and size):
        return pa.list_(values, int(size or -1))
    if word not in LISTS:
        raise ValueError(f"{word} is not nested")
    return pa.list_(values)


def _field(text: str) -> pa.Field:
    name, colon, kind = text.partition(": ")
    if not colon:
        raise ValueError(f"{text} is no field")
    return pa.field(name, _parsed(kind.removesuffix(" not null").strip()))


def _parts(text: str) -> list[str]:
    """The text cut at commas that are in no brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in OPEN) - (char in CLOSED)
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def from_csv(kind: pa.DataType) -> pa.DataType | None:
    """The type that Arrow's CSV reader gives, to be cast; None where it reads none such."""
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return None
    return pa.string() if pa.types.is_decimal256(kind) else _plain(kind)


def from_json(kind: pa.DataType) -> pa.DataType | None:
    """As `from_csv`, of Arrow's JSON reader, to which dates and times are numbers: texts are cast."""
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        values = from_json(kind.value_type)
        return None if values is None else pa.list_(values)
    if pa.types.is_struct(kind):
        kinds = [(field.name, from_json(field.type)) for field in kind]
        return None if any(found is None for _, found in kinds) else pa.struct(kinds)
    if pa.types.is_map(kind) or pa.types.is_null(kind):
        return None
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return pa.string()
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    return _plain(kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    if kind == pa.float16():
        return pa.float32()
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return pa.decimal128(kind.precision, kind.scale)
    return kind
