"""`dreg diff`, `dreg check` and `dreg rules` on a real git repository with real releases' tags."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import forked

CONTRACT = """\
title: Wine quality
description: Wines and their marks.
licence: CC-BY-4.0
splits:
  train: {files: [processed/train.csv]}
  val: {files: [processed/val.csv]}
columns:
  alcohol: {type: float64, range: [8, 15]}
  pH: float64
"""

METADATA: dict[str, Any] = {
    "format": 1,
    "dataset": {"name": "wine-quality", "licence": "CC-BY-4.0"},
    "schema": {"features": {"alcohol": {"type": "float64"}, "pH": {"type": "float64"}}},
    "splits": {
        "train": {
            "num_samples": 800,
            "role": "train",
            "columns": {"alcohol": {"nulls": 0, "min": 8.4, "max": 14.9}},
        },
        "val": {"num_samples": 200, "role": "evaluation"},
    },
    "metrics": {},
    "snapshot": {"files": 2, "size": 50000, "digest": "aaaa"},
}


class Wine:
    """A registry with one dataset whose profile the tests write themselves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.metadata = copy.deepcopy(METADATA)
        self.write(".dvc/config", "")
        self.write(
            "pipelines/wine-quality/dvc.yaml",
            "stages: {analyze: {cmd: exit, deps: [dataset.yaml]}}\n",
        )
        self.write("pipelines/wine-quality/dataset.yaml", CONTRACT)
        self.git("init", "--quiet", "--initial-branch=main")
        self.measure()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True)

    def measure(self, digest: str = "aaaa") -> None:
        self.metadata["snapshot"]["digest"] = digest
        self.write("data/wine-quality/metadata.json", json.dumps(self.metadata))

    def release(self, version: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", version)
        self.git("tag", "--annotate", f"wine-quality-v{version}", "--message", version)

    def dreg(self, *arguments: str) -> tuple[int, str, str]:
        done = forked.dreg(arguments, cwd=self.root)
        return done.code, done.stdout, done.stderr


@pytest.fixture
def wine(tmp_path: Path) -> Wine:
    return Wine(tmp_path)


def test_before_the_first_release_there_is_nothing_to_compare_with(wine):
    assert wine.dreg("diff", "wine-quality") == (
        0,
        "wine-quality: no release yet; the first will be 1.0.0\n",
        "",
    )


def test_an_unchanged_tree_is_the_release(wine):
    wine.release("1.0.0")
    assert wine.dreg("diff", "wine-quality") == (0, "wine-quality 1.0.0: nothing changed\n", "")


def test_a_dropped_column_is_explained(wine):
    wine.release("1.0.0")
    del wine.metadata["schema"]["features"]["pH"]
    wine.measure("bbbb")
    assert wine.dreg("diff", "wine-quality") == (
        0,
        "wine-quality 1.0.0 -> 2.0.0 (major)\n"
        "\n"
        "major  column-removed: Training code that reads the column stops working.\n"
        "  - column `pH` is gone\n"
        "patch  content-changed: Whoever compares checksums: the published files are not the same"
        " bytes.\n"
        "  - the published files differ, although they are 2 files of 50,000 bytes as before\n",
        "1.0.0 has no sample index, so single samples are not compared\n",
    )


def test_json_has_the_findings(wine):
    wine.release("1.0.0")
    wine.metadata["splits"]["train"]["num_samples"] = 1000
    wine.measure("bbbb")
    code, stdout, _ = wine.dreg("diff", "wine-quality", "--json")
    assert code == 0
    answer = json.loads(stdout)
    assert answer["findings"][0] == {
        "rule": "samples-added",
        "bump": "minor",
        "text": "split `train` has 1,000 samples instead of 800 (+25.0%)",
        "instead_of": None,
        "reason": "",
        "hurts": "Models trained before have not seen a good part of what there is now.",
    }
    del answer["findings"]
    assert answer == {
        "dataset": "wine-quality",
        "old": "1.0.0",
        "new": None,
        "bump": "minor",
        "next": "1.1.0",
        "samples": None,
    }


@pytest.mark.parametrize(
    ("was", "is_now", "told"),
    [
        (
            "alcohol: {type: float64, range: [8, 15]}",
            "alcohol: {type: float64, range: [8, 20]}",
            "column `alcohol` is promised the range [8.0, 20.0] instead of the range [8.0, 15.0]",
        ),
        ("pH: float64", "pH: {type: float64, unique: true}", "unique values instead of"),
        ("licence:", "owner: A <a@example.com>\nlicence:", "the owner is A <a@example.com>"),
        ("val: {", "val: {samples: 200, ", "promised 200 samples instead of any number of samples"),
    ],
)
def test_another_promise_about_the_same_data_is_a_patch(wine, was, is_now, told):
    wine.release("1.0.0")
    assert was in CONTRACT
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT.replace(was, is_now))
    for said in (wine.dreg("diff", "wine-quality")[1], _between(wine)):
        assert "contract-changed" in said
        assert told in said
        assert "(patch)" in said


