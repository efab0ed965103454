"""The seconds that embedding the READMEs' chunks takes after start-up, as the last line.

    python -m bench.embed_chunks ray REGISTRY       dreg's workers on a Ray cluster of this machine
    python -m bench.embed_chunks direct REGISTRY    the model itself, by encode() with all threads

Both compute in float64. What a cluster and its workers take to start is what they take for one text.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dreg.adapters.declared_model import declared_model
from dreg.adapters.embedding.model_files import model_folder
from dreg.adapters.embedding.on_ray import gathered
from dreg.adapters.engines.cluster import all_there_is, cluster
from dreg.adapters.layout import Layout
from dreg.stages.chunks import chunks
from dreg.stages.documents import read_documents

NAME = "opencloudhub-readmes-embeddings"
TIMES = 1  # all chunks, so often


def seconds(work: Callable[[list[str]], Any], texts: list[str]) -> float:
    start = time.perf_counter()
    work(texts)
    return time.perf_counter() - start


def main() -> None:
    engine, registry = sys.argv[1:]
    model = declared_model(Layout(Path(registry), NAME))
    assert model is not None
    documents = read_documents(Path(registry) / "data" / NAME / "raw")
    texts = [chunk.in_context for one in documents for chunk in chunks(one.text)] * TIMES
    folder = model_folder(model, print)
    if engine == "direct":
        import torch
        from sentence_transformers import SentenceTransformer

        loaded = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float64}
        )
        loaded.encode(texts[:1])
        took = seconds(lambda some: loaded.encode(some, show_progress_bar=False), texts)
        print(f"seconds {took}")
        return
    with cluster("embed") as ray:
        workers = all_there_is(ray)

        def embed(some: list[str]) -> None:
            gathered(ray, some, model, workers)

        embed(texts[:1])  # the first execution on a cluster takes longer than all others
        started = seconds(embed, texts[: workers.count])
        took = seconds(embed, texts) - started
    print(f"seconds {took}")


if __name__ == "__main__":
    main()
