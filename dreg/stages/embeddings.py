"""Documents as vectors: `chunks.parquet`, a row a chunk, and beside it which model made them.

    embeddings.write(passages, work.processed)

The model is what `model` in params.yaml declares: each of its files by SHA-256, with the mirrors that
may give it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dreg.adapters.declared_model import declared_model
from dreg.adapters.embedding.chunk_table import CHUNKS, MODEL, chunk_table
from dreg.adapters.embedding.engines import vectors_of
from dreg.adapters.written import written
from dreg.core.embedding_model import WRITE, Model
from dreg.core.passage import Passage
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside
from dreg.stages.chunks import Chunk
from dreg.stages.documents import Document
from dreg.stages.files import write_parquet
from dreg.stages.progress import say
from dreg.stages.workspace import Workspace, here

__all__ = ["Passage", "passage", "write"]


def passage(document: Document, chunk: Chunk, embedded: str = "") -> Passage:
    """A chunk of a document. `embedded` is what its vector is made of, if not text and headings."""
    return Passage(
        document.repo,
        document.path,
        document.commit,
        chunk.number,
        *chunk.headings,
        chunk.text,
        embedded or chunk.in_context,
    )


def write(
    passages: Iterable[Passage],
    folder: Path,
    *,
    engine: str | None = None,
    compute: str | None = None,
) -> int:
    """Embed the passages, and write chunks.parquet and model.json to `folder`; returns how many.

    `engine` is `ray` or `local`; without one, as DREG_ENGINE says, else Ray, on a cluster of this
    machine or that at RAY_ADDRESS. `compute` is a compute type; without one, as DREG_COMPUTE_TYPE says,
    else all there is. What is written is the same. Raises BadRequest for a model, engine or compute
    type that is none, and for a model that dataset.yaml does not name; Outside when there is nothing
    to embed, two passages have one key, or the model or the cluster cannot be had.
    """
    workspace = here()
    model = declared_model(workspace)
    if model is None:
        raise BadRequest(f"`pipelines/{workspace.name}/params.yaml` declares no model", hint=WRITE)
    refuse_unnamed(workspace, model)
    rows = list(passages)
    refuse_odd(rows)
    vectors = vectors_of([row.embedded for row in rows], model, say, engine, compute)
    write_parquet(chunk_table(rows, vectors), folder / CHUNKS)
    declared: Any = workspace.params["model"]
    with written(folder / MODEL) as file:
        file.write(f"{json.dumps(declared, indent=1, sort_keys=True)}\n".encode())
    return len(rows)


def refuse_unnamed(workspace: Workspace, model: Model) -> None:
    """Raises BadRequest unless the contract names the model that is used: consumers go by that."""
    column = workspace.contract().columns.get("vector")
    if column is None or column.model != str(model) or column.shape != (model.dimension,):
        raise BadRequest(
            f"column `vector` in pipelines/{workspace.name}/dataset.yaml is not what {model} makes",
            hint=f"write it as `vector: {{type: float32, shape: [{model.dimension}], model: {model}}}`",
        )


def refuse_odd(rows: list[Passage]) -> None:
    """Raises Outside for no passages at all, and for two of one key."""
    if not rows:
        raise Outside(
            "there is no passage to embed",
            hint="see what the documents in raw/ have, and what the pipeline leaves out",
        )
    [(key, times)] = Counter(row.key for row in rows).most_common(1)
    if times > 1:
        raise Outside(
            f"{numbered(times, 'passage')} have the key `{key}`",
            hint="see where their documents come from",
        )
