"""Values that come again, among more than memory holds: their hashes, sorted in runs on disk."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dreg.adapters.figures import values
from dreg.adapters.hashing.lanes import Lanes
from dreg.adapters.index.runs import Runs

MOST_BYTES = 32 << 20  # in memory; to sort them takes some times as much

Numbers = npt.NDArray[np.int64]
Pair = tuple[int, int]  # numbers of two samples that have one value
Groups = Callable[[Numbers, Numbers], tuple[int, Numbers, Numbers]]


class Repeats:
    """Takes values' hashes with the samples' numbers; tells which come more than once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._runs = Runs(folder, "first", by_hash, MOST_BYTES)

    def add(self, lanes: Lanes, numbers: Numbers) -> None:
        """Take in hashes of values, and the number of the sample that each is of."""
        first, second = lanes
        if len(first):
            columns = {"first": first, "second": second, "number": numbers.view(np.uint64)}
            self._runs.add(pa.table({name: column(words) for name, words in columns.items()}))

    def later(self, most: int) -> tuple[int, list[Pair]]:
        """How many samples have a value that one before has; of the first, each with that one."""
        return self._found(_later, most)

    def across(self, starts: list[int], most: int) -> tuple[int, list[Pair]]:
        """How many values are on both sides of any of `starts`; of some, a sample from two sides."""
        return self._found(_Across(np.array(starts, np.int64)), most)

    def _found(self, groups: Groups, most: int) -> tuple[int, list[Pair]]:
        total, best = 0, list[Pair]()
        for rows in self._runs.sorted():
            for number, ones, others in _among(rows, groups):
                total += number
                pairs = zip(ones.tolist(), others.tolist(), strict=True)
                best = heapq.nsmallest(most, (*best, *pairs))
        return total, best


def _among(rows: pa.Table, groups: Groups) -> Iterator[tuple[int, Numbers, Numbers]]:
    """What `groups` finds among samples of equal hashes; equal ones are all in one table."""
    first, second, numbers = (_words(rows[name]) for name in ("first", "second", "number"))
    same = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
    if not same.any():
        return
    inside = np.concatenate([[False], same]) | np.concatenate([same, [False]])
    group = np.cumsum(np.concatenate([[True], ~same]))[inside]
    members = numbers[inside].view(np.int64)
    order = np.lexsort((members, group))
    yield groups(group[order], members[order])


def _later(group: Numbers, members: Numbers) -> tuple[int, Numbers, Numbers]:
    new = np.concatenate([[True], group[1:] != group[:-1]])
    first = members[new][np.cumsum(new) - 1]
    return int((~new).sum()), *_smallest(members[~new], first[~new])


class _Across:
    def __init__(self, starts: Numbers) -> None:
        self.starts = starts

    def __call__(self, group: Numbers, members: Numbers) -> tuple[int, Numbers, Numbers]:
        side = np.searchsorted(self.starts, members, side="right")
        new = np.concatenate([[True], group[1:] != group[:-1]])
        of = np.cumsum(new) - 1
        other = side != side[new][of]  # members are in order: the first side is the lowest
        where, at = np.unique(of[other], return_index=True)
        return len(where), *_smallest(members[new][where], members[other][at])


def _smallest(ones: Numbers, others: Numbers, most: int = 100) -> tuple[Numbers, Numbers]:
    """The pairs with the lowest first numbers: of millions only few are ever named."""
    if len(ones) > most:
        chosen = np.argpartition(ones, most)[:most]
        return ones[chosen], others[chosen]
    return ones, others


def by_hash(rows: pa.Table) -> pa.Table:
    first, second = _words(rows["first"]), _words(rows["second"])
    order = np.argsort(first)
    ordered, then = first[order], second[order]
    if ((ordered[1:] == ordered[:-1]) & (then[1:] < then[:-1])).any():
        order = np.lexsort((second, first))
    return pa.table({name: column(_words(rows[name])[order]) for name in rows.column_names})


def column(words: npt.NDArray[Any]) -> pa.Array:
    """As `pa.array(words)`, which would import pandas."""
    return pa.Array.from_buffers(pa.uint64(), len(words), [None, pa.py_buffer(words)])


def _words(chunks: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    return np.concatenate([np.empty(0, np.uint64), *(values(chunk) for chunk in chunks.chunks)])