def _between(wine) -> str:
    """The difference between the last release and one of what is in the tree."""
    wine.release("1.0.1")
    return wine.dreg("diff", "wine-quality@1.0.0", "wine-quality@1.0.1")[1]


def test_gates_are_no_promise(wine):
    wine.release("1.0.0")
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT + "gates: {min_samples: 1}\n")
    assert "nothing changed" in wine.dreg("diff", "wine-quality")[1]


def test_the_newest_release_is_compared_with_unless_another_is_named(wine):
    wine.release("1.0.0")
    wine.metadata["schema"]["features"]["density"] = {"type": "float64"}
    wine.measure("bbbb")
    wine.release("1.1.0")
    assert wine.dreg("diff", "wine-quality")[1] == "wine-quality 1.1.0: nothing changed\n"
    assert wine.dreg("diff", "wine-quality@1.0.0")[1].startswith(
        "wine-quality 1.0.0 -> 1.1.0 (minor)\n"
    )


def test_two_releases_are_compared_whatever_the_tree_holds(wine):
    wine.release("1.0.0")
    wine.metadata["splits"]["val"]["num_samples"] = 210
    wine.measure("bbbb")
    wine.release("2.0.0")
    (wine.root / "data/wine-quality/metadata.json").unlink()
    code, stdout, _ = wine.dreg("diff", "wine-quality@1.0.0", "wine-quality@2.0.0")
    assert code == 0
    assert stdout.startswith("wine-quality 1.0.0 -> 2.0.0 (major)\n")
    assert "evaluation split `val` has 210 samples instead of 200 (+5.0%)" in stdout
    assert wine.dreg("diff", "wine-quality@^2", "wine-quality@latest")[1] == (
        "wine-quality 2.0.0 -> 2.0.0: nothing changed\n"
    )


def test_tags_of_a_dataset_with_a_longer_name_are_not_its_releases(wine):
    wine.release("1.0.0")
    wine.git("tag", "--annotate", "wine-quality-v2-red-v9.0.0", "--message", "another dataset")
    assert wine.dreg("diff", "wine-quality")[1] == "wine-quality 1.0.0: nothing changed\n"


def test_a_release_without_a_profile_may_differ_in_anything(wine):
    wine.write("data/wine-quality/metadata.json", '{"another": "tool"}')
    wine.release("1.0.0")
    wine.measure()
    code, stdout, _ = wine.dreg("diff", "wine-quality")
    assert (code, stdout.splitlines()[0]) == (0, "wine-quality 1.0.0 -> 2.0.0 (major)")
    assert "release 1.0.0 has no profile that dreg reads" in stdout


OVERRIDE = "overrides: [{rule: column-removed, price: minor, reason: nobody reads it}]\n"


