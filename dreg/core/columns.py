"""A promised column: what dataset.yaml says of one, and reading it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dreg.core.reader import Reader, whole
from dreg.core.types import spelled

Scalar = bool | int | float | str
Range = tuple[float, float] | tuple[str, str]

MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?")
_NUMBERS = re.compile(r"(u?int(8|16|32|64)|float(16|32|64)|decimal\w*\(.*\))$")
_WHOLE = re.compile(r"u?int(8|16|32|64)$")
_TIMES = re.compile(r"(date32|date64|timestamp)(\[|$)")


@dataclass(frozen=True)
class Column:
    """A promised column: Arrow type name, unit, shape, inclusive range, class names in order.

    `model` is what made an embedding, `name@revision`. A range of dates or timestamps has texts such as `2024-12-31`. `values` are all that may occur,
    `pattern` is a regular expression of which every text is a full match, `unique` that no value
    comes twice, in whatever splits.
    """

    type: str
    nullable: bool = False
    shape: tuple[int, ...] = ()
    unit: str = ""
    range: Range | None = None
    classes: tuple[str, ...] = ()
    model: str = ""
    values: tuple[Scalar, ...] = ()
    pattern: str = ""
    unique: bool = False


def read_column(reader: Reader, name: str, value: Any) -> Column:
    """The column as it is written. Raises BadRequest that names it."""
    at = f"column `{name}`"
    short = {"type": value} if isinstance(value, str) else value
    given = reader.mapping(short, at, tuple(Column.__dataclass_fields__), ("type",))
    kind = spelled(reader.text(given, "type", at))
    shape = given.get("shape") or []
    if not isinstance(shape, list) or not all(whole(length) and length >= 0 for length in shape):
        raise reader.fail(f"{at} has no usable shape", "write it as a list: [28, 28]")
    classes = reader.names(given.get("classes"), f"`classes` of {at}")
    if len(set(classes)) < len(classes):
        raise reader.fail(f"{at} names a class twice", "a class has one place, its index")
    values = _values(reader, given.get("values"), kind, at)
    if values and classes:
        raise reader.fail(
            f"{at} has both `classes` and `values`",
            "classes are all the values there are: keep one",
        )
    return Column(
        type=kind,
        nullable=_truth(reader, given, "nullable", at),
        shape=tuple(shape),
        unit=reader.text(given, "unit", at),
        range=_range(reader, given.get("range"), kind, at),
        classes=classes,
        model=reader.text(given, "model", at),
        values=values,
        pattern=_pattern(reader, given, kind, at),
        unique=_truth(reader, given, "unique", at),
    )


def _truth(reader: Reader, given: dict[str, Any], key: str, at: str) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise reader.fail(f"{at} has `{key}: {value}`", "write true or false")
    return value


def _range(reader: Reader, value: Any, kind: str, at: str) -> Range | None:
    if value is None:
        return None
    ends: list[Any] = value if isinstance(value, list) and len(value) == 2 else [None, None]
    if _TIMES.match(kind):
        texts = [_moment(end) for end in ends]
        if not all(MOMENT.fullmatch(text) for text in texts) or texts[0][:10] > texts[1][:10]:
            raise reader.fail(
                f"{at} has no usable range", "write it as [2020-01-01, 2024-12-31], the first first"
            )
        return texts[0], texts[1]
    if not all(_number(end) for end in ends) or not ends[0] <= ends[1]:
        raise reader.fail(f"{at} has no usable range", "write it as [lowest, highest]")
    return float(ends[0]), float(ends[1])


def _values(reader: Reader, value: Any, kind: str, at: str) -> tuple[Scalar, ...]:
    """Allowed values, each of the column's type: 1 is no text, and "1" no number."""
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        raise reader.fail(
            f"`values` of {at} is not a list of values", "list what may occur: values: [a, b]"
        )
    fits, like = _FITTING[_family(kind)]
    found: list[Scalar] = []
    for item in value:
        told = _moment(item) if _TIMES.match(kind) else item
        if not fits(told):
            raise reader.fail(
                f"`values` of {at} has {item!r}, and the column is {kind}",
                "write `nullable: true` for nulls" if item is None else like,
            )
        if told in found:
            raise reader.fail(f"`values` of {at} has {item!r} twice", "list every value once")
        found.append(told)
    return tuple(found)


def _pattern(reader: Reader, given: dict[str, Any], kind: str, at: str) -> str:
    pattern = given.get("pattern")
    if pattern is None:
        return ""
    if not isinstance(pattern, str) or not pattern:
        raise reader.fail(
            f"`pattern` of {at} is not a regular expression", "write it in quotes: '[a-z]+'"
        )
    if kind != "string":
        raise reader.fail(
            f"{at} has a `pattern`, and its type is {kind}, not string",
            "bound numbers and dates by `range`, others by `values`",
        )
    return pattern


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _moment(value: Any) -> str:
    """A date or time as text: YAML may have made more of it than what was written."""
    return str(value) if isinstance(value, str) or hasattr(value, "isoformat") else ""


def _family(kind: str) -> str:
    if kind in ("string", "bool"):
        return kind
    if _TIMES.match(kind):
        return "time"
    if _WHOLE.match(kind):
        return "whole"
    return "number" if _NUMBERS.match(kind) else "other"


_FITTING: dict[str, tuple[Callable[[Any], bool], str]] = {
    "string": (lambda v: isinstance(v, str), "put texts in quotes: ['1', 'no']"),
    "bool": (lambda v: isinstance(v, bool), "write true or false"),
    "time": (lambda v: bool(MOMENT.fullmatch(v)), "write dates as 2024-12-31"),
    "whole": (whole, "write whole numbers: [1, 2]"),
    "number": (lambda v: _number(v) and math.isfinite(v), "write numbers: [0.5, 1]"),
    "other": (lambda v: False, "`values` is for texts, numbers, truth values and dates"),
}
