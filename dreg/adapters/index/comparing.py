"""Two sample indexes compared: which samples came, went, changed, or moved between splits.

Both are sorted, so they are merged in windows of the same range of keys, whatever their size. What
came or went waits on disk until it is known which of them moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.figures import values
from dreg.adapters.index.moves import EMPTY, NONE, Moves, Places, Strays, grouped, groups_of
from dreg.adapters.index.reading import Block, Index, opened_index
from dreg.core.samples import Entry, SampleChanges, SplitChanges


@dataclass(frozen=True)
class Window:
    """The samples of one split within a range of keys, and which of them are not as before.

    `removed` are places in `old`; `added` and `changed` in `new`.
    """

    old: Block
    new: Block
    removed: Places
    added: Places
    changed: Places

    @property
    def kept(self) -> int:
        return len(self.new) - len(self.added) - len(self.changed)


class IndexDiff:
    """The comparison of two indexes. `contents`: whether equal samples have equal hashes in both.

    Raises Outside for a file that is damaged or no index. None of the figures is read from anything
    but the two files.
    """

    def __init__(self, old: Path, new: Path, *, contents: bool = True) -> None:
        self.old = old
        self.new = new
        self.contents = contents
        self._moves = NONE
        self._splits: list[str] = []  # by the numbers that moves have

    def changes(self) -> SampleChanges | None:
        """What became of the samples, in counts; None where the two cannot be compared.

        That is so when one has keys and the other none, and without keys when contents differ.
        """
        counts: dict[str, list[int]] = {}
        with ExitStack() as stack:
            old, new = (stack.enter_context(opened_index(path)) for path in (self.old, self.new))
            gone, come = (stack.enter_context(closing(Strays())) for _ in range(2))
            keyed = old.keyed or new.keyed
            if self._incomparable(old, new):
                return None
            for window in windows(old, new, keyed=keyed, contents=self.contents):
                sums = counts.setdefault(window.new.split, [0, 0, 0, 0])
                for i, places in enumerate((window.added, window.removed, window.changed)):
                    sums[i] += len(places)
                sums[3] += window.kept
                gone.add(len(counts), *window.old.take(window.removed).ids())
                come.add(len(counts), *window.new.take(window.added).ids())
            self._splits = ["", *counts]
            if len(counts) > 1:
                self._moves = Moves.of(gone, come)
        moved: dict[tuple[str, str], int] = {}
        for (source, target), number in self._moves.counted().items():
            out, to = self._splits[source], self._splits[target]
            moved[out, to] = number
            counts[out][1] -= number
            counts[to][0] -= number
        splits = {name: SplitChanges(*counts[name]) for name in sorted(counts)}
        return SampleChanges(splits, moved, keyed, self.contents)

    def _incomparable(self, old: Index, new: Index) -> bool:
        if not old.samples or not new.samples:
            return False
        return old.keyed != new.keyed or not (new.keyed or self.contents)

    def entries(self) -> Iterator[Entry]:
        """Every sample that is not as before, in the order of the indexes, after `changes`."""
        with ExitStack() as stack:
            old, new = (stack.enter_context(opened_index(path)) for path in (self.old, self.new))
            if self._incomparable(old, new):
                return
            split, left, came = "", NONE, NONE
            for window in windows(old, new, keyed=old.keyed or new.keyed, contents=self.contents):
                if window.new.split != split:
                    split = window.new.split
                    number = self._splits.index(split, 1)
                    left, came = self._moves.of_source(number), self._moves.of_target(number)
                yield from self._of_window(window, left, came)

    def _of_window(self, window: Window, left: Moves, came: Moves) -> Iterator[Entry]:
        split = window.new.split
        changed = window.new.take(window.changed)
        yield from (Entry("changed", split, key) for key in changed.texts())
        removed = window.old.take(window.removed)
        # What moved is told where it came to.
        away = left.places(*removed.ids()) < 0
        yield from (
            Entry("removed", split, key) for key in removed.take(np.flatnonzero(away)).texts()
        )
        added = window.new.take(window.added)
        places = came.places(*added.ids())
        sources = came.sources[places].tolist() if len(came.ids) else [0] * len(added)
        for key, place, source in zip(added.texts(), places.tolist(), sources, strict=True):
            if place < 0:
                yield Entry("added", split, key)
            else:
                yield Entry("moved", split, key, self._splits[source])


def windows(old: Index, new: Index, *, keyed: bool, contents: bool) -> Iterator[Window]:
    """Both indexes side by side: of either all samples once, in ranges that end at the same key."""
    one, other = (_Cursor(index.blocks(keys=keyed)) for index in (old, new))
    while one.block is not None or other.block is not None:
        split = min((c.block.split for c in (one, other) if c.block is not None), key=str.encode)
        limit = _limit(one, other, split)
        before, after = one.taken(split, limit, keyed), other.taken(split, limit, keyed)
        if not len(before) and not len(after):
            # All that is left of a block has the same key: see whether the next one has it too.
            for cursor in (one, other):
                if cursor.more(split) and cursor.last == limit:
                    cursor.grow()
            continue
        yield _compared(before, after, contents)


def _limit(one: _Cursor, other: _Cursor, split: str) -> str | int | None:
    """Where the window ends: blocks that others follow are complete up to before their last key."""
    ends = [cursor.last for cursor in (one, other) if cursor.more(split)]
    return min(ends, default=None)


class _Cursor:
    """Reads blocks with one ahead."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self.block: Block | None = next(blocks, None)
        self._next: Block | None = next(blocks, None)

    def more(self, split: str) -> bool:
        """Whether the block is of the split and another block of it follows."""
        here, ahead = self.block, self._next
        return (
            here is not None and here.split == split and ahead is not None and ahead.split == split
        )

    @property
    def last(self) -> str | int:
        assert self.block is not None
        return self.block.last

    def grow(self) -> None:
        assert self.block is not None and self._next is not None
        self.block = self.block.joined(self._next)
        self._next = next(self._blocks, None)

    def taken(self, split: str, limit: str | int | None, keyed: bool) -> Block:
        """Take what is of the split and before the limit."""
        block = self.block
        if block is None or block.split != split:
            return _nothing(split, keyed)
        count = len(block) if limit is None else block.below(limit)
        if count == len(block):
            self.block, self._next = self._next, next(self._blocks, None)
            return block
        self.block = block.cut(count, len(block))
        return block.cut(0, count)


