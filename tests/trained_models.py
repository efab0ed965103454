"""Two releases of `words`, and the models that were trained on them, for tests of traces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

import dreg
from tests import in_process
from tests.done import Done
from tests.hand_made import HandMade
from tests.kinds import KINDS, measured


@dataclass
class Models:
    """A registry with two releases of `words`, and a model trained on each of them."""

    made: HandMade
    name: str
    runs: list[str]

    def dreg(self, *arguments: str) -> Done:
        """As the process `dreg arguments`, without its seconds of importing MLflow."""
        return in_process.dreg(*arguments)

    def trace(self, *arguments: str) -> dict:
        done = self.dreg("trace", *arguments, "--json")
        assert done.code == 0, done.stderr
        return done.json

    def used(self, run_id: str) -> dict[str, list[str]]:
        """The splits that the run trained on, by the release's tag."""
        data = self.trace(f"runs:/{run_id}")["data"]
        return {one["tag"]: [s["split"] for s in one["splits"] if s["used"]] for one in data}


def fewer(folder: Path) -> dict:
    """The words without number 7, with another 8 and a new 600, in release 1.1.0."""
    told = KINDS["words"](folder)
    file = folder / "train.csv"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("7,")]
    text = "\n".join([*lines, "600,a new word,good", ""])
    file.write_text(text.replace("8,word number 8,", "8,word number eight,", 1))
    return told


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory) -> HandMade:
    home = tmp_path_factory.mktemp("two")
    made = HandMade(home, {"DREG_CACHE": str(home / "cache")})
    KINDS["fewer"] = fewer
    try:
        for version, kind in (("1.0.0", "words"), ("1.1.0", "fewer")):
            files, metadata = measured(home / version, kind)
            made.release(version, files, name="words", metadata=metadata)
    finally:
        del KINDS["fewer"]
    return made


@pytest.fixture
def words_registry(two_releases, tmp_path, monkeypatch) -> HandMade:
    (tmp_path / "training").mkdir()
    monkeypatch.chdir(tmp_path / "training")
    monkeypatch.setenv("DREG_REPO", str(two_releases.bare))
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "own-cache"))
    return two_releases


@pytest.fixture
def models(words_registry, tracking) -> Models:
    """A registered model: version 1 of words 1.0.0, version 2 of 1.1.0, which is the champion."""
    import mlflow

    name = f"tagger-{uuid.uuid4().hex[:8]}"
    client = mlflow.MlflowClient()
    client.create_registered_model(name)
    runs = []
    for version in ("1.0.0", "1.1.0"):
        with mlflow.start_run(run_name=f"on {version}") as active:
            dreg.load(f"words@{version}").log_to_mlflow()
        runs.append(active.info.run_id)
        client.create_model_version(
            name,
            f"runs:/{active.info.run_id}/model",
            active.info.run_id,
            tags={"version": f"2.{len(runs)}"},
        )
    client.set_registered_model_alias(name, "champion", "2")
    return Models(words_registry, name, runs)
