"""Sorting more rows than memory holds: sorted runs on disk, then ranges that all runs share.

Unlike a merge of runs row by row, a range is read from all runs at once and sorted as arrays are.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

Order = Callable[[pa.Table], pa.Table]


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

    def add(self, rows: pa.Table) -> None:
        self.held.append(rows)
        self.size += rows.nbytes
        if self.size >= self.most:
            self.spill()

    def spill(self) -> None:
        """Write what is held as a sorted run."""
        if not self.held:
            return
        [run] = self._taken().combine_chunks().to_batches(max_chunksize=None)
        path = self.folder / f"{len(self.files)}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, run.schema) as writer:
            writer.write_batch(run)
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
        runs = [pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in self.files]
        starts = [0] * len(runs)
        for limit in (*self._limits(runs), None):
            ends = [len(run) if limit is None else self._place(run, limit) for run in runs]
            rows = pa.concat_tables(
                run.slice(start, end - start)
                for run, start, end in zip(runs, starts, ends, strict=True)
            )
            starts = ends
            if len(rows):
                yield self.order(rows)

    def _limits(self, runs: list[pa.Table]) -> list[Any]:
        """Values that cut all rows into ranges of about a run's size."""
        each = 4 * len(runs)
        seen = sorted(
            run[self.by][len(run) * i // each].as_py() for run in runs for i in range(each)
        )
        return sorted(set(seen[each::each]))

    def _place(self, run: pa.Table, limit: Any) -> int:
        column = run[self.by]
        return bisect.bisect_left(range(len(run)), limit, key=lambda row: column[row].as_py())
