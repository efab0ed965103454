"""Vectors of texts by sentence-transformers, such that the same text gives the same bytes everywhere.

A sum of floats depends on the order of its parts, and that on threads, on the batch, on what the
processor can do. So everything is computed in float64, where such differences are around 1e-15, and
rounded to six decimals: they would have to lie on the border of two to be seen.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dreg.adapters.extras import needed
from dreg.core.embedding_model import Model
from dreg.errors import Outside

DECIMALS = 6
ON_GPU = 32  # texts at a time; on CPUs one by one is as fast, as nothing is padded


class Encoder:
    """The model in `folder`, loaded once. `device` is `cpu` or `cuda`, `threads` those of the CPU."""

    def __init__(
        self, folder: Path, model: Model, device: str = "cpu", threads: int | None = None
    ) -> None:
        """Raises Outside when sentence-transformers is not installed, or the files are no such model."""
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # it forks badly
        os.environ.setdefault(
            "OMP_WAIT_POLICY", "PASSIVE"
        )  # threads that wait leave others the CPU
        with offline():
            torch = needed("torch", "embeddings")
            if device == "cuda" and not torch.cuda.is_available():
                raise Outside(
                    f"torch sees no GPU on {os.uname().nodename}, and one is to be used",
                    hint="install torch's build for CUDA there, or take a compute type of CPUs",
                )
            library = needed("sentence_transformers", "embeddings")
            needed("transformers", "embeddings").utils.logging.disable_progress_bar()
            if threads:
                torch.set_num_threads(threads)
            try:
                self._model: Any = library.SentenceTransformer(
                    str(folder),
                    device=device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"dtype": torch.float64, "use_safetensors": True},
                )
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                raise Outside(
                    f"the model {model} cannot be loaded: {first_line(error)}",
                    hint="see that `files` of the model in params.yaml lists all that it needs",
                ) from error
        self._model.eval()
        self._batch = 1 if device == "cpu" else ON_GPU
        self.dimension = model.dimension
        found = self._vectors(["of which dimension"], 1).shape[1]
        if found != model.dimension:
            raise Outside(
                f"the model {model} makes vectors of {found}, not of {model.dimension}",
                hint=f"write `dimension: {found}` and the same as `shape` in dataset.yaml",
            )

    def encode(self, texts: Sequence[str], batch: int | None = None) -> np.ndarray:
        """A row of float32 for each text, `dimension` wide; equal texts have equal bytes."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return rounded(self._vectors(texts, batch or self._batch))

    def _vectors(self, texts: Sequence[str], batch: int) -> np.ndarray:
        found = self._model.encode(
            list(texts), batch_size=batch, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(found, np.float64)


def rounded(vectors: np.ndarray) -> np.ndarray:
    """To six decimals, as float32; there is one zero."""
    return (np.round(vectors, DECIMALS) + 0.0).astype(np.float32)


@contextmanager
def offline() -> Iterator[None]:
    """Without a word from the libraries, and without asking a hub: all files are here."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
