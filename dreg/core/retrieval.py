"""How good a search is: by questions of which it is known which files answer them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

FIRST = 5  # results that a person looks at


@dataclass(frozen=True)
class Question:
    """What is asked, and the files that answer it."""

    text: str
    files: frozenset[str]


def recall(found: Sequence[str], wanted: Collection[str], first: int = FIRST) -> float:
    """The share of the wanted files that the first results are from. `found` has a file for each result."""
    return len(set(found[:first]) & set(wanted)) / len(wanted)


def reciprocal_rank(found: Sequence[str], wanted: Collection[str]) -> float:
    """1 if the first result is from a wanted file, 1/2 if only the second is, and so on; 0 if none is."""
    return next((1 / rank for rank, file in enumerate(found, 1) if file in wanted), 0.0)
