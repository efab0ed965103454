"""Parts of what was measured, put together by split; the same whichever engine they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from dreg.adapters.classes import few_enough, none_yet
from dreg.adapters.formats import Piece
from dreg.adapters.index.writing import SampleIndex
from dreg.adapters.measure import Features, Part, described, same_columns
from dreg.core.contract import Contract
from dreg.core.statistics import Others, Samples

Engine = Callable[[Sequence[Piece], Contract], Iterator[Part]]
"""The parts of all pieces, in the order of pieces and of rows. The first of them that cannot be
measured is the one whose error is raised, whatever else was found out before."""


def measure(
    splits: Mapping[str, Sequence[Piece]], contract: Contract, index: SampleIndex, engine: Engine
) -> Iterator[tuple[str, Samples, Features]]:
    """By split, its samples, which `index` is told too, and its columns as they are.

    Raises Outside for a broken file, files whose columns differ, and what a sample should not have.
    """
    pieces = [piece for some in splits.values() for piece in some]
    owners = [split for split, some in splits.items() for _ in some]
    first: Path | None = None
    columns: Features = {}
    for split, parts in groupby(engine(pieces, contract), lambda part: owners[part.number]):
        samples, number = Samples(), -1
        for part in parts:
            piece = pieces[part.number]
            if part.number != number:
                found = described(part.schema, contract)
                if first is None:
                    first, columns = piece.file, found
                same_columns(first, columns, piece.file, found)
                if number < 0:
                    samples = Samples(classes=none_yet(columns, contract))
                number = part.number
            samples += part.samples
            few_enough(samples, contract)
            index.add(split, piece, part.rows)
        yield (
            split,
            samples,
            {
                name: replace(feature, nullable=nulls(samples, name) > 0)
                for name, feature in columns.items()
            },
        )


def nulls(samples: Samples, name: str) -> int:
    return int(samples.columns.get(name, Others()).figures()["nulls"])
