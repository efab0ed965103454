"""What a contract promises otherwise than the one before, where no profile tells.

Title, description, licence, task, types, classes and roles are in profiles, and rules price them.
Gates, prices and thresholds are the owner's own affair: a consumer relies on none of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from dreg.core.columns import Column
from dreg.core.contract import Contract
from dreg.core.rules import Finding
from dreg.core.rules.rule import few, shared
from dreg.core.version import Bump
from dreg.core.wording import numbered, printable, tick

CONTRACT_CHANGED = "contract-changed"
_HURTS = "Whoever relies on what was promised, or asks the owner; the data says nothing of it."
_FACTS = ("owner", "homepage")
_PROMISES = ("nullable", "range", "values", "pattern", "unique")


def contract_changes(old: Contract, new: Contract) -> tuple[Finding, ...]:
    """A finding for each promise that is another; of columns and splits that both have."""
    return tuple(
        Finding(CONTRACT_CHANGED, Bump.PATCH, printable(" ".join(text.split())), hurts=_HURTS)
        for text in (*_facts(old, new), *_columns(old, new), *_splits(old, new))
    )


def _facts(old: Contract, new: Contract) -> Iterator[str]:
    for fact in _FACTS:
        before, after = getattr(old, fact), getattr(new, fact)
        if before != after:
            yield f"the {fact} is {after or 'not stated'} instead of {before or 'not stated'}"


def _columns(old: Contract, new: Contract) -> Iterator[str]:
    for name in shared(old.columns, new.columns):
        for promise in _PROMISES:
            before, after = (_told(each.columns[name], promise) for each in (old, new))
            if before != after:
                yield f"column {tick(name)} is promised {after} instead of {before}"


def _told(column: Column, promise: str) -> str:
    value = getattr(column, promise)
    match promise:
        case "nullable":
            return "to have nulls" if value else "to have no nulls"
        case "unique":
            return "to have unique values" if value else "to have any values"
        case "range":
            return f"the range {list(value)}" if value else "no range"
        case "values":
            listed = sorted(map(repr, value))
            return f"{numbered(len(listed), 'value')} ({few(listed)})" if value else "no values"
    return f"the pattern {tick(value)}" if value else "no pattern"


def _splits(old: Contract, new: Contract) -> Iterator[str]:
    for name in shared(old.splits, new.splits):
        before, after = (
            "any number of samples" if samples is None else numbered(samples, "sample")
            for samples in (old.splits[name].samples, new.splits[name].samples)
        )
        if before != after:
            yield f"split {tick(name)} is promised {after} instead of {before}"
