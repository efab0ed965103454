"""Splits whose files are the samples: images, documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa

from dreg.adapters.formats import rows
from dreg.adapters.formats.file_contents import document_bytes, image_bytes
from dreg.adapters.formats.file_types import (
    IMAGE,
    KINDS,
    FileType,
    PathType,
    binary,
    files,
)
from dreg.adapters.formats.piece import Piece, kind_of
from dreg.adapters.formats.rows import Rows
from dreg.core.contract import Contract

FILE = "file"
CONTENT = {"image": "image", "document": "text"}  # the column that has what is in the files


def read(piece: Piece, contract: Contract) -> Rows:
    """A row for each file: `file`, `image` or `text`, and the label, which the folder's name is."""
    word = kind_of(Path(piece.names[0])) or IMAGE
    kind = KINDS[word]()
    fields = [(FILE, PathType()), (CONTENT[word], kind)]
    label = contract.label
    if label is not None and label not in dict(fields):
        fields.append((label, pa.large_string()))
    schema = pa.schema(fields)
    return Rows(schema, _batches(piece, schema, kind))


def _batches(piece: Piece, schema: pa.Schema, kind: FileType) -> Iterator[pa.RecordBatch]:
    reading = image_bytes if kind.word == IMAGE else document_bytes
    names: list[str] = []
    contents: list[bytes] = []
    size = 0
    for name in piece.names:
        names.append(name)
        contents.append(reading(piece.path / name))
        size += len(contents[-1])
        if size >= rows.BATCH_BYTES:
            yield _batch(schema, kind, names, contents)
            names, contents, size = [], [], 0
    if names:
        yield _batch(schema, kind, names, contents)


def _batch(
    schema: pa.Schema, kind: FileType, names: list[str], contents: list[bytes]
) -> pa.RecordBatch:
    paths = texts(names)
    columns = [pa.ExtensionArray.from_storage(PathType(), paths), files(kind, contents, paths)]
    if len(schema) > len(columns):
        columns.append(texts([PurePosixPath(name).parent.name or None for name in names]))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def texts(values: list[str] | list[str | None]) -> pa.Array:
    # A file's name may be any bytes; as an error would name it, so the column does.
    octets = [None if value is None else value.encode(errors="replace") for value in values]
    return binary(octets).cast(pa.large_string())
