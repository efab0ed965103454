"""A dataset that is made from another one's releases: which ones, its contract says."""

from __future__ import annotations

import re

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


def test_nothing_is_made_from_bytes_that_no_release_has(made):
    """Whether it is asked for by name, with the other that is refused, or in a plan."""
    contract = made.path / "pipelines" / NAME / "dataset.yaml"
    contract.write_text(f"{contract.read_text()}  min_samples: {{train: 1000}}\n")
    made.ok("run", "--all")
    fact = f"`{MADE}` is made from bytes of `{NAME}` that no release has"
    for names in ((), (MADE,), (MADE, "--dry-run"), (MADE, "--no-push")):
        done = made.dreg("release", "--yes", *names)
        assert (done.code, fact in done.stderr) == (1, True), names
        assert not names or f"hint: release them first: dreg release {NAME} {MADE}" in done.stderr
    assert made.remote_tags() == []


@pytest.mark.parametrize("manner", ["--dry-run", "--no-push"])
def test_what_the_same_command_releases_or_plans_to_is_as_good_as_released(made, manner):
    assert set(made.ok("release", "--yes", manner, "--json").json) and made.remote_tags() == []


def test_what_a_release_has_in_a_folder_that_is_not_known_here_keeps_nothing_from_its_release(made):
    made.ok("release", NAME, "--yes")
    locked = (made.path / f"pipelines/{NAME}/dvc.lock").read_text()
    for md5 in set(re.findall(r"[0-9a-f]{32}\.dir", locked)):
        (made.path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    done = made.dreg("release", MADE, "--yes")
    assert done.code == 0, done.stderr
    assert f"whether a release of `{NAME}` has the bytes" in done.stderr
