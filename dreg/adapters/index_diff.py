"""Two sample indexes compared: which samples came, went, changed, or moved between splits.

Both are sorted, so they are merged in windows of the same range of keys, whatever their size. What
came or went is held as 16 bytes a sample until it is known which of them moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.figures import values
from dreg.adapters.index_moves import EMPTY, Places, Strays, crossed, matches
from dreg.adapters.index_rows import Block, Index, opened_index
from dreg.adapters.lanes import Words
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
        self._moved: tuple[Words, Words, list[str]] = (EMPTY, EMPTY, [])

    def changes(self) -> SampleChanges | None:
        """What became of the samples, in counts; None where the two cannot be compared.

        That is so when one has keys and the other none, and without keys when contents differ.
        """
        counts: dict[str, list[int]] = {}
        gone, come = Strays(), Strays()
        with ExitStack() as stack:
            old, new = (stack.enter_context(opened_index(path)) for path in (self.old, self.new))
            keyed = old.keyed or new.keyed
            if self._incomparable(old, new):
                return None
            for window in windows(old, new, keyed=keyed, contents=self.contents):
                split = window.new.split
                sums = counts.setdefault(split, [0, 0, 0, 0])
                for i, places in enumerate((window.added, window.removed, window.changed)):
                    sums[i] += len(places)
                sums[3] += window.kept
                gone.add(split, window.old.take(window.removed))
                come.add(split, window.new.take(window.added))
        moved: dict[tuple[str, str], int] = {}
        if len(counts) > 1:
            self._match(gone, come, moved)
        for (out, to), number in moved.items():
            counts[out][1] -= number
            counts[to][0] -= number
        splits = {name: SplitChanges(*counts[name]) for name in sorted(counts)}
        return SampleChanges(splits, moved, keyed, self.contents)

    def _incomparable(self, old: Index, new: Index) -> bool:
        if not old.samples or not new.samples:
            return False
        return old.keyed != new.keyed or not (new.keyed or self.contents)

    def _match(self, gone: Strays, come: Strays, moved: dict[tuple[str, str], int]) -> None:
        """Find what left one split and came into another; the same sample is counted once."""
        before, after = gone.sorted(), come.sorted()
        left, right = matches(before, after)
        froms, tos = before.codes[left], after.codes[right]
        across = froms != tos
        left, froms, tos = left[across], froms[across], tos[across]
        pairs, numbers = np.unique(froms.astype(np.int64) << 32 | tos, return_counts=True)
        for pair, number in zip(pairs.tolist(), numbers.tolist(), strict=True):
            moved[gone.names[pair >> 32], come.names[pair & 0xFFFFFFFF]] = number
        self._moved = (
            before.first[left],
            before.second[left],
            [gone.names[c] for c in froms.tolist()],
        )

    def _sources(self) -> dict[tuple[int, int], list[str]]:
        """Of each sample that moved, the splits it was in."""
        sources: dict[tuple[int, int], list[str]] = {}
        first, second, splits = self._moved
        for one, other, split in zip(first.tolist(), second.tolist(), splits, strict=True):
            sources.setdefault((one, other), []).append(split)
        return sources

    def entries(self) -> Iterator[Entry]:
        """Every sample that is not as before, in the order of the indexes, after `changes`."""
        with ExitStack() as stack:
            old, new = (stack.enter_context(opened_index(path)) for path in (self.old, self.new))
            keyed = old.keyed or new.keyed
            left, came = self._sources(), self._sources()
            for window in windows(old, new, keyed=keyed, contents=self.contents):
                yield from self._of_window(window, left, came)

    def _of_window(
        self,
        window: Window,
        left: dict[tuple[int, int], list[str]],
        came: dict[tuple[int, int], list[str]],
    ) -> Iterator[Entry]:
        split = window.new.split
        changed = window.new.take(window.changed)
        yield from (Entry("changed", split, key) for key in changed.texts())
        removed = window.old.take(window.removed)
        for key, identity in zip(removed.texts(), _identities(removed), strict=True):
            if split in left.get(identity, ()):
                left[identity].remove(split)  # told where it came to
            else:
                yield Entry("removed", split, key)
        added = window.new.take(window.added)
        for key, identity in zip(added.texts(), _identities(added), strict=True):
            sources = came.get(identity)
            if sources and sources[0] != split:
                yield Entry("moved", split, key, sources.pop(0))
            else:
                yield Entry("added", split, key)


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
    order = np.argsort(first, kind="stable")  # two sorted runs: the earlier first
    if crossed(first[order], second[order]):
        order = np.lexsort((np.arange(len(first)), second, first))
    first, second = first[order], second[order]
    starts = np.flatnonzero(_starts(first, second))
    from_old = order < len(old)
    before = np.add.reduceat(from_old, starts, dtype=np.int64) if len(starts) else starts
    sizes = np.diff(starts, append=len(first))
    kept = np.minimum(before, sizes - before)
    # Of the samples alike, the first so many are those that stayed.
    group = np.repeat(np.arange(len(starts)), sizes)
    number = np.arange(len(first)) - starts[group]
    number = np.where(from_old, number, number - before[group])
    stray = number >= kept[group]
    removed, added = order[stray & from_old], order[stray & ~from_old] - len(old)
    return Window(old, new, np.sort(removed), np.sort(added), np.empty(0, np.int64))


def _starts(first: Words, second: Words) -> npt.NDArray[np.bool_]:
    """Where another value begins."""
    new = np.ones(len(first), np.bool_)
    if len(first):
        new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return new


def _truths(array: pa.Array) -> npt.NDArray[np.bool_]:
    return values(array.cast(pa.uint8())).view(np.bool_)


def _identities(block: Block) -> Iterator[tuple[int, int]]:
    first, second = block.ids()
    return zip(first.tolist(), second.tolist(), strict=True)
