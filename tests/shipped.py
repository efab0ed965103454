"""The datasets of this repository, their scripts run in this process: it is not what is tested."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from dreg.registry import Dataset, Registry

ROOT = Path(__file__).resolve().parents[1]
MADE = ("raw", "processed", "samples.parquet", "__pycache__")


class Shipped:
    """A copy of one dataset without what its pipeline made, its folder the current one."""

    def __init__(self, name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name = name
        self.root = home
        self.pipeline = home / "pipelines" / name
        self.data = home / "data" / name
        for folder in (f"pipelines/{name}", f"data/{name}", ".dvc"):
            ignored = shutil.ignore_patterns(*MADE, "cache", "tmp", "*.local")
            shutil.copytree(ROOT / folder, home / folder, ignore=ignored, dirs_exist_ok=True)
        self.raw.mkdir()
        monkeypatch.setenv("DREG_CACHE", str(home / "downloads"))
        monkeypatch.chdir(self.pipeline)

    @property
    def raw(self) -> Path:
        return self.data / "raw"

    @property
    def dataset(self) -> Dataset:
        return Registry(self.root).dataset(self.name)

    @property
    def metadata(self) -> Any:
        return json.loads((self.data / "metadata.json").read_text())

    def clear(self) -> None:
        """Empty the outputs, as DVC does before it runs a stage."""
        for folder in (self.raw, self.data / "processed"):
            shutil.rmtree(folder, ignore_errors=True)

    def stage(self, *scripts: str) -> None:
        """Run scripts as their stages do."""
        for script in scripts:
            runpy.run_path(f"scripts/{script}.py", run_name="__main__")

    def change(self, file: str, **changes: Any) -> None:
        """Other top-level values in a YAML file of the pipeline."""
        path = self.pipeline / file
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes, sort_keys=False))

    def from_mirror(self) -> None:
        """Run all of it on the real sources in DREG_MIRROR; skip where it isn't set."""
        if not os.environ.get("DREG_MIRROR"):
            pytest.skip(f"DREG_MIRROR is not set: no sources of {self.name} on this machine")
        self.stage("download", "process", "analyze")

    def holds_what_is_committed(self) -> None:
        """The same bytes: metadata.json has a digest of all files, dvc.lock one of each output."""
        committed = (ROOT / "data" / self.name / "metadata.json").read_bytes()
        assert (self.data / "metadata.json").read_bytes() == committed
        lock = yaml.safe_load((self.pipeline / "dvc.lock").read_text())
        outs = {out["path"]: out["md5"] for out in lock["stages"]["analyze"]["outs"]}
        for path, md5 in outs.items():
            assert hashlib.md5((self.pipeline / path).read_bytes()).hexdigest() == md5, path
