"""Build the HNSW index on the table `passages`, as `dreg vectors load` does."""

from __future__ import annotations

import os

from bench.vectors import DIMENSION
from dreg.adapters.postgres.connecting import configured, connected
from dreg.adapters.postgres.filling import index

if __name__ == "__main__":
    place = configured(os.environ)
    assert place is not None
    with connected(place) as connection:
        (rows,) = connection.execute("select count(*) from passages").fetchone() or (0,)
        index(connection, ("public", "passages"), "vector", DIMENSION, rows)
