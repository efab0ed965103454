"""The table of chunks with their vectors, as it is published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dreg.core.passage import Passage

if TYPE_CHECKING:
    import numpy as np

CHUNKS = "chunks.parquet"
MODEL = "model.json"  # beside it: the model as params.yaml declares it, for who embeds a question


def chunk_schema(dimension: int) -> pa.Schema:
    """The columns of chunks.parquet, in their order."""
    text = pa.string()
    return pa.schema(
        [
            pa.field("key", text, nullable=False),
            pa.field("repo", text, nullable=False),
            pa.field("path", text, nullable=False),
            pa.field("commit", text),
            pa.field("chunk", pa.int32(), nullable=False),
            pa.field("h1", text),
            pa.field("h2", text),
            pa.field("h3", text),
            pa.field("text", text, nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )


def chunk_table(passages: Sequence[Passage], vectors: np.ndarray) -> pa.Table:
    """A row for each passage with its vector, in the order given."""
    schema = chunk_schema(vectors.shape[1])
    columns = [
        pa.array([getattr(passage, name) for passage in passages], schema.field(name).type)
        for name in schema.names
        if name != "vector"
    ]
    numbers = pa.array(vectors.reshape(-1), pa.float32())
    columns.append(pa.FixedSizeListArray.from_arrays(numbers, vectors.shape[1]))
    return pa.table(columns, schema=schema)