def test_prices_are_those_of_the_release_that_is_compared_with(wine):
    wine.release("1.0.0")
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT + OVERRIDE)
    wine.release("1.0.1")
    del wine.metadata["schema"]["features"]["pH"]
    wine.measure("bbbb")
    code, stdout, _ = wine.dreg("diff", "wine-quality")
    assert code == 0
    assert stdout.startswith(
        "wine-quality 1.0.1 -> 1.1.0 (minor)\n"
        "\n"
        "minor  column-removed (instead of major: nobody reads it): Training code that reads"
    )
    code, stdout, stderr = wine.dreg("diff", "wine-quality@1.0.0")
    assert stdout.startswith("wine-quality 1.0.0 -> 2.0.0 (major)\n")
    assert stderr.startswith(
        "overrides and thresholds in pipelines/wine-quality/dataset.yaml count from the next "
        "release on; this one is priced by the last release's\n"
    )


def test_a_review_comment_says_whom_it_hurts_and_why_it_is_cheaper(wine):
    wine.metadata["schema"]["features"]["<b>|`x`"] = {"type": "float64"}
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT + OVERRIDE)
    wine.measure()
    wine.release("0.1.0")
    wine.metadata["schema"]["features"] = {"alcohol": {"type": "string"}}
    wine.measure("bbbb")
    assert wine.dreg("diff", "wine-quality", "--format", "markdown")[1].splitlines()[:7] == [
        "### wine-quality 0.1.0 -> 0.2.0 (major, which before 1.0.0 raises the minor number)",
        "",
        "| price | what changed | who is hurt |",
        "|---|---|---|",
        "| major | column `alcohol` is string instead of float64 (`type-changed`) | Code that relies"
        " on the column's type fails, or loses digits without a word. |",
        "| minor (instead of major: nobody reads it) | column `` <b>\\|`x` `` is gone"
        " (`column-removed`) | Training code that reads the column stops working. |",
        "| minor (instead of major: nobody reads it) | column `pH` is gone"
        " (`column-removed`) | Training code that reads the column stops working. |",
    ]


def test_prices_that_cannot_be_read_any_more_are_the_usual_ones(wine):
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT + OVERRIDE.replace("column", "row"))
    wine.release("1.0.0")
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT)
    del wine.metadata["schema"]["features"]["pH"]
    wine.measure("bbbb")
    code, stdout, stderr = wine.dreg("diff", "wine-quality")
    assert (code, stdout.splitlines()[0]) == (0, "wine-quality 1.0.0 -> 2.0.0 (major)")
    assert stderr.startswith(
        "warning: the usual prices count: `wine-quality-v1.0.0:pipelines/wine-quality/dataset.yaml`: "
        "`overrides` names the unknown rule `row-removed`"
    )


def test_what_has_no_price_is_told(wine):
    wine.write(
        "pipelines/wine-quality/dataset.yaml",
        CONTRACT + "overrides: [{rule: metric-added, price: none, reason: notes}]\n",
    )
    wine.release("1.0.0")
    wine.metadata["metrics"] = {"train": {"mean": 1.0}}
    wine.measure()
    assert wine.dreg("diff", "wine-quality")[1] == (
        "wine-quality 1.0.0 -> 1.0.0 (nothing that changed has a price)\n"
        "\n"
        "none  metric-added (instead of minor: notes): Nobody: there is one more figure to read.\n"
        "  - figure `metrics.train.mean` is new\n"
    )


@pytest.mark.parametrize(
    ("arguments", "fact", "hint"),
    [
        (["wine-qality"], "no dataset named `wine-qality`", "did you mean `wine-quality`?"),
        (["wine-quality@9"], "no release of `wine-quality` is in `9`", "there are: 1.0.0"),
        (["wine-quality@one"], "`one` is not a version range", "ranges look like"),
        (
            ["wine-quality@1.0.0", "emotion@1.0.0"],
            "`wine-quality@1.0.0` and `emotion@1.0.0` are two datasets",
            "dreg diff wine-quality@1.0.0 wine-quality@1.1.0",
        ),
    ],
)
def test_what_does_not_exist_is_a_bad_request(wine, arguments, fact, hint):
    wine.release("1.0.0")
    code, stdout, stderr = wine.dreg("diff", *arguments)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(f"error: {fact}")
    assert hint in stderr.split("\n\nhint: ")[1]


