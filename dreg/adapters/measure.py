"""Measuring a split: its files, batch by batch, as samples and features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from dreg.adapters import figures
from dreg.adapters.formats import Piece, opened, pieces
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.core.profile import Feature
from dreg.core.statistics import Column, Others, Samples
from dreg.errors import Outside

Features = Mapping[str, Feature]
Seen = Callable[[Piece, int, pa.RecordBatch], None]

MOST_CLASSES = 10_000  # each is a line of metadata.json, which is in git


def measure(files: Iterable[Path], contract: Contract, seen: Seen) -> tuple[Samples, Features]:
    """The samples in `files`, and their columns as they are; `contract` adds units and classes.

    `seen` is told each batch, with its piece and the number of its first row there, before it is measured.
    Raises Outside for a broken file, files whose columns differ, and an unlisted label.
    """
    samples, features, first = Samples(), dict[str, Feature](), None
    for piece in pieces(files, contract):
        with opened(piece, contract) as rows:
            found = described(rows.schema, contract)
            if first is not None:
                same_columns(first, features, piece.file, found)
            first, features = first or piece.file, found
            samples += Samples(columns={field.name: nothing(field) for field in rows.schema})
            row = 0
            for batch in rows.batches:
                seen(piece, row, batch)
                samples += part(batch, contract, piece, row)
                row += batch.num_rows
                few_enough(samples, contract)
    return samples, {
        name: replace(feature, nullable=nulls(samples, name) > 0)
        for name, feature in features.items()
    }


def described(schema: pa.Schema, contract: Contract) -> dict[str, Feature]:
    """The columns of `schema`, with what the contract knows of them."""
    features = {}
    for field in schema:
        feature = figures.feature(field.type)
        promised = contract.columns.get(field.name)
        if promised is not None:
            feature = replace(feature, classes=promised.classes, unit=promised.unit)
        features[field.name] = feature
    return features


def same_columns(first: Path, features: Features, path: Path, found: Features) -> None:
    """Raises Outside unless two files of one dataset have the same columns of the same types."""
    for name in dict.fromkeys((*features, *found)):
        one, other = features.get(name), found.get(name)
        if one is None or other is None:
            where = shown(first if other is None else path)
            fact = f"column `{name}` is in `{where}` only"
        elif (one.type, one.shape) != (other.type, other.shape):
            fact = f"column `{name}` is {kind(one)} in `{shown(first)}` and {kind(other)} in `{shown(path)}`"
        else:
            continue
        raise Outside(fact, hint="have the pipeline write all files with the same columns")


def kind(feature: Feature) -> str:
    """A column's type as in `uint8[28, 28]`."""
    return f"{feature.type}{list(feature.shape) if feature.shape else ''}"


def nothing(field: pa.Field) -> Column:
    """The figures of a column without rows: which figures there are depends on its type alone."""
    return figures.column(pa.nulls(0, figures.storage(field.type)))


def part(batch: pa.RecordBatch, contract: Contract, piece: Piece, row: int) -> Samples:
    """The samples of one batch, whose first is row number `row` of the piece."""
    columns, pixels = {}, {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        if figures.has_pixels(array.type):
            pixels[name] = figures.pixels(array)
        columns[name] = figures.column(array)
    return Samples(batch.num_rows, labels(batch, contract, piece, row), columns, pixels)


def labels(batch: pa.RecordBatch, contract: Contract, piece: Piece, row: int) -> dict[str, int]:
    """Samples by class. A class without samples is counted too: its absence is worth seeing."""
    name = contract.label
    if name is None or name not in batch.schema.names:
        return {}
    array = batch.column(name)
    classes = contract.columns[name].classes
    if pa.types.is_floating(array.type) and not classes:
        return {}  # a quantity to be predicted has no classes
    distribution = dict.fromkeys(classes, 0)
    for value, number in figures.counts(array).items():
        class_name = class_of(value, classes)
        if class_name is None:
            raise Outside(
                f"{piece.place(row + figures.first_row(array, value))}: label {value!r} in column `{name}` is none of the "
                f"{len(classes)} classes",
                hint="correct the pipeline, or add the class to dataset.yaml",
            )
        distribution[class_name] = distribution.get(class_name, 0) + number
    return distribution


def few_enough(samples: Samples, contract: Contract) -> None:
    """Raises Outside when the label takes so many values that they can't be classes."""
    if len(samples.classes) > MOST_CLASSES and not contract.columns[contract.label or ""].classes:
        raise Outside(
            f"the label `{contract.label}` has more than {MOST_CLASSES:,} different values",
            hint="name a column of classes as `label` in dataset.yaml, or none",
        )


def class_of(value: object, classes: tuple[str, ...]) -> str | None:
    """The name of the class that `value` stands for: itself, or the one at that index."""
    if not classes:
        return str(value)
    if isinstance(value, int):  # a truth value too: False is the first class
        return classes[value] if 0 <= value < len(classes) else None
    return str(value) if str(value) in classes else None


def nulls(samples: Samples, name: str) -> int:
    return int(samples.columns.get(name, Others()).figures()["nulls"])
