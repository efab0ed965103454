"""Snapshots of an organisation's READMEs, released one after another, are successive versions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests import forked
from tests.shipped import ROOT
from tests.small_registry import SmallRegistry

NAME = "opencloudhub-readmes"
REAL = "opencloudhub-readmes"  # the folder in DREG_MIRROR
DATES = ("v1_2025-11-18", "v2_2025-11-29", "v3_2025-12-04")


class Archive:
    """The dataset in a registry of the test's own, and a mirror with what was kept upstream."""

    def __init__(self, registry: SmallRegistry, mirror: Path) -> None:
        self.registry = registry
        self.mirror = mirror
        for folder in (f"pipelines/{NAME}", f"data/{NAME}"):
            left = shutil.ignore_patterns(
                "raw", "processed", "samples.parquet", "__pycache__", "dvc.lock", "metadata.json"
            )
            shutil.copytree(ROOT / folder, registry.path / folder, ignore=left)
        registry.environment["DREG_MIRROR"] = str(mirror)

    def keep(self, date: str, documents: dict[str, str]) -> None:
        folder = self.mirror / REAL / date
        folder.mkdir(parents=True)
        for name, text in documents.items():
            (folder / f"{name}_README.md").write_text(text)

    def take(self, date: str) -> dict[str, bytes]:
        """Run it on that snapshot; what is published of it."""
        pipeline = self.registry.path / "pipelines" / NAME
        refresh = ("scripts/refresh.py", "--local", f"{REAL}/{date}")
        done = forked.python(*refresh, cwd=pipeline, env=self.registry.environment)
        assert done.code == 0, done.stderr
        self.registry.ok("run", NAME)
        folder = self.registry.path / "data" / NAME / "processed" / "readmes"
        return {path.stem: path.read_bytes() for path in folder.iterdir()}

    def release(self) -> tuple[str, str, set[str]]:
        """Version, bump and the rules that found something."""
        (told,) = self.registry.ok("release", NAME, "--json").json["releases"]
        return told["version"], told["bump"], {finding["rule"] for finding in told["findings"]}


@pytest.fixture
def archive(made_registry: SmallRegistry, tmp_path: Path) -> Archive:
    return Archive(made_registry.copy(tmp_path), tmp_path / "mirror")


def test_what_is_new_and_what_is_changed_is_the_next_version(archive):
    first = {f"tool-{i:02}": f"# Tool {i}\n\nIt does what number {i} says.\n" for i in range(20)}
    changed = first | {"tool-03": f"{first['tool-03']}And more.\n"}
    more = changed | {f"tool-{i}": f"# Tool {i}\n\nIt is new.\n" for i in (20, 21)}
    for date, documents in zip(DATES, (first, changed, more), strict=True):
        archive.keep(date, documents)

    before = archive.take(DATES[0])
    assert archive.release() == ("1.0.0", "major", set())
    after = archive.take(DATES[1])
    assert {name for name in after if after[name] != before[name]} == {"tool-03"}
    version, bump, rules = archive.release()
    assert (version, bump, "samples-added" in rules) == ("1.1.0", "minor", False)
    archive.take(DATES[2])
    version, bump, rules = archive.release()
    assert (version, bump, "samples-added" in rules) == ("1.2.0", "minor", True)

    archive.take(DATES[2])
    (again,) = archive.registry.ok("release", NAME, "--json").json["releases"]
    assert (again["state"], again["version"]) == ("unchanged", "1.2.0")
    assert archive.registry.remote_tags() == [f"{NAME}-v{v}" for v in ("1.0.0", "1.1.0", "1.2.0")]


@pytest.mark.skipif(
    not (Path(os.environ.get("DREG_MIRROR", "/nowhere")) / REAL).is_dir(),
    reason="DREG_MIRROR is not set: none of the snapshots of READMEs are on this machine",
)
def test_the_three_snapshots_that_were_kept_are_three_versions(archive):
    shutil.copytree(Path(os.environ["DREG_MIRROR"]) / REAL, archive.mirror / REAL)
    released = []
    for date in DATES:
        archive.take(date)
        released.append(archive.release()[:2])
    assert released == [("1.0.0", "major"), ("1.1.0", "minor"), ("1.2.0", "minor")]
    archive.take(DATES[-1])
    (again,) = archive.registry.ok("release", NAME, "--json").json["releases"]
    assert again["state"] == "unchanged"
