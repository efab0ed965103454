"""Rules about columns: what training code reads by name and type."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dreg.core.profile import Profile
from dreg.core.rules.rule import gone, rule, shared
from dreg.core.version import Bump


@rule(Bump.MAJOR)
def column_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code that reads the column stops working.

    Before: schema: {features: {alcohol: {type: double}, pH: {type: double}}}
    After: schema: {features: {alcohol: {type: double}}}
    """
    for name in gone(old.features, new.features):
        yield f"column `{name}` is gone"


@rule(Bump.MINOR)
def column_added(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody who reads columns by name; code that takes all columns gets one more.

    Before: schema: {features: {alcohol: {type: double}}}
    After: schema: {features: {alcohol: {type: double}, pH: {type: double}}}
    """
    for name in gone(new.features, old.features):
        yield f"column `{name}` ({new.features[name].type}) is new"


@rule(Bump.MAJOR)
def type_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Code that relies on the column's type fails, or loses digits without a word.

    Before: schema: {features: {quality: {type: int64}}}
    After: schema: {features: {quality: {type: string}}}
    """
    for name, before, after in _types(old, new):
        if before != after and not widens(before, after):
            yield f"column `{name}` is {after} instead of {before}"


@rule(Bump.MINOR)
def type_widened(old: Profile, new: Profile) -> Iterator[str]:
    """Code that needs the narrower type's size: every old value still fits, memory may grow.

    Before: schema: {features: {quality: {type: int32}}}
    After: schema: {features: {quality: {type: int64}}}
    """
    for name, before, after in _types(old, new):
        if before != after and widens(before, after):
            yield f"column `{name}` is {after} instead of {before}; every {before} fits"


@rule(Bump.MAJOR)
def became_nullable(old: Profile, new: Profile) -> Iterator[str]:
    """Code that never met a null in the column fails on the first, or trains on NaN.

    Before: schema: {features: {pH: {type: double, nullable: false}}}
    After: schema: {features: {pH: {type: double, nullable: true}}}
    """
    for name in shared(old.features, new.features):
        if new.features[name].nullable and not old.features[name].nullable:
            yield f"column `{name}` has nulls now"


@rule(Bump.PATCH)
def nulls_filled(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody: code that copes with nulls meets none any more.

    Before: schema: {features: {pH: {type: double, nullable: true}}}
    After: schema: {features: {pH: {type: double, nullable: false}}}
    """
    for name in shared(old.features, new.features):
        if old.features[name].nullable and not new.features[name].nullable:
            yield f"column `{name}` has no nulls any more"


@rule(Bump.MAJOR)
def shape_changed(old: Profile, new: Profile) -> Iterator[str]:
    """A model whose input has the old shape can't take the new one.

    Before: schema: {features: {image: {type: uint8, shape: [28, 28]}}}
    After: schema: {features: {image: {type: uint8, shape: [32, 32]}}}
    """
    for name in shared(old.features, new.features):
        before, after = old.features[name].shape, new.features[name].shape
        if before != after:
            yield f"column `{name}` has the shape {_shape(after)} instead of {_shape(before)}"


@rule(Bump.MAJOR)
def unit_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Numbers keep their type and mean something else: models go wrong without an error.

    Before: schema: {features: {sulphates: {type: double, unit: g/l}}}
    After: schema: {features: {sulphates: {type: double, unit: mg/l}}}
    """
    for name in shared(old.features, new.features):
        before, after = old.features[name].unit, new.features[name].unit
        if before and after and before != after:
            yield f"column `{name}` is in {after} instead of {before}"


def _types(old: Profile, new: Profile) -> Iterator[tuple[str, str, str]]:
    for name in shared(old.features, new.features):
        yield name, old.features[name].type, new.features[name].type


_NUMBER = re.compile(r"(int|uint|float)(8|16|32|64)")
_DECIMAL = re.compile(r"decimal(?:32|64|128|256)\((\d+), *(-?\d+)\)")
_ALIASES = {"halffloat": "float16", "float": "float32", "double": "float64"}
_LARGER = {("string", "large_string"), ("binary", "large_binary"), ("date32[day]", "date64[ms]")}
_MANTISSA = {16: 11, 32: 24, 64: 53}  # bits of an integer that a float of that width holds exactly


def widens(before: str, after: str) -> bool:
    """Whether every value of Arrow type `before` is a value of `after`, exactly."""
    if before == "null" or (before, after) in _LARGER:
        return True
    decimals = _DECIMAL.fullmatch(before), _DECIMAL.fullmatch(after)
    if decimals[0] and decimals[1]:
        (precision, scale), (wider, finer) = ([int(n) for n in m.groups()] for m in decimals if m)
        return finer >= scale and wider - finer >= precision - scale
    numbers = [_NUMBER.fullmatch(_ALIASES.get(name, name)) for name in (before, after)]
    if not numbers[0] or not numbers[1]:
        return False
    (kind, bits), (wider_kind, wider_bits) = ((m[1], int(m[2])) for m in numbers if m)
    if kind == wider_kind:
        return wider_bits > bits
    if wider_kind == "float":
        return bits - (kind == "int") <= _MANTISSA.get(wider_bits, 0)
    return kind == "uint" and wider_kind == "int" and wider_bits > bits


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) if shape else "of a single value"
