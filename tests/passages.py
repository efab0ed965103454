"""Releases of passages with vectors, as a pipeline for embeddings makes them; the vectors are synthetic."""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dreg.core.profile import Feature, Profile, Published, Split
from tests.done import Done
from tests.hand_made import HandMade
from tests.postgres_server import Postgres

NAME = "readme-vectors"
VIEW = "passages"
MODEL = "acme/tiny@5c38ec7"
WORDS = ("gpu", "storage", "tracking", "training", "serving", "catalog", "pipeline", "release")


def vectors(rows: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Of length one and in clusters, as those of texts are."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(1, rows // 50), dimension))
    found = centres[random.integers(len(centres), size=rows)]
    found = found + 0.7 * random.normal(size=found.shape)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def passages(found: np.ndarray, texts: list[str] | None = None) -> pa.Table:
    """A row for each vector, in the published columns."""
    number = range(len(found))
    flat = pa.array(found.reshape(-1), pa.float32())
    return pa.table(
        {
            "key": [f"acme/infra/docs/{i // 10:05}.md#{i % 10}" for i in number],
            "repo": ["acme/infra"] * len(found),
            "path": [f"docs/{i // 10:05}.md" for i in number],
            "commit": ["8d4f2c0"] * len(found),
            "chunk": pa.array([i % 10 for i in number], pa.int32()),
            "h1": pa.array(["Infrastructure"] * len(found)),
            "h2": pa.array([None if i % 3 else "Usage" for i in number], pa.string()),
            "h3": pa.array([None] * len(found), pa.string()),
            "text": texts or [f"About {WORDS[i % len(WORDS)]}, part {i}." for i in number],
            "vector": pa.FixedSizeListArray.from_arrays(flat, found.shape[1]),
        }
    )


def metadata(table: pa.Table, model: str = MODEL, rows: int | None = None) -> bytes:
    """The profile of a release with that table."""
    features = {
        field.name: Feature(str(field.type), nullable=field.name in ("h2", "h3"))
        for field in table.schema
        if field.name != "vector"
    }
    if "vector" in table.column_names:
        size = table.schema.field("vector").type.list_size
        features["vector"] = Feature("float32", shape=(size,), model=model)
    number = table.num_rows if rows is None else rows
    split = Split(number, role="train", files=("processed/chunks.parquet",), format="parquet")
    told = {"name": NAME, "kind": "embeddings"}
    key = ("key",) if "key" in table.column_names else ()
    profile = Profile(told, features, {"all": split}, {}, Published(1, 1, "0" * 64), key=key)
    return json.dumps(profile.to_json()).encode()


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class Shelf:
    """A registry with releases of passages, and a database to load them into."""

    made: HandMade
    postgres: Postgres

    def release(
        self, version: str, rows: int = 60, dimension: int = 8, *, model: str = MODEL,
        table: pa.Table | None = None, counted: int | None = None, files: dict[str, bytes] | None = None,
        force: bool = False,
    ) -> pa.Table:  # fmt: skip
        """Release passages; all of a version are told apart by their vectors."""
        if table is None:
            table = passages(vectors(rows, dimension, seed=zlib.crc32(version.encode())))
        content = {"processed/chunks.parquet": parquet(table), **(files or {})}
        told = metadata(table, model, counted)
        self.made.release(version, content, name=NAME, metadata=told, force=force)
        return table

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **self.made.environment,
            **self.postgres.environment,
            "DREG_REPO": str(self.made.bare),
            "PGVECTOR_TABLE_NAME": VIEW,
            **more,
        }

    def dreg(self, *arguments: str, **more: str) -> Done:
        return self.made.dreg(*arguments, **self.environment(**more))

    def load(self, request: str = NAME, *options: str, **more: str) -> dict:
        """`dreg vectors load`, which must succeed; its answer."""
        done = self.dreg("vectors", "load", request, "--json", *options, **more)
        assert done.code == 0, done.stderr
        return done.json


@pytest.fixture
def shelf(hand_made: HandMade, postgres: Postgres) -> Shelf:
    return Shelf(hand_made, postgres)
