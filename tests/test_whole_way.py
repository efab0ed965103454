"""From documents to passages that are found, and back a version: what one team does, in one go.

The embedding stages run in this process, so that the model is loaded once; all else is as users have it.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from dreg import cli
from dreg.output import out
from dreg.stages.chunks import Chunk
from tests import forked, small_model
from tests.postgres_server import Postgres
from tests.small_model import DIMENSION, needs_torch
from tests.small_registry import SmallRegistry

DOCUMENTS, PASSAGES = "herbs", "passages"


class Team:
    """A registry with documents, and with passages made from them by a small model; a server with pgvector."""

    def __init__(
        self, registry: SmallRegistry, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.registry = registry
        self.monkeypatch = monkeypatch
        for name, value in {
            **registry.environment,
            **postgres.environment,
            "PGVECTOR_TABLE_NAME": "docs.passages",
            "DREG_MIRROR": str(registry.home / "mirror"),
            "DREG_ENGINE": "local",
        }.items():
            monkeypatch.setenv(name, value)
        registry.environment["DREG_MIRROR"] = str(registry.home / "mirror")
        postgres.do("create schema docs")
        small_model.put_below(registry.home / "mirror")
        registry.ok("new", DOCUMENTS, "--kind", "documents")
        registry.ok("new", PASSAGES, "--kind", "embeddings", "--upstream", f"{DOCUMENTS}@^1")
        self.change("params.yaml", model=small_model.declared())
        vector = {"type": "float32", "shape": [DIMENSION], "model": "tests/small@1"}
        self.change(
            "dataset.yaml", columns=self.read("dataset.yaml")["columns"] | {"vector": vector}
        )
        registry.ok("run", DOCUMENTS)

    @property
    def pipeline(self) -> Path:
        return self.registry.path / "pipelines" / PASSAGES

    def read(self, file: str) -> Any:
        return yaml.safe_load((self.pipeline / file).read_text())

    def change(self, file: str, **changes: Any) -> None:
        text = yaml.safe_dump(self.read(file) | changes, sort_keys=False)
        (self.pipeline / file).write_text(text)

    def embed(self) -> None:
        """Bring the passages up to date: what `dreg run` does, in this process."""
        self.monkeypatch.chdir(self.pipeline)
        for script in ("download", "process", "analyze"):
            runpy.run_path(f"scripts/{script}.py", run_name="__main__")
        done = forked.dvc(
            "commit", "--force", f"pipelines/{PASSAGES}/dvc.yaml", cwd=self.registry.path
        )
        assert done.code == 0, done.stderr
        self.monkeypatch.chdir(self.registry.path)
        (_, passages) = self.registry.ok("run", PASSAGES, "--json").json["datasets"]
        assert (passages["state"], passages["violations"]) == ("up to date", [])
        self.registry.commit_all()

    @property
    def passages(self) -> list[dict[str, Any]]:
        file = self.registry.path / "data" / PASSAGES / "processed/chunks.parquet"
        return pq.read_table(file).to_pylist()


def dreg(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `dreg` answers, run in this process."""
    capsys.readouterr()
    out.json = False  # of the command before: else there is one in a process
    code = cli.run(list(arguments))
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def in_context(row: dict[str, Any]) -> str:
    """Of a passage, what its vector is made of: who asks for just that finds it first, with a score of 1."""
    return Chunk(row["chunk"], (row["h1"], row["h2"], row["h3"]), row["text"]).in_context


@needs_torch
def test_documents_are_embedded_released_loaded_searched_and_rolled_back(
    registry, postgres, monkeypatch, capsys
):
    monkeypatch.setattr(out, "json", False)
    team = Team(registry, postgres, monkeypatch)
    team.embed()
    released = registry.ok("release", DOCUMENTS, PASSAGES, "--json").json["releases"]
    assert [(one["dataset"], one["version"]) for one in released] == [
        (DOCUMENTS, "1.0.0"),
        (PASSAGES, "1.0.0"),
    ]
    assert f"Dreg-Upstream: {DOCUMENTS}-v1.0.0" in registry.git(
        "cat-file", "tag", f"{PASSAGES}-v1.0.0"
    )

    first = team.passages
    loaded = json.loads(dreg(capsys, "vectors", "load", f"{PASSAGES}@^1", "--json"))
    assert (loaded["version"], loaded["rows"]) == ("1.0.0", len(first))
    for row in first:
        found = json.loads(dreg(capsys, "search", PASSAGES, in_context(row), "-k", "1", "--json"))
        (best,) = found["passages"]
        assert best["score"] == pytest.approx(1, abs=1e-5)
        assert (best["key"], best["text"], best["path"]) == (row["key"], row["text"], row["path"])

    team.change("params.yaml", chunks={"size": 90, "overlap": 20})
    team.embed()
    second = team.passages
    assert len(second) > len(first)
    (released,) = registry.ok("release", PASSAGES, "--json").json["releases"]
    version = released["version"]
    assert version > "1.0.0"
    dreg(capsys, "vectors", "load", f"{PASSAGES}@{version}", "--allow-major")

    def asked(*options: str) -> tuple[str, int]:
        answer = json.loads(dreg(capsys, "search", PASSAGES, "water the beans", "--json", *options))
        return answer["version"], answer["passages_in_all"]

    assert asked() == (version, len(second))
    assert asked("--version", "1.0.0") == ("1.0.0", len(first))
    dreg(capsys, "vectors", "rollback", PASSAGES)
    assert asked() == ("1.0.0", len(first))
    assert asked("--version", version) == (version, len(second))
    told = dreg(capsys, "search", PASSAGES, "water the beans", "-k", "2")
    assert told.endswith(f"2 of {len(first)} passages of {PASSAGES} 1.0.0\n")
    assert all(place in told for place in ("1. ", "2. ", "example/"))

    (row,) = postgres.rows(
        "select data_version, model from docs.passages where key = %s", first[0]["key"]
    )
    assert row == (f"{PASSAGES}-v1.0.0", "tests/small@1")
