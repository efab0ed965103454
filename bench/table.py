"""Make the table that is indexed: five columns of integers, five of floats.

A program of its own: a large parent would count as its children's peak memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 4_000_000


def make(path: Path) -> None:
    """The same table every time."""
    random = np.random.default_rng(1)
    schema = pa.schema(
        [(f"whole_{i}", pa.int64()) for i in range(5)]
        + [(f"real_{i}", pa.float64()) for i in range(5)]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for _ in range(ROWS // 500_000):
            whole = [random.integers(0, 10**6, 500_000) for _ in range(5)]
            real = [random.normal(size=500_000) for _ in range(5)]
            writer.write(pa.table([*whole, *real], schema=schema))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
