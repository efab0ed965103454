"""Names of Arrow types: one spelling for each, and which hold all values of which."""

from __future__ import annotations

import re

_SPELLINGS = {
    "half": "float16",
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    "boolean": "bool",
    "str": "string",
    "utf8": "string",
    "large_string": "string",
    "large_utf8": "string",
    "string_view": "string",
}
_NUMBER = re.compile(r"(int|uint|float)(8|16|32|64)")
_DECIMAL = re.compile(r"decimal(?:32|64|128|256)\((\d+), *(-?\d+)\)")
_MANTISSA = {16: 11, 32: 24, 64: 53}  # bits of an integer that a float of that width holds exactly


# What a list calls its elements is up to who wrote it: `item` in Arrow, `element` in Parquet.
_LIST = re.compile(r"\b(fixed_size_)?(?:large_)?list(?:_view)?<(?:(?:item|element): )?")
_WORD = re.compile(r"[a-z_][a-z0-9_]*\b(?! *[:=])")  # no name of a field


def spelled(name: str) -> str:
    """A type's name as profiles have it: `float64` for `double`, `string` for every text.

    Also inside of lists and structs: `list<string>` for `list<item: string>`.
    """
    plain = _LIST.sub(lambda found: f"{found[1] or ''}list<", name.strip())
    return _WORD.sub(lambda word: _SPELLINGS.get(word[0], word[0]), plain)


def widens(before: str, after: str) -> bool:
    """Whether every value of type `before` is a value of the other type `after`, exactly."""
    if before == "null":
        return True
    decimals = _DECIMAL.fullmatch(before), _DECIMAL.fullmatch(after)
    if decimals[0] and decimals[1]:
        (precision, scale), (wider, finer) = ([int(n) for n in m.groups()] for m in decimals if m)
        return finer >= scale and wider - finer >= precision - scale
    numbers = _NUMBER.fullmatch(before), _NUMBER.fullmatch(after)
    if not numbers[0] or not numbers[1]:
        return False
    (kind, bits), (wider_kind, wider_bits) = ((m[1], int(m[2])) for m in numbers if m)
    if kind == wider_kind:
        return wider_bits > bits
    if wider_kind == "float":
        return bits - (kind == "int") <= _MANTISSA.get(wider_bits, 0)
    return kind == "uint" and wider_kind == "int" and wider_bits > bits
