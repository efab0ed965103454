"""Two sample indexes of keyed samples: 1% went, 1% came, 1% have another content."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dreg.adapters.index.writing import SCHEMA, SETTINGS, repeated
from dreg.adapters.parquet import ROWS_IN_GROUP


def keys(numbers: np.ndarray) -> pa.Array:
    """`wine-000000012` and so on: sorted as their numbers are."""
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 9, "0")
    return pc.binary_join_element_wise("wine-", digits, "")


def write(path: Path, numbers: np.ndarray, contents: np.ndarray) -> None:
    """An index of the samples with these numbers, whose contents are told by other numbers."""
    with pq.ParquetWriter(path, SCHEMA, **SETTINGS) as writer:
        for start in range(0, len(numbers), ROWS_IN_GROUP):
            some = numbers[start : start + ROWS_IN_GROUP]
            words = np.stack([contents[some], contents[some] * 3], axis=1).astype(">u8")
            hashes = pa.Array.from_buffers(pa.binary(16), len(some), [None, pa.py_buffer(words)])
            splits = repeated(b"train", len(some)).cast(pa.string())
            columns = [splits, keys(some), hashes]
            writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), ROWS_IN_GROUP)


def main(folder: Path, samples: int) -> None:
    """Write `old.parquet` and `new.parquet` with so many samples each."""
    seed = int.from_bytes(hashlib.sha256(b"index pair").digest()[:8], "big")
    random = np.random.default_rng(seed)
    share = samples // 100
    everything = samples + share  # numbers that one or the other has
    order = random.permutation(everything)
    went, came, changed = order[:share], order[share : 2 * share], order[2 * share : 3 * share]
    contents = random.integers(0, 1 << 62, everything, np.uint64)
    there = np.ones(everything, np.bool_)
    there[came] = False
    write(folder / "old.parquet", np.flatnonzero(there), contents)
    contents[changed] += np.uint64(1)
    there[came], there[went] = True, False
    write(folder / "new.parquet", np.flatnonzero(there), contents)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
