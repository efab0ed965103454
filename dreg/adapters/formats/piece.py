"""What is opened at once: a file, or part of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.yaml_files import shown


@dataclass(frozen=True)
class Piece:
    """Rows that are read one after another: those of the table at `path`.

    Of a table in Parquet maybe only some: those of its row groups in `groups`, of which the first
    row is number `first` of the table.
    """

    path: Path
    groups: range | None = None
    first: int = 0

    def place(self, row: int) -> str:
        """Where row number `row` of the piece is, counted from 0, as errors name it."""
        return f"`{shown(self.path)}` row {self.first + row + 1}"
