"""Who makes the vectors: workers on a Ray cluster, or this process. The bytes are the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dreg.adapters.engines import ENGINES, VARIABLE, chosen
from dreg.core.ci.compute import ComputeType, compute_type
from dreg.core.embedding_model import Model
from dreg.errors import Outside

if TYPE_CHECKING:
    import numpy as np

COMPUTE_TYPE = "DREG_COMPUTE_TYPE"
Note = Callable[[str], None]


def engine_of(name: str | None) -> str:
    """The engine's name: as given, else as the environment says, else Ray.

    Raises BadRequest for a name that is none, and for an engine that is not installed.
    """
    return chosen(name or os.environ.get(VARIABLE) or ENGINES[1])


def compute_of(name: str | None) -> ComputeType | None:
    """The compute type: as given, else as the environment says; None if nobody chose.

    Raises BadRequest for a name that is none.
    """
    name = name or os.environ.get(COMPUTE_TYPE)
    return compute_type(name) if name else None


def vectors_of(
    texts: Sequence[str],
    model: Model,
    note: Note,
    engine: str | None = None,
    compute: str | None = None,
) -> np.ndarray:
    """A row of float32 for each text. Raises what `engine_of` and `compute_of` do; Outside for a
    model that cannot be had, for a cluster that cannot be used or has no room for what is asked."""
    by, wanted = engine_of(engine), compute_of(compute)
    refuse_without_libraries()
    if by == "ray":
        from dreg.adapters.embedding.on_ray import vectors_on_ray

        return vectors_on_ray(texts, model, wanted, note)
    from dreg.adapters.embedding.direct import vectors_here

    return vectors_here(texts, model, note)


def refuse_without_libraries() -> None:
    """Raises Outside before seconds are spent on starting a cluster whose workers could not work."""
    for module in ("torch", "sentence_transformers"):
        if find_spec(module) is None:
            raise Outside(
                f"the Python module `{module}` is needed for this and not installed",
                hint="pip install 'dreg[embeddings]'; for CPUs only, first: "
                "pip install torch --index-url https://download.pytorch.org/whl/cpu",
            )
