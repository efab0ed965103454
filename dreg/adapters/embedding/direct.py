"""Vectors made in this process: for a few texts, such as a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dreg.adapters.embedding.encoder import Encoder
from dreg.adapters.embedding.model_files import model_folder
from dreg.core.embedding_model import Model


def vectors_here(texts: Sequence[str], model: Model, note: Callable[[str], None]) -> np.ndarray:
    """A row of float32 for each text. Raises Outside when the model cannot be had or loaded."""
    return Encoder(model_folder(model, note), model).encode(texts)
