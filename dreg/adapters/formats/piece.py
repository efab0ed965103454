"""What is opened at once: a file, or part of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.yaml_files import shown


@dataclass(frozen=True)
class Piece:
    """Rows that are read one after another: those of the table at `path`."""

    path: Path

    def place(self, row: int) -> str:
        """Where row number `row` is, counted from 0, as errors name it."""
        return f"`{shown(self.path)}` row {row + 1}"


def pieces(files: Iterable[Path]) -> Iterator[Piece]:
    """The pieces of a split's files, in order."""
    for path in files:
        yield Piece(path)
