"""Make the table that is profiled: 20 columns as real tables have them, some with nulls.

A program of its own: a large parent would count as its children's peak memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 500_000
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("count", pa.int32()),
        ("age", pa.int16()),
        ("rank", pa.uint8()),
        ("amount_cents", pa.int64()),
        ("year", pa.int32()),
        ("price", pa.float64()),
        ("ratio", pa.float64()),
        ("weight", pa.float32()),
        ("score", pa.float64()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("colour", pa.string()),
        ("country", pa.string()),
        ("product", pa.string()),
        ("reference", pa.string()),
        ("note", pa.string()),
        ("active", pa.bool_()),
        ("premium", pa.bool_()),
        ("label", pa.string()),
    ]
)
COLOURS = pa.array(["red", "green", "blue", "black", "white"])
COUNTRIES = pa.array([f"country {i:03}" for i in range(200)])
PRODUCTS = pa.array([f"product-{i:05}" for i in range(20_000)])
WORDS = pa.array([f"{a} {b} {c}" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuvwx"])
LABELS = pa.array(["no", "yes", "maybe"])


def chunk(random: np.random.Generator, start: int) -> pa.Table:
    """So many rows, beginning with number `start`."""
    few_null = random.random(CHUNK) < 0.02

    def pick(values: pa.Array) -> pa.Array:
        return values.take(pa.array(random.integers(0, len(values), CHUNK)))

    numbers = np.arange(start, start + CHUNK)
    columns = [
        numbers,
        random.poisson(20, CHUNK),
        random.integers(18, 95, CHUNK),
        random.integers(0, 11, CHUNK),
        random.lognormal(8, 2, CHUNK).astype(np.int64),
        random.integers(1990, 2027, CHUNK),
        np.round(random.lognormal(3, 1, CHUNK), 2),
        random.random(CHUNK),
        random.normal(70, 12, CHUNK).astype(np.float32),
        pa.array(random.normal(size=CHUNK), mask=few_null),
        random.uniform(-90, 90, CHUNK),
        random.uniform(-180, 180, CHUNK),
        pick(COLOURS),
        pick(COUNTRIES),
        pick(PRODUCTS),
        pa.array(np.char.add("ref-", numbers.astype("U9"))),
        pa.array(pick(WORDS).to_pylist(), mask=few_null),
        random.random(CHUNK) < 0.7,
        random.random(CHUNK) < 0.1,
        pick(LABELS),
    ]
    arrays = [pa.array(c).cast(f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def make(path: Path, rows: int) -> None:
    """The same table every time."""
    random = np.random.default_rng(2)
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for start in range(0, rows, CHUNK):
            writer.write_table(chunk(random, start))


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
