"""Samples that left one split and came into another, found among all that left or came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreg.adapters.index_rows import Block
from dreg.adapters.lanes import Words

Places = npt.NDArray[np.int64]

EMPTY = np.empty(0, np.uint64)


@dataclass(frozen=True)
class Ordered:
    first: Words
    second: Words
    codes: npt.NDArray[np.int32]


class Strays:
    """Samples that left a split or came into one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._parts: list[tuple[Words, Words, int]] = []

    def add(self, split: str, block: Block) -> None:
        if split not in self.names:
            self.names.append(split)
        if len(block):
            first, second = block.ids()
            self._parts.append((first, second, self.names.index(split)))

    def sorted(self) -> Ordered:
        first = np.concatenate([EMPTY, *(part[0] for part in self._parts)])
        second = np.concatenate([EMPTY, *(part[1] for part in self._parts)])
        codes = np.repeat(
            np.array([part[2] for part in self._parts], np.int32),
            np.array([len(part[0]) for part in self._parts], np.int64),
        )
        order = np.argsort(first, kind="stable")
        if crossed(first[order], second[order]):
            order = np.lexsort((second, first))  # stable: of one sample, splits in their order
        return Ordered(first[order], second[order], codes[order])


def matches(before: Ordered, after: Ordered) -> tuple[Places, Places]:
    """Places of pairs that are the same sample; a sample that is there twice pairs twice."""
    both = np.intersect1d(before.first, after.first)
    left, right = (np.flatnonzero(np.isin(side.first, both)) for side in (before, after))
    if len(left) == len(right) == len(both) and _equal(before.second[left], after.second[right]):
        return left, right  # each is there once, in the same order
    pairs: tuple[list[int], list[int]] = ([], [])
    waiting: dict[tuple[int, int], list[int]] = {}
    for place in left.tolist():
        waiting.setdefault((int(before.first[place]), int(before.second[place])), []).append(place)
    for place in right.tolist():
        same = waiting.get((int(after.first[place]), int(after.second[place])))
        if same:
            pairs[0].append(same.pop(0))
            pairs[1].append(place)
    return np.array(pairs[0], np.int64), np.array(pairs[1], np.int64)


def _equal(one: Words, other: Words) -> bool:
    return bool((one == other).all())


def crossed(first: Words, second: Words) -> bool:
    """Whether, where the first lane is the same, the second goes back and forth."""
    return bool(((first[1:] == first[:-1]) & (second[1:] < second[:-1])).any())
