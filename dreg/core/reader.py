"""Reading what people write in YAML, strictly: an unknown key is more often a typo than an extension."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

from dreg.errors import BadRequest


class Reader:
    """Reads values of the file `where`; every mistake is a BadRequest with a hint."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, fact: str, hint: str) -> BadRequest:
        return BadRequest(f"`{self.where}`: {fact}", hint=hint)

    def mapping(
        self, value: Any, at: str, known: tuple[str, ...], needed: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(f"{at} is not a mapping", f"write {at} as `key: value` lines")
        for key in value:
            if key not in known:
                raise self.fail(
                    f"{at} has the unknown key `{key}`", f"known keys: {', '.join(known)}"
                )
        for key in needed:
            if value.get(key) in (None, ""):
                raise self.fail(f"{at} lacks `{key}`", f"add `{key}:` to {self.where}")
        return value

    def named(self, value: Any, at: str, what: str, known: Iterable[str]) -> dict[str, Any]:
        """A mapping by names, such as `column`s, that must be among those known."""
        if not isinstance(value, dict):
            raise self.fail(f"{at} is not a mapping", f"write {at} as `{what}: value` lines")
        return {self.one_of(key, at, what, known): item for key, item in value.items()}

    def one_of(self, value: Any, at: str, what: str, known: Iterable[str]) -> str:
        name, names = self.name(value, at), list(known)
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            raise self.fail(
                f"{at} names the unknown {what} `{name}`",
                f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(names[:40])}",
            )
        return name

    def text(self, given: dict[str, Any], key: str, at: str = "the contract") -> str:
        value = given.get(key)
        if isinstance(value, dict | list):
            raise self.fail(f"`{key}` of {at} is not text", f"write `{key}: some text`")
        return "" if value is None else str(value)

    def names(self, value: Any, at: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if isinstance(value, dict):
            raise self.fail(f"{at} is not a list of names", f"write {at} as a list of names")
        return tuple(
            self.name(item, at) for item in (value if isinstance(value, list) else [value])
        )

    def name(self, value: Any, at: str) -> str:
        """A name as text: 3 stands for itself, but YAML reads a bare `no` as false."""
        if isinstance(value, str) or whole(value):
            return str(value)
        raise self.fail(
            f"{at} has {value!r} for a name", "put names like no, on, 1.5 or null in quotes"
        )

    def number(self, value: Any, at: str, least: float = -math.inf) -> float:
        """A finite number, at least `least`; whole numbers stay whole."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or value < least
        ):
            bound = "" if least == -math.inf else f" that is at least {least:g}"
            raise self.fail(f"{at} is {value!r}, not a number{bound}", "write a number such as 0.1")
        return value

    def count(self, value: Any, at: str) -> int:
        if not whole(value) or value < 0:
            raise self.fail(f"{at} is {value!r}, not a count", "write a whole number such as 100")
        return int(value)


def whole(value: Any) -> bool:
    """Whether this is a whole number; to Python, true is one too."""
    return isinstance(value, int) and not isinstance(value, bool)
