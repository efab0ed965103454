"""What the sample index needs to know of samples: hash and key of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.formats import Piece
from dreg.adapters.hashing.fingerprints import Unhashable, fingerprints
from dreg.adapters.index.keys import key_texts
from dreg.adapters.yaml_files import shown
from dreg.errors import Outside


def hashed(batch: pa.RecordBatch, key: tuple[str, ...], piece: Piece, row: int) -> pa.Table:
    """By sample, the lanes of its hash and, with a `key`, its key. The first is row number `row`.

    Raises Outside for a key that is absent or null and for a type that has no canonical content,
    BadRequest for a key column of a type that makes no key.
    """
    try:
        first, second = fingerprints(batch)
    except Unhashable as error:
        raise Outside(
            f"`{shown(piece.path)}` has values of type {error}, which no hash is defined for",
            hint="have the pipeline write them as a number, a text, a list or a struct",
        ) from error
    lanes = {"first": column(first), "second": column(second)}
    if not key:
        return pa.table(lanes)
    for name in key:
        if name not in batch.schema.names:
            raise Outside(
                f"key column `{name}` is not in `{shown(piece.path)}`",
                hint="have the pipeline write it, or correct `key` in dataset.yaml",
            )
    keys = key_texts(batch, key)
    if keys.null_count:
        at = row + pc.index(keys.is_null(), True).as_py()
        raise Outside(
            f"{piece.place(at)} has no key: there is nothing in {columns(key)}",
            hint="have the pipeline fill it in, or correct `key` in dataset.yaml",
        )
    return pa.table({"key": keys, **lanes})


def columns(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def column(words: npt.NDArray[np.uint64]) -> pa.Array:
    """As `pa.array(words)`, which would import pandas."""
    return pa.Array.from_buffers(pa.uint64(), len(words), [None, pa.py_buffer(words)])
