"""Sorting more rows than memory holds: sorted runs on disk, then ranges that all runs share.

Unlike a merge of runs row by row, a range is read from all runs at once and sorted as arrays are.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

Order = Callable[[pa.Table], pa.Table]

BLOCK = 1 << 14  # rows that are written and read together


class Runs:
    """Rows to be sorted `by` a column, with the function that sorts a table of them.

    What is more than `most` bytes goes into files in `folder`. Equal values are never parted, and
    keep their order if `order` does.
    """

    def __init__(self, folder: Path, by: str, order: Order, most: int) -> None:
        self.folder = folder
        self.by = by
        self.order = order
        self.most = most
        self.held: list[pa.Table] = []
        self.size = 0
        self.files: list[Path] = []
        self.firsts: list[Any] = []  # of each block in the files

    def add(self, rows: pa.Table) -> None:
        self.held.append(rows)
        self.size += rows.nbytes
        if self.size >= self.most:
            self.spill()

    def spill(self) -> None:
        """Write what is held as a sorted run."""
        if not self.held:
            return
        run = self._taken()
        path = self.folder / f"{len(self.files)}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, run.schema) as writer:
            for start in range(0, len(run), BLOCK):
                block = run.slice(start, BLOCK)
                self.firsts.append(block[self.by][0].as_py())
                writer.write_table(block, max_chunksize=BLOCK)
        self.files.append(path)

    def _taken(self) -> pa.Table:
        rows, self.held, self.size = pa.concat_tables(self.held), [], 0
        return self.order(rows)

    def sorted(self) -> Iterator[pa.Table]:
        """All rows in order, in tables that fit into memory."""
        if not self.files:
            if self.held:
                yield self._taken()
            return
        self.spill()
        # A block begins at each of `firsts`: between every so many of them lies about a run.
        each = max(1, len(self.firsts) // len(self.files))
        limits = sorted(set(sorted(self.firsts)[each::each]))
        with ExitStack() as stack:
            runs = [Run(stack.enter_context(pa.OSFile(str(path))), self.by) for path in self.files]
            for limit in (*limits, None):
                blocks = [block for run in runs for block in run.until(limit)]
                if blocks:
                    yield self.order(pa.Table.from_batches(blocks))


class Run:
    """A sorted run, read once from its start to its end."""

    def __init__(self, file: pa.NativeFile, by: str) -> None:
        self.by = by
        self.blocks = iter(pa.ipc.open_stream(file))
        self.rest: pa.RecordBatch | None = None

    def until(self, limit: Any) -> Iterator[pa.RecordBatch]:
        """What comes before `limit`; without one, all that is left."""
        while (block := self.rest or next(self.blocks, None)) is not None:
            column, self.rest = block.column(self.by), None
            place = block.num_rows
            if limit is not None and column[-1].as_py() >= limit:
                values = [value.as_py() for value in column]
                place = bisect.bisect_left(values, limit)
                self.rest = block.slice(place)
            if place:
                yield block.slice(0, place)
            if self.rest is not None:
                return
