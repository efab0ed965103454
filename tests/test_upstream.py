"""A dataset that is made from another one's releases: which ones, its contract says."""

from __future__ import annotations

import pytest

from tests.small_registry import NAME, SmallRegistry

MADE = "all-heights"  # before `toy` by name, behind it by what it needs
CONTRACT = """\
title: Heights
description: What the toy's plants measure.
licence: CC0-1.0
upstream: [{upstream}]
splits: {{all: {{role: train, files: [processed/all.parquet]}}}}
columns: {{height_mm: float64}}
"""
DVC_YAML = f"""\
stages:
  process:
    cmd: python scripts/process.py
    deps: [scripts/process.py, ../../data/{NAME}/processed/train.parquet]
    outs: [../../data/{MADE}/processed]
  analyze:
    cmd: python scripts/analyze.py
    deps: [dataset.yaml, scripts/analyze.py, ../../data/{MADE}/processed]
    outs:
      - ../../data/{MADE}/metadata.json: {{cache: false}}
      - ../../data/{MADE}/samples.parquet
"""
PROCESS = f"""\
import pathlib
import pyarrow.parquet as pq
out = pathlib.Path("../../data/{MADE}/processed")
out.mkdir(parents=True, exist_ok=True)
rows = pq.read_table("../../data/{NAME}/processed/train.parquet", columns=["height_mm"])
pq.write_table(rows, out / "all.parquet")
"""


@pytest.fixture
def made(ready: SmallRegistry) -> SmallRegistry:
    """`toy`, and a dataset that is made from it."""
    files = {
        f"pipelines/{MADE}/dvc.yaml": DVC_YAML,
        f"pipelines/{MADE}/scripts/process.py": PROCESS,
        f"pipelines/{MADE}/scripts/analyze.py": "from dreg.stages import profile\n\nprofile.write()\n",
        f"data/{MADE}/.gitignore": "/processed\n/samples.parquet\n",
    }
    for path, text in files.items():
        (ready.path / path).parent.mkdir(parents=True, exist_ok=True)
        (ready.path / path).write_text(text)
    promise(ready, f"{NAME}@^1")
    ready.ok("run", "--all")
    return ready


def promise(registry: SmallRegistry, upstream: str) -> None:
    file = registry.path / f"pipelines/{MADE}/dataset.yaml"
    file.write_text(CONTRACT.format(upstream=upstream))


def test_what_a_dataset_is_made_from_is_released_first_and_in_the_promised_range(made):
    made.ok("check")  # nothing is released yet, so nothing is out of range
    released = made.ok("release", "--json").json["releases"]
    assert [one["dataset"] for one in released] == [NAME, MADE]
    assert f"Dreg-Upstream: {NAME}-v1.0.0" in made.git("cat-file", "tag", f"{MADE}-v1.0.0")

    promise(made, f"{NAME}@^2")
    made.ok("run", MADE)
    for command in ("check", "release"):
        refused = made.dreg(command, MADE)
        assert refused.code == 1
        assert f"  upstream `{NAME}` is 1.0.0, promised ^2\n" in refused.stderr


@pytest.mark.parametrize(
    ("upstream", "told"),
    [
        (f"{NAME}@>1", f"upstream `{NAME}` is 1.0.0, promised >1"),
        ("nobody@^1", "upstream `nobody` is no dataset of this registry"),
    ],
)
def test_an_upstream_that_cannot_be_meant_breaks_the_contract(made, upstream, told):
    made.ok("release", NAME)
    promise(made, upstream)
    done = made.dreg("check", MADE, "--json")
    assert done.code == 1
    violations = done.json["datasets"][0]["violations"]
    assert told in [f"{one['about']} {one['text']}" for one in violations]
