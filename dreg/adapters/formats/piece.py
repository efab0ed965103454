"""What is opened at once: a table or a part of one, or files of which each is a sample."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.formats.file_types import DOCUMENT, IMAGE
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.core.file_formats import DOCUMENTS, IMAGES

KINDS = {
    **{f".{ending}": IMAGE for ending in IMAGES},
    **{f".{ending}": DOCUMENT for ending in DOCUMENTS if ending != "pdf"},  # that is no text
}
FILES_AT_ONCE = 1024


@dataclass(frozen=True)
class Piece:
    """Rows that are read one after another: those of the table at `path`.

    Of a table in Parquet maybe only some: those of its row groups in `groups`, of which the first
    row is number `first` of the table. With `names`, `path` is a folder, and each of these files
    below it is a row. `columns` are those that are needed, as far as there are such; None: all.
    """

    path: Path
    groups: range | None = None
    first: int = 0
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None

    @property
    def file(self) -> Path:
        """The file that stands for the piece in messages about its columns."""
        return self.path / self.names[0] if self.names else self.path

    def place(self, row: int) -> str:
        """Where row number `row` of the piece is, counted from 0, as errors name it."""
        if self.names:
            return f"`{shown(self.path / self.names[row])}`"
        return f"`{shown(self.path)}` row {self.first + row + 1}"


def kind_of(path: Path) -> str | None:
    """`image` or `document`, if the file at `path` is one by its name."""
    return KINDS.get(path.suffix.lower())


def common_folder(files: list[Path], contract: Contract) -> Path:
    """The lowest folder that has all files below it; folders that name classes are below it too."""
    folders = {path.parent for path in files}
    folder = Path(os.path.commonpath(folders))
    return folder.parent if contract.label and folders == {folder} else folder


def together(folder: Path, files: Iterable[Path]) -> Iterator[Piece]:
    """Pieces of some files each."""
    names = [path.relative_to(folder).as_posix() for path in files]
    for start in range(0, len(names), FILES_AT_ONCE):
        yield Piece(folder, names=tuple(names[start : start + FILES_AT_ONCE]))
