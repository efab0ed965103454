"""Vectors made on a Ray cluster: its workers load the model once each, and embed batch by batch.

Texts travel to the workers and vectors back, so a worker needs no file of the registry. The model it
takes from the cache of its own machine, or from the model's mirrors, verified either way.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa

from dreg.adapters.embedding.encoder import Encoder
from dreg.adapters.embedding.model_files import model_folder
from dreg.adapters.engines import place
from dreg.adapters.engines.cluster import all_there_is, cluster, refuse_other_version, refuse_unfit
from dreg.adapters.engines.hushed import hushed
from dreg.core.ci.compute import ComputeType
from dreg.core.embedding_model import Model
from dreg.core.workers import Workers, workers_of
from dreg.errors import DregError

BATCH = 16  # texts that travel at once: few enough that all workers end at about the same time


class Worker:
    """An actor. What goes wrong in it is an answer among others: Ray would wrap it in a traceback."""

    def __init__(self, model: Model, workers: Workers, ours: str) -> None:
        self.failure: DregError | None = None
        try:
            refuse_other_version(ours)
            folder = model_folder(model, lambda line: None)
            self.encoder = Encoder(
                folder, model, "cuda" if workers.gpus else "cpu", threads=workers.cpus
            )
        except DregError as error:
            self.failure = error

    def __call__(self, table: pa.Table) -> pa.Table:
        answer = self.failure or self.encoder.encode(table["text"].to_pylist())
        payload = pickle.dumps((table["at"].to_pylist(), answer), protocol=5)
        return pa.table({"answer": pa.array([payload], pa.large_binary())})


def vectors_on_ray(
    texts: Sequence[str], model: Model, compute: ComputeType | None, note: Callable[[str], None]
) -> np.ndarray:
    """A row of float32 for each text. Raises Outside, as the cluster or its workers fail."""
    with cluster("embed") as ray:
        workers = workers_of(compute) if compute else all_there_is(ray)
        if compute:
            refuse_unfit(ray, workers, compute.name)
        note(f"embedding on {place()}: {workers}")
        with hushed():  # that workers which die could not be restarted, at each start
            return gathered(ray, texts, model, workers)


def gathered(ray: Any, texts: Sequence[str], model: Model, workers: Workers) -> np.ndarray:
    """The vectors in the texts' order, whatever the order in which they were made."""
    found = np.zeros((len(texts), model.dimension), np.float32)
    if not texts:
        return found
    # The longest first: batches are padded to their longest, and the last ones to finish are short.
    order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
    items = [{"at": i, "text": texts[i]} for i in order]
    batches = math.ceil(len(items) / BATCH)
    blocks = ray.data.from_items(items, override_num_blocks=batches)
    answers = blocks.map_batches(
        Worker,
        fn_constructor_args=(model, workers, version("dreg")),
        batch_size=BATCH,
        batch_format="pyarrow",
        concurrency=min(workers.count, batches),
        num_cpus=workers.cpus,
        num_gpus=workers.gpus or None,
    )
    for table in answers.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for payload in table["answer"]:
            at, answer = pickle.loads(payload.as_buffer())  # noqa: S301 - our own workers made it
            if isinstance(answer, DregError):
                raise answer
            found[at] = answer
    return found
