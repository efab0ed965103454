"""Which values of a batch break a promise, as one mask; nulls break none but their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.classes import finder, named
from dreg.core.columns import Column, Scalar
from dreg.core.contract import Contract
from dreg.core.violations import Question
from dreg.errors import BadRequest

Mask = Callable[[pa.Array], pa.Array | None]  # None: not of the promised type, which is told apart

DAY = len("2024-12-31")


def masks(contract: Contract, question: Question) -> Mask:
    """What tells the values that break the promise. Raises BadRequest for a pattern that is none."""
    promised = contract.columns[question.column]
    match question.promise:
        case "nulls":
            return lambda array: array.is_null()
        case "finite":
            return _not_finite
        case "least" | "most":
            return lambda array: _beyond(array, promised, question.promise)
        case "classes":
            return lambda array: _no_class(array, promised.classes)
        case "values":
            return lambda array: _not_among(array, promised.values)
        case "pattern":
            expression = compiled(question.column, promised.pattern)
            return lambda array: _no_match(array, expression)
    raise AssertionError(question.promise)


def compiled(name: str, pattern: str) -> str:
    """The pattern as one of whole texts. Raises BadRequest when RE2 cannot read it."""
    whole = rf"\A(?:{pattern})\z"
    for expression in (pattern, whole):  # alone too: `a)(b` would be one in brackets
        try:
            pc.match_substring_regex(pa.scalar("", pa.string()), expression)
        except pa.ArrowInvalid as error:
            why = str(error).removeprefix("Invalid regular expression: ").rstrip(".")
            raise BadRequest(
                f"`pattern` of column `{name}` is no regular expression of RE2: {why}",
                hint="RE2 has no look-around and no backreferences: https://github.com/google/re2/wiki/Syntax",
            ) from error
    return whole


def _not_finite(array: pa.Array) -> pa.Array | None:
    return pc.invert(pc.is_finite(array)) if pa.types.is_floating(array.type) else None


def _beyond(array: pa.Array, promised: Column, end: str) -> pa.Array | None:
    assert promised.range is not None
    bound = promised.range[0 if end == "least" else 1]
    if isinstance(bound, str):
        return _beyond_time(array, bound, end)
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    if pa.types.is_decimal(array.type) or pa.types.is_floating(array.type):
        # A float is compared as the double that it is, as the profile does.
        array, scalar = array.cast(pa.float64()), pa.scalar(bound, pa.float64())
        # Asked this way round, NaN is outside of every range; it is told as `finite`.
        return pc.less(array, scalar) if end == "least" else pc.greater(array, scalar)
    if not pa.types.is_integer(array.type):
        return None
    compare = pc.less if end == "least" else pc.greater
    if math.isinf(bound):
        return compare(array.cast(pa.float64(), safe=False), pa.scalar(bound, pa.float64()))
    whole = math.ceil(bound) if end == "least" else math.floor(bound)
    if array.type.bit_width == 64 and pa.types.is_unsigned_integer(array.type):
        lowest, highest, kind = 0, 2**64 - 1, pa.uint64()
    else:
        lowest, highest, kind = -(2**63), 2**63 - 1, pa.int64()
    if not lowest <= whole <= highest:  # beyond what the type holds: all are within, or none
        inside = (whole < lowest) == (end == "least")
        return pc.and_(array.is_valid(), pa.scalar(not inside))
    return compare(array.cast(kind), pa.scalar(whole, kind))


def _beyond_time(array: pa.Array, bound: str, end: str) -> pa.Array | None:
    """A bound that is a day counts as all of it; times with a zone are compared in UTC."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        array = array.cast(pa.timestamp(kind.unit))
        kind = pa.date32() if len(bound) == DAY else pa.timestamp("ns")
        array = pc.floor_temporal(array, unit="day").cast(kind) if len(bound) == DAY else array
    elif pa.types.is_date(kind):
        array, kind, bound = array.cast(pa.date32()), pa.date32(), bound[:DAY]
    else:
        return None
    scalar = pa.scalar(bound, pa.string()).cast(kind)
    return pc.less(array, scalar) if end == "least" else pc.greater(array, scalar)


def _no_class(array: pa.Array, classes: tuple[str, ...]) -> pa.Array | None:
    values, class_of = named(array, classes), finder(classes)
    if values is None:
        return None
    different = [value for value in pc.unique(values).to_pylist() if value is not None]
    wrong = [value for value in different if class_of(value) is None]
    return pc.is_in(values, value_set=pa.array(wrong, values.type), skip_nulls=True)


def _not_among(array: pa.Array, allowed: tuple[Scalar, ...]) -> pa.Array | None:
    known = _as(array.type, allowed)
    if known is None:
        return None
    if pa.types.is_floating(array.type):
        if array.type == pa.float16():
            array, known = array.cast(pa.float32()), known.cast(pa.float32())
        array = pc.add(array, pa.scalar(0.0, array.type))  # there is one zero
    inside = pc.is_in(array, value_set=known, skip_nulls=True)
    return pc.and_(array.is_valid(), pc.invert(inside))


def _as(kind: pa.DataType, allowed: tuple[Scalar, ...]) -> pa.Array | None:
    """The allowed values in the column's type, those that it can hold; None for another kind."""
    texts = all(isinstance(value, str) for value in allowed)
    found = []
    for value in allowed:
        try:
            if pa.types.is_timestamp(kind):
                item = pa.scalar(value, pa.string()).cast(pa.timestamp(kind.unit)).cast(kind)
            elif pa.types.is_date(kind) or (texts and "string" in str(kind)):
                item = pa.scalar(value, pa.string()).cast(kind)
            elif pa.types.is_decimal(kind):
                item = pa.scalar(Decimal(repr(value)), kind)
            else:
                item = pa.scalar(value).cast(kind)
        except (pa.ArrowInvalid, InvalidOperation):
            continue
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
            return None
        found.append(item)
    return pa.array(found, kind)


def _no_match(array: pa.Array, expression: str) -> pa.Array | None:
    if "string" not in str(array.type):
        return None
    return pc.invert(pc.match_substring_regex(array, expression))
