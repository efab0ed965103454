"""What a pull request does to datasets, as values: what its own, untrusted job found, and others render.

A job without rights and secrets writes this as JSON; one with the right to comment reads it. So all of
it is of unknown origin: whoever reads it takes texts and numbers from it, never markup or addresses.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from dreg.errors import BadRequest

FORMAT = 1

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Told:
    """A finding in words: its price, its rule, what it saw, who is hurt."""

    price: str
    rule: str
    text: str
    hurts: str


@dataclass(frozen=True)
class Column:
    """A column that is not as before: its type in words, null where it is not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class InSplit:
    """Samples of a split in the last release and now, null where there is none."""

    split: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Sample:
    """A sample that is not as before: what became of it, where it is, its key."""

    kind: str
    where: str
    key: str


@dataclass(frozen=True)
class Picture:
    """An image that git has: `path` in the registry at `commit`."""

    path: str
    commit: str


@dataclass(frozen=True)
class Downstream:
    """A dataset that is made from this one, the range it asks for, and whether the next version is in it."""

    name: str
    wanted: str
    fits: bool


@dataclass(frozen=True)
class Reviewed:
    """One dataset. `state` is its pipeline's: up to date, missing (just not here), changed, never run, broken.

    `error` says why it could not be compared, `unseen` what could not be looked at; what that would have told is
    not in `next`. `problems` are promises and gates that are broken. `pictures` are in git, `pictures_beside` files in
    the review's folder.
    """

    name: str
    why: tuple[str, ...]
    state: str
    error: str = ""
    unseen: tuple[str, ...] = ()
    last: str | None = None
    next: str | None = None
    bump: str = "none"
    findings: tuple[Told, ...] = ()
    problems: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    splits: tuple[InSplit, ...] = ()
    counts: tuple[tuple[str, ...], ...] = ()
    samples: tuple[Sample, ...] = ()
    more_samples: int = 0
    pictures: tuple[Picture, ...] = ()
    pictures_beside: tuple[str, ...] = ()
    downstream: tuple[Downstream, ...] = ()


def from_json(kind: type[Kind], data: Any, where: str) -> Kind:
    """A value of that dataclass from JSON; what has a usual value may be left out, as an older dreg does.

    Raises BadRequest for any other form, naming the place.
    """
    if not isinstance(data, dict):
        raise _odd(where, "is no object")
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    needed = {field.name for field in fields if field.default is dataclasses.MISSING}
    if not needed <= set(data) <= {field.name for field in fields}:
        raise _odd(where, "has other keys than it should")
    return kind(**{name: _value(hints[name], data[name], f"{where}.{name}") for name in data})


def _value(kind: Any, data: Any, where: str) -> Any:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if data is None and type(None) in parts:
            return None
        return _value(next(part for part in parts if part is not type(None)), data, where)
    if origin is tuple:
        if not isinstance(data, list):
            raise _odd(where, "is no list")
        return tuple(_value(parts[0], item, f"{where}[{at}]") for at, item in enumerate(data))
    if dataclasses.is_dataclass(kind):
        return from_json(typing.cast(type, kind), data, where)
    if type(data) is not kind:
        raise _odd(where, f"is no {kind.__name__}")
    return data


def _odd(where: str, what: str) -> BadRequest:
    return BadRequest(f"`{where}` {what}", hint="make it again: dreg ci review --out DIR")
