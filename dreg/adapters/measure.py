"""What is known of a batch of samples, and how it adds up; engines decide who looks at which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from dreg.adapters import figures
from dreg.adapters.classes import labels
from dreg.adapters.formats import Piece, opened
from dreg.adapters.formats.file_types import ImageType, paths
from dreg.adapters.index.rows import hashed
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.core.numbers import Numbers
from dreg.core.profile import Feature
from dreg.core.statistics import Column, Samples
from dreg.errors import Outside

Features = Mapping[str, Feature]


@dataclass(frozen=True)
class Batch:
    """Rows of piece number `number`, of which the first is row number `row`."""

    number: int
    piece: Piece
    row: int
    records: pa.RecordBatch


@dataclass(frozen=True)
class Part:
    """What is known of some rows of piece number `number`; `rows` are those of `index.rows.hashed`."""

    number: int
    schema: pa.Schema
    samples: Samples
    rows: pa.Table

    @classmethod
    def of(cls, batch: Batch, rows: pa.Table, samples: Samples) -> Part:
        return cls(batch.number, batch.records.schema, samples, rows)

    def __add__(self, other: Part) -> Part:
        """With more rows of the same piece."""
        rows = pa.concat_tables([self.rows, other.rows])
        return Part(self.number, self.schema, self.samples + other.samples, rows)


def batches(number: int, piece: Piece, contract: Contract) -> Iterator[Batch]:
    """What is measured at once: first no rows, for the columns' sake, then all there are."""
    with opened(piece, contract) as rows:
        yield Batch(number, piece, 0, empty(rows.schema))
        row = 0
        for records in rows.batches:
            yield Batch(number, piece, row, records)
            row += records.num_rows


def empty(schema: pa.Schema) -> pa.RecordBatch:
    """As `schema.empty_table()`, which imports pandas."""
    arrays = [
        pa.ExtensionArray.from_storage(field.type, pa.nulls(0, field.type.storage_type))
        if isinstance(field.type, pa.BaseExtensionType)
        else pa.nulls(0, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)


def hashes(batch: Batch, contract: Contract) -> pa.Table:
    """What the sample index needs to know."""
    return hashed(batch.records, contract.key, batch.piece, batch.row)


def figures_of(batch: Batch, contract: Contract) -> Samples:
    """What the profile needs to know."""
    columns: dict[str, Column] = {}
    pixels: dict[str, Numbers] = {}
    for name, array in zip(batch.records.schema.names, batch.records.columns, strict=True):
        if isinstance(array.type, ImageType):
            try:
                columns[name], pixels[name] = figures.images(array)
            except figures.Undecodable as error:
                raise undecodable(error, array, name, batch) from error
            continue
        if figures.has_pixels(array.type):
            pixels[name] = figures.pixels(array)
        columns[name] = figures.column(array)
    classes = labels(batch.records, contract, batch.piece, batch.row)
    return Samples(batch.records.num_rows, classes, columns, pixels)


def undecodable(error: figures.Undecodable, array: pa.Array, name: str, batch: Batch) -> Outside:
    """Names the image, and the row that has it."""
    path = paths(array)[error.row].as_py()
    image = f"column `{name}`: image `{path}`" if path and not batch.piece.names else "image"
    return Outside(
        f"{batch.piece.place(batch.row + error.row)}: {image} cannot be decoded: {error}",
        hint="have the pipeline write it again, or leave it out",
    )


def measured(batch: Batch, contract: Contract) -> Part:
    return Part.of(batch, hashes(batch, contract), figures_of(batch, contract))


def described(schema: pa.Schema, contract: Contract) -> dict[str, Feature]:
    """The columns of `schema`, with what the contract knows of them."""
    features = {}
    for field in schema:
        feature = figures.feature(field.type)
        promised = contract.columns.get(field.name)
        if promised is not None:
            feature = replace(
                feature, classes=promised.classes, unit=promised.unit, model=promised.model
            )
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
