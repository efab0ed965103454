"""A query as a vector, by the very model that made the vectors which it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dreg.core.embedding_model import parse_model
from dreg.core.vectors import Record
from dreg.errors import BadRequest, Outside
from dreg.output import out

if TYPE_CHECKING:
    import numpy as np

Embedding = Callable[[Sequence[str], Record], "np.ndarray"]


def by_declared_model(texts: Sequence[str], record: Record) -> np.ndarray:
    """A row of float32 for each text; the model's files are verified by the checksums of the release.

    Raises BadRequest where it declares none, Outside when they can't be had.
    """
    if not record.declared:
        raise BadRequest(
            f"{record.called} does not declare where its model is had: {record.model}",
            hint="releases whose pipeline uses dreg.stages.embeddings have it, as model.json",
        )
    from dreg.adapters.embedding.direct import vectors_here

    model = parse_model(record.declared, f"model.json of {record.called}")
    return vectors_here(texts, model, out.note)


def embed(query: str, record: Record, embedding: Embedding = by_declared_model) -> np.ndarray:
    """The query as a vector of float32.

    Raises Outside where what the model makes can't be compared with what is in the table.
    """
    vector: np.ndarray = embedding([query], record)[0]
    if vector.shape != (record.dimension,):
        raise Outside(
            f"{record.model} makes vectors of {vector.shape[-1]}, and those of {record.called} "
            f"have {record.dimension}",
            hint="the table was not loaded as it was released: drop it, and load it again",
        )
    return vector