def _nothing(split: str, keyed: bool) -> Block:
    return Block(split, EMPTY, EMPTY, pa.array([], pa.string()) if keyed else None)


def _compared(old: Block, new: Block, contents: bool) -> Window:
    if old.keys is None or new.keys is None:
        return _by_hash(old, new)
    if len(old) == len(new) and old.keys.equals(new.keys):  # most windows of most releases
        places = np.arange(len(new), dtype=np.int64)
        removed = added = places[:0]
    else:
        found = pc.index_in(new.keys, value_set=old.keys)
        missing = _truths(found.is_null())
        added = np.flatnonzero(missing)
        places = values(found).astype(np.int64)
        still = np.zeros(len(old), np.bool_)
        still[places] = True
        removed = np.flatnonzero(~still)
        kept = np.flatnonzero(~missing)
        return Window(old, new, removed, added, kept[_differ(old, places, new, kept, contents)])
    return Window(old, new, removed, added, places[_differ(old, places, new, places, contents)])


def _differ(
    old: Block, before: Places, new: Block, after: Places, contents: bool
) -> npt.NDArray[np.bool_]:
    if not contents:
        return np.zeros(len(after), np.bool_)
    first = old.first[before] != new.first[after]
    second = old.second[before] != new.second[after]
    differ: npt.NDArray[np.bool_] = np.logical_or(first, second)
    return differ


def _by_hash(old: Block, new: Block) -> Window:
    """Without keys: samples with one hash are alike, and counted."""
    first = np.concatenate([old.first, new.first])
    second = np.concatenate([old.second, new.second])
    order, starts = grouped(first, second)
    from_old = order < len(old)
    group = groups_of(starts, len(order))
    before = np.bincount(group, from_old, len(starts)).astype(np.int64)
    kept = np.minimum(before, np.bincount(group, minlength=len(starts)) - before)
    # Of the samples alike, the first so many are those that stayed.
    number = np.arange(len(order)) - starts[group]
    number -= np.where(from_old, 0, before[group])
    stray = number >= kept[group]
    removed, added = order[stray & from_old], order[stray & ~from_old] - len(old)
    return Window(old, new, np.sort(removed), np.sort(added), np.empty(0, np.int64))


def _truths(array: pa.Array) -> npt.NDArray[np.bool_]:
    return values(array.cast(pa.uint8())).view(np.bool_)
