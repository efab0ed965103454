"""A registry whose one dataset is made of files that are given: what `dreg new --from` is tried on."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from dreg.core.contract import Contract
from dreg.core.sources import parse_sources
from dreg.core.violations import violations
from dreg.registry import Registry
from dreg.scaffold.dataset import new_dataset
from dreg.scaffold.registry import new_registry


class Garden:
    """A registry whose dataset `trees` is made of some file."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        new_registry(home / "garden")
        self.root = home / "garden"
        self.given = home / "given"
        self.given.mkdir()
        self.monkeypatch = monkeypatch

    def new(self, kind: str, file: Path | None = None, source: str | None = None) -> None:
        given = None if file is None else str(file)
        new_dataset(Registry(self.root), "trees", kind, file=given, source=source)

    @property
    def pipeline(self) -> Path:
        return self.root / "pipelines/trees"

    @property
    def processed(self) -> Path:
        return self.root / "data/trees/processed"

    @property
    def contract(self) -> Contract:
        return Registry(self.root).dataset("trees").contract()

    @property
    def source(self) -> Any:
        params = yaml.safe_load((self.pipeline / "params.yaml").read_text())
        [source] = parse_sources(params["sources"])
        return source

    def runs(self) -> int:
        """Run its scripts; it has to keep its contract. Returns the number of samples."""
        self.monkeypatch.chdir(self.pipeline)
        for script in ("download", "process", "analyze"):
            runpy.run_path(f"scripts/{script}.py")
        dataset = Registry(self.root).dataset("trees")
        profile = dataset.profile()
        assert profile is not None
        assert violations(dataset.contract(), profile) == ()
        return profile.num_samples


@pytest.fixture
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Garden:
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DREG_MIRROR", raising=False)
    return Garden(tmp_path, monkeypatch)
