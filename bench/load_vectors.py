"""Copy a Parquet file of passages into the empty table `passages`, as `dreg vectors load` does."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy  # noqa: F401 (what is imported when it is needed is not counted: the peer's isn't)
import pgvector.psycopg  # noqa: F401
import pyarrow.parquet  # noqa: F401

from bench.vectors import DIMENSION
from dreg.adapters.postgres.connecting import configured, connected
from dreg.adapters.postgres.filling import columns_of, copy

if __name__ == "__main__":
    files = [Path(sys.argv[1])]
    place = configured(os.environ)
    assert place is not None
    with connected(place) as connection:
        start = time.perf_counter()
        columns = columns_of(files, "vector", DIMENSION, ())
        copy(connection, ("public", "passages"), columns, files, lambda rows: None)
        print("seconds", time.perf_counter() - start)