@pytest.mark.parametrize("command", ["diff", "check"])
def test_a_dataset_that_was_never_run(wine, command):
    (wine.root / "data/wine-quality/metadata.json").unlink()
    assert wine.dreg(command, "wine-quality") == (
        2,
        "",
        "error: `wine-quality` was never run\n\nhint: dreg run wine-quality\n",
    )


def test_a_kept_contract_is_told_with_what_was_checked(wine):
    assert wine.dreg("check", "wine-quality") == (
        0,
        "wine-quality: keeps its contract (2 columns, 2 splits, 1,000 samples)\n",
        "",
    )


def test_a_bound_that_only_the_data_decides_is_told_where_the_data_is_not_here(wine):
    wine.metadata["splits"]["train"]["columns"]["alcohol"]["max"] = 15.0
    wine.measure()
    code, _, said = wine.dreg("check", "wine-quality")
    assert code == 0
    assert "column `alcohol` reaches its bound in split `train`" in said


def test_a_broken_contract_is_refused_with_every_violation(wine):
    del wine.metadata["schema"]["features"]["pH"]
    wine.metadata["splits"]["train"]["columns"]["alcohol"]["max"] = 149.0
    wine.measure()
    assert wine.dreg("check") == (
        1,
        "",
        "samples are not named: the data is not here: dreg run wine-quality\n"
        "error: `wine-quality` breaks its contract\n"
        "  column `alcohol` goes up to 149 in split `train`, promised at most 15\n"
        "  column `pH` is missing\n"
        "\n"
        "hint: correct the pipeline, or the promise in pipelines/wine-quality/dataset.yaml, then: "
        "dreg run wine-quality\n",
    )


GATES = """\
gates:
  min_samples: {val: 500}
  max_drift: {mean: 0.5}
"""


def test_gates_are_checked_too_drift_against_the_last_release(wine):
    wine.metadata["splits"]["train"]["columns"]["alcohol"] |= {"mean": 10.0, "std": 1.0}
    wine.measure()
    wine.release("1.0.0")
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT + GATES)
    wine.metadata["splits"]["train"]["columns"]["alcohol"]["mean"] = 10.75
    wine.measure()
    code, stdout, stderr = wine.dreg("check", "wine-quality")
    assert (code, stdout) == (1, "")
    assert stderr.startswith(
        "error: `wine-quality` breaks its contract\n"
        "  max_drift: column `alcohol` of split `train` has its mean 0.75 old "
        "deviations away since the last release, at most 0.5 may be\n"
        "  min_samples: split `val` has 200 samples, at least 500 are asked for\n"
    )


def test_gates_that_are_passed_are_counted(wine):
    wine.write("pipelines/wine-quality/dataset.yaml", CONTRACT + GATES.replace("500", "200"))
    assert wine.dreg("check")[1] == (
        "wine-quality: keeps its contract (2 columns, 2 splits, 2 gates, 1,000 samples)\n"
    )


def test_a_broken_contract_as_json(wine):
    wine.metadata["splits"]["val"]["num_samples"] = 0
    wine.measure()
    code, stdout, _ = wine.dreg("check", "--json")
    assert code == 1
    assert json.loads(stdout)["error"]["details"] == ["split `val` is empty"]


def test_rules_are_listed_and_explained(tmp_path):
    def rules(*arguments: str) -> tuple[int, str, str]:
        done = forked.dreg(("rules", *arguments), cwd=tmp_path)
        return done.code, done.stdout, done.stderr

    code, stdout, _ = rules()
    assert code == 0
    assert "column-removed" in stdout
    assert rules("column-removed") == (
        0,
        "column-removed (major)\n"
        "\n"
        "Training code that reads the column stops working.\n"
        "\n"
        "before\n"
        "  schema:\n"
        "    features:\n"
        "      alcohol: {type: float64}\n"
        "      pH: {type: float64}\n"
        "\n"
        "after\n"
        "  schema:\n"
        "    features:\n"
        "      alcohol: {type: float64}\n"
        "\n"
        "finds\n"
        "  column `pH` is gone\n",
        "",
    )
    assert rules("column-remvoed") == (
        2,
        "",
        "error: no rule named `column-remvoed`\n\nhint: did you mean `column-removed`?\n",
    )
