"""Samples that left one split and came into another, found among all that left or came.

Which those are is known only when both indexes were read. Up to then they wait on disk, 20 bytes
each, in buckets by their hash: a sample that moved is twice in one bucket, and a bucket is small.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreg.adapters.hashing.lanes import Words

Places = npt.NDArray[np.int64]

EMPTY = np.empty(0, np.uint64)
BUCKETS = 64
HELD = 1 << 20  # strays in memory
STRAY = np.dtype([("first", np.uint64), ("second", np.uint64), ("split", np.int32)])


class Strays:
    """Samples that left a split or came into one: by ids, and the number of the split."""

    def __init__(self) -> None:
        self._held: list[npt.NDArray[np.void]] = []
        self._count = 0
        self._file = tempfile.TemporaryFile(prefix="dreg-moves-")  # noqa: SIM115
        self._written: list[list[tuple[int, int]]] = [[] for _ in range(BUCKETS)]

    def close(self) -> None:
        self._file.close()

    def add(self, split: int, first: Words, second: Words) -> None:
        """Splits come in order, and so do in every bucket."""
        if not len(first):
            return
        strays = np.empty(len(first), STRAY)
        strays["first"], strays["second"], strays["split"] = first, second, split
        self._held.append(strays)
        self._count += len(strays)
        if self._count >= HELD:
            self._spill()

    def _spill(self) -> None:
        for number, part in enumerate(self._parted()):
            if len(part):
                self._written[number].append((self._file.tell(), len(part)))
                self._file.write(part.tobytes())
        self._held, self._count = [], 0

    def _parted(self) -> list[npt.NDArray[np.void]]:
        """What is held, by bucket."""
        held = np.concatenate([np.empty(0, STRAY), *self._held])
        numbers = (held["first"] >> np.uint64(58)).astype(np.uint8)
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange(1, BUCKETS))
        return np.split(held[order], ends)

    def buckets(self) -> Iterator[npt.NDArray[np.void]]:
        """All of them, those with the lowest hashes first."""
        for number, held in enumerate(self._parted()):
            parts = []
            for place, count in self._written[number]:
                self._file.seek(place)
                read = self._file.read(count * STRAY.itemsize)
                parts.append(np.frombuffer(read, STRAY))
            yield np.concatenate([*parts, held]) if parts else held


@dataclass(frozen=True)
class Moves:
    """Samples that moved, sorted by id: where from, where to."""

    ids: npt.NDArray[np.bytes_]
    sources: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]

    @classmethod
    def of(cls, gone: Strays, come: Strays) -> Moves:
        """A sample that is there twice can move twice."""
        ids, sources, targets = [], [], []
        for before, after in zip(gone.buckets(), come.buckets(), strict=True):
            left, right = paired(before, after)
            if len(left):
                ids.append(texts(before["first"][left], before["second"][left]))
                sources.append(before["split"][left])
                targets.append(after["split"][right])
        if not ids:
            return NONE
        return cls(np.concatenate(ids), np.concatenate(sources), np.concatenate(targets))

    def counted(self) -> dict[tuple[int, int], int]:
        """How many by the numbers of the splits that they were in and are in."""
        pairs = self.sources.astype(np.int64) << 32 | self.targets
        found, numbers = np.unique(pairs, return_counts=True)
        return {
            (pair >> 32, pair & 0xFFFFFFFF): number
            for pair, number in zip(found.tolist(), numbers.tolist(), strict=True)
        }

    def of_target(self, split: int) -> Moves:
        return self._only(self.targets == split)

    def of_source(self, split: int) -> Moves:
        return self._only(self.sources == split)

    def _only(self, which: npt.NDArray[np.bool_]) -> Moves:
        return Moves(self.ids[which], self.sources[which], self.targets[which])

    def places(self, first: Words, second: Words) -> Places:
        """Which move each of these samples is, or -1; of samples alike, the first so many."""
        if not len(self.ids):
            return np.full(len(first), -1, np.int64)
        order, starts = grouped(first, second)
        wanted = texts(first[order], second[order])
        places = np.searchsorted(self.ids, wanted)  # quick, since both are sorted
        places += np.arange(len(order)) - starts[groups_of(starts, len(order))]
        found = np.minimum(places, len(self.ids) - 1)
        result = np.empty(len(order), np.int64)
        result[order] = np.where((found == places) & (self.ids[found] == wanted), places, -1)
        return result


NONE = Moves(np.empty(0, "S16"), np.empty(0, np.int32), np.empty(0, np.int32))


def texts(first: Words, second: Words) -> npt.NDArray[np.bytes_]:
    """Ids of 16 bytes, which sort as they are."""
    return np.stack([first, second], axis=1).astype(">u8").view("S16").reshape(-1)


def paired(before: npt.NDArray[np.void], after: npt.NDArray[np.void]) -> tuple[Places, Places]:
    """Places of pairs that are the same sample, in order of the ids."""
    first = np.concatenate([before["first"], after["first"]])
    second = np.concatenate([before["second"], after["second"]])
    order, starts = grouped(first, second)
    from_old = order < len(before)
    some = groups_of(starts, len(order))
    lefts = np.bincount(some, from_old, len(starts)).astype(np.int64)
    kept = np.minimum(lefts, np.bincount(some, minlength=len(starts)) - lefts)
    number = np.arange(len(order)) - starts[some]
    number -= np.where(from_old, 0, lefts[some])
    chosen = number < kept[some]
    return order[chosen & from_old], order[chosen & ~from_old] - len(before)


def grouped(first: Words, second: Words) -> tuple[Places, Places]:
    """The order of ids, of equal ones the earlier first; and where in it other ids begin."""
    order = np.argsort(first, kind="stable")
    one, other = first[order], second[order]
    if ((one[1:] == one[:-1]) & (other[1:] < other[:-1])).any():
        order = np.lexsort((second, first))
        one, other = first[order], second[order]
    new = np.ones(len(first), np.bool_)
    if len(first):
        new[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    return order, np.flatnonzero(new)


def groups_of(starts: Places, count: int) -> Places:
    """The number of its group for each of `count` in order."""
    return np.repeat(np.arange(len(starts)), np.diff(starts, append=count))
