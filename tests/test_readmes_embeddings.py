"""The dataset `opencloudhub-readmes-embeddings`: the READMEs of its registry, by the real model."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dreg.adapters.declared_model import declared_model
from dreg.adapters.embedding.model_files import model_folder
from dreg.errors import BadRequest, Outside, Refused
from dreg.stages import upstream
from dreg.stages.retrieval import read_questions
from tests.shipped import Shipped
from tests.small_model import needs_torch

NAME, MADE_FROM = "opencloudhub-readmes-embeddings", "opencloudhub-readmes"


@pytest.fixture
def readmes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shipped:
    """The dataset with those it is made from."""
    monkeypatch.setenv("DREG_ENGINE", "local")
    Shipped(MADE_FROM, tmp_path, monkeypatch).from_mirror()
    return Shipped(NAME, tmp_path, monkeypatch)


def test_what_it_is_made_from_is_placed_as_it_is(readmes):
    upstream.place()
    placed = {path.name: path.read_bytes() for path in readmes.raw.rglob("*") if path.is_file()}
    source = readmes.root / "data" / MADE_FROM / "processed"
    assert placed == {path.name: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert len(placed) == 13


def test_what_is_not_what_its_lock_says_is_not_made_from(readmes):
    source = readmes.root / "data" / MADE_FROM / "processed"
    (source / "readmes/docs.md").write_text("# changed by hand\n")
    with pytest.raises(Refused, match=f"`{MADE_FROM}`, which this is made from, is not up to date"):
        upstream.place()
    (source / "readmes/docs.md").unlink()
    with pytest.raises(Refused, match="is not up to date") as refused:
        upstream.place()
    assert refused.value.hint == f"dreg run {MADE_FROM}"
    assert not list(readmes.raw.iterdir())


def test_it_has_to_be_said_what_it_is_made_from(readmes):
    readmes.change("dataset.yaml", upstream=[])
    with pytest.raises(BadRequest, match="names no dataset that this is made from"):
        upstream.place()


@needs_torch
@pytest.mark.slow
def test_the_real_model_gives_the_committed_bytes_and_answers(readmes):
    model = declared_model(readmes.dataset)
    assert model is not None
    try:
        model_folder(model, print)
    except Outside as error:
        pytest.skip(f"the model cannot be had here: {error.details[-1]}")
    readmes.stage("download", "process", "analyze")
    metrics = readmes.metadata["metrics"]["all"]
    assert metrics["recall@5"] >= 0.8
    readmes.holds_what_is_committed()
    files = {f"{row['repo']}/{row['path']}" for row in pq.read_table(
        readmes.data / "processed/chunks.parquet", columns=["repo", "path"]).to_pylist()}  # fmt: skip
    questions = read_questions(readmes.pipeline / "questions.yaml", files)
    assert len(questions) >= 30
    assert {file for question in questions for file in question.files} == files, "all are asked for"
