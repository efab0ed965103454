"""How well questions find the files that answer them: `recall@5` and `mrr`, as metrics of the release.

    profile.write(metrics=retrieval.metrics("all"))

The questions are in the pipeline's questions.yaml. The search is exact, so what the figures tell is
the work of model, splitter and cleaning, and of no index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreg.adapters.embedding.chunk_table import CHUNKS, MODEL
from dreg.adapters.embedding.direct import vectors_here
from dreg.adapters.embedding.engines import refuse_without_libraries
from dreg.adapters.yaml_files import read_yaml, shown
from dreg.core.embedding_model import parse_model
from dreg.core.retrieval import FIRST, Question, recall, reciprocal_rank
from dreg.errors import BadRequest
from dreg.stages.progress import say
from dreg.stages.workspace import here

if TYPE_CHECKING:
    import numpy as np

QUESTIONS = "questions.yaml"
WRITE = "write each as `- {question: TEXT, files: [REPO/PATH, ...]}`"


def metrics(split: str) -> dict[str, dict[str, float]]:
    """Means over all questions, as metrics of the split that has the chunks.

    `recall@5` is the share of a question's files that its first five results are from, `mrr` one
    divided by the place of the first result from any of them. Raises BadRequest for questions that are
    none, or that name a file of which there is no chunk; Outside when the model cannot be had.
    """
    import pyarrow.parquet as pq

    workspace = here()
    table = pq.read_table(workspace.processed / CHUNKS, columns=["key", "repo", "path", "vector"])
    files = [f"{row['repo']}/{row['path']}" for row in table.select(["repo", "path"]).to_pylist()]
    questions = read_questions(workspace.pipeline / QUESTIONS, set(files))
    if not questions:
        say(f"{QUESTIONS} is empty: nothing tells how well the chunks are found")
        return {}
    told = json.loads((workspace.processed / MODEL).read_bytes())
    model = parse_model(told, shown(workspace.processed / MODEL))
    refuse_without_libraries()
    asked = vectors_here([question.text for question in questions], model, say)
    stored = table["vector"].combine_chunks().values.to_numpy().reshape(len(files), -1)
    ranked = [[files[i] for i in order] for order in nearest(asked, stored)]
    return {split: means(questions, ranked)}


def nearest(asked: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Per question the rows of all chunks, the nearest by cosine first, the earlier of equal ones."""
    import numpy as np

    a, b = (rows.astype(np.float64) for rows in (asked, stored))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    return np.argsort(-np.round(a @ b.T, 9), axis=1, kind="stable")


def means(questions: Sequence[Question], ranked: Sequence[Sequence[str]]) -> dict[str, float]:
    """The figures, and on stderr the questions that miss a file."""
    recalls, ranks = [], []
    for question, found in zip(questions, ranked, strict=True):
        recalls.append(recall(found, question.files))
        ranks.append(reciprocal_rank(found, question.files))
        if recalls[-1] < 1:
            missed = sorted(question.files - set(found[:FIRST]))
            say(f"not among the first {FIRST}: {', '.join(missed)} for `{question.text}`")
    figures = {f"recall@{FIRST}": sum(recalls) / len(recalls), "mrr": sum(ranks) / len(ranks)}
    say(", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    return figures


def read_questions(path: Path, known: set[str]) -> list[Question]:
    """The questions in the file; `known` are the files that can be found. Raises BadRequest."""
    listed: Any = read_yaml(path)
    if not isinstance(listed, list):
        raise BadRequest(f"`{shown(path)}` lists no questions", hint=WRITE)
    return [question(item, number, path, known) for number, item in enumerate(listed, 1)]


def question(item: Any, number: int, path: Path, known: set[str]) -> Question:
    where = f"`{shown(path)}`: question {number}"
    if not isinstance(item, Mapping) or set(item) != {"question", "files"}:
        raise BadRequest(f"{where} is not question and files", hint=WRITE)
    text, files = item["question"], item["files"]
    if not isinstance(text, str) or not text.strip():
        raise BadRequest(f"{where} has no text", hint=WRITE)
    if not isinstance(files, list) or not files or not all(isinstance(f, str) for f in files):
        raise BadRequest(f"{where} names no files", hint=WRITE)
    if gone := sorted(set(files) - known):
        raise BadRequest(
            f"{where} is answered by `{gone[0]}`, of which there is no chunk",
            hint="correct it, or take the question out if the document is gone for good",
        )
    return Question(text.strip(), frozenset(files))
