"""Which files a split has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dreg.adapters.formats import missing
from dreg.adapters.yaml_files import shown
from dreg.core.contract import ContractSplit


def split_files(data: Path, split: ContractSplit) -> Iterator[Path]:
    """The files of a split, in the contract's order, those of a pattern sorted by path.

    `data` is the dataset's folder. Raises Outside for a pattern that no file there has.
    """
    for pattern in split.files:
        found = sorted(path for path in data.glob(pattern) if path.is_file())
        if not found:
            raise missing(shown(data / pattern))
        yield from found
