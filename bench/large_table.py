"""A table of about 5 GB, profiled and indexed: how much memory that takes.

Not among what `make bench` runs: it writes 5 GB, and takes minutes.

    python -m bench.large_table FOLDER [GIGABYTES] [csv|jsonl]   # makes it, measures it, removes it

The table has 20 columns of numbers, wide texts, and row groups of a million rows, which is the
hardest case for whoever reads a group at a time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pyarrow import csv

ROWS = 1_000_000
WIDE = 600  # characters
MEASURE = "from dreg.stages import profile; profile.write()"


def table(rng: np.random.Generator, first: int) -> pa.Table:
    columns: dict[str, pa.Array] = {"id": pa.array(np.arange(first, first + ROWS))}
    for number in range(15):
        columns[f"float_{number}"] = pa.array(rng.normal(number, 10, ROWS))
    for number in range(4):
        columns[f"whole_{number}"] = pa.array(rng.integers(0, 10 ** (number + 2), ROWS))
    letters = rng.integers(97, 123, ROWS * WIDE, dtype=np.uint8).tobytes()
    lengths = rng.integers(0, WIDE, ROWS)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    text = pa.LargeStringArray.from_buffers(ROWS, pa.py_buffer(offsets), pa.py_buffer(letters))
    return pa.table(columns | {"text": text})


def write(path: Path, gigabytes: float) -> tuple[int, list[str]]:
    """The file, of so many bytes; how many rows it has, and its columns."""
    rng = np.random.default_rng(7)
    schema = table(rng, 0).schema
    rows = 0
    with WRITERS[path.suffix](path, schema) as writer:
        while not path.exists() or path.stat().st_size < gigabytes * 1e9:
            writer.write_table(table(rng, rows), ROWS)
            rows += ROWS
    return rows, schema.names


class JsonLines:
    """A writer like Arrow's, which has none for this format."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.file = path.open("w")

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def write_table(self, part: pa.Table, size: int) -> None:
        for batch in part.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                self.file.write(json.dumps(row) + "\n")


WRITERS = {
    ".parquet": lambda path, schema: pq.ParquetWriter(path, schema, compression="none"),
    ".csv": csv.CSVWriter,
    ".jsonl": JsonLines,
}


def main() -> None:
    folder = Path(sys.argv[1])
    gigabytes = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    name = f"train.{sys.argv[3] if len(sys.argv) > 3 else 'parquet'}"
    pipeline, data = folder / "pipelines/large", folder / "data/large"
    pipeline.mkdir(parents=True)
    data.mkdir(parents=True)
    try:
        # In a process of its own: on Linux a child's peak is at least what its parent had.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            rows, names = pool.submit(write, data / name, gigabytes).result()
        columns = dict.fromkeys(names, "float64") | {"id": "int64", "text": "string"}
        contract = {
            "title": "Large",
            "description": "Large",
            "licence": "CC0-1.0",
            "splits": {"train": {"files": [name]}},
            "columns": columns,
            "key": "id",
        }
        (pipeline / "dataset.yaml").write_text(yaml.safe_dump(contract))
        stages = {"stages": {"process": {"outs": [f"../../data/large/{name}"]}}}
        (pipeline / "dvc.yaml").write_text(yaml.safe_dump(stages))
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", MEASURE], cwd=pipeline)
        _, status, usage = os.wait4(child.pid, 0)
        size = (data / name).stat().st_size
        found = {
            "rows": rows,
            "gigabytes": round(size / 1e9, 2),
            "seconds": round(time.perf_counter() - started, 1),
            "peak_megabytes": round(usage.ru_maxrss / 1024),
            "status": os.waitstatus_to_exitcode(status),
        }
        print(json.dumps(found))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
