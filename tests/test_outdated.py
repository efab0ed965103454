"""What is newer than the lock, what it would change, and whether everything works from here."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.hand_made import WINE, HandMade


def metadata(samples: int) -> bytes:
    split = {"num_samples": samples, "files": ["processed/train.csv"]}
    return json.dumps(
        {
            "format": 1,
            "dataset": {"name": "wine"},
            "schema": {"features": {"a": {"type": "int64"}}},
            "splits": {"train": split},
            "metrics": {},
            "snapshot": {"files": 2, "size": samples, "digest": str(samples)},
        }
    ).encode()


@pytest.fixture
def behind(hand_made: HandMade) -> HandMade:
    """`wine` locked at 1.0.0 by ^1.0; 1.1.0, with twice the samples, and 2.0.0 are there."""
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    hand_made.release("1.0.0", metadata=metadata(100))
    hand_made.fetch("wine@^1.0")
    more = {**WINE, "processed/val.csv": b"x\n"}
    hand_made.release("1.1.0", more, metadata=metadata(200))
    hand_made.release("2.0.0", {"processed/train.csv": b"y\n"}, metadata=metadata(200))
    return hand_made


def test_what_is_newer_in_the_range_and_beyond(behind):
    done = behind.dreg("outdated")
    assert (done.code, done.stdout) == (
        0,
        "DATASET  REQUEST  LOCKED  IN RANGE  LATEST\n"
        "wine     ^1.0     1.0.0   1.1.0     2.0.0\n\n"
        "see what changed: dreg update --explain\n",
    )
    behind.fetch("wine@2")
    assert behind.dreg("outdated").stdout == "everything in dreg.lock is up to date\n"


def test_a_yanked_one_is_told(behind):
    yanked = behind.dreg("yank", "wine@1.0.0", "--reason", "labels shifted", cwd=behind.path)
    assert yanked.code == 0, yanked.stderr
    done = behind.dreg("outdated", "--json")
    assert done.json["datasets"][0]["yanked"] is True
    assert "wine 1.0.0 is yanked: labels shifted" in done.stderr


def test_one_that_is_gone_upstream_is_told(behind):
    behind.git("push", "-q", "--delete", "origin", "wine-v1.0.0", "wine-v1.1.0", "wine-v2.0.0")
    done = behind.dreg("outdated")
    assert (done.code, done.stdout) == (
        0,
        "DATASET  REQUEST  LOCKED        IN RANGE  LATEST\n"
        "wine     ^1.0     1.0.0 (gone)         -       -\n",
    )
    assert behind.dreg("outdated", "--json").json["datasets"][0]["gone"] is True


def test_what_an_update_would_change_is_explained_and_nothing_taken(behind):
    before = (behind.train / "dreg.lock").read_bytes()
    done = behind.dreg("update", "--explain", "--json")
    (change,) = done.json["datasets"]
    assert (change["old"], change["new"], change["bump"]) == ("1.0.0", "1.1.0", "minor")
    assert change["samples"] == [100, 200]
    assert "samples-added" in [finding["rule"] for finding in change["findings"]]
    assert [step["version"] for step in change["steps"]] == ["1.1.0"]
    assert (behind.train / "dreg.lock").read_bytes() == before
    said = behind.dreg("update", "wine", "--explain").stdout
    assert said.startswith("wine 1.0.0 -> 1.1.0 (minor)\n  samples  100 -> 200\n")
    assert said.endswith("take it: dreg update\n")


def test_an_update_stays_in_the_range(behind):
    done = behind.dreg("update", "--json")
    assert [d["version"] for d in done.json["datasets"]] == ["1.1.0"]
    assert behind.dreg("update", "--explain").stdout == "wine 1.1.0 is the newest in its range\n"


def test_a_range_of_yanked_releases_stops_no_other_dataset(behind):
    behind.release("1.0.0", name="beer")
    behind.fetch("beer@^1.0")
    behind.release("1.1.0", {"processed/a.csv": b"1\n"}, name="beer")
    for version in ("1.0.0", "1.1.0"):
        behind.git("tag", "-a", "-m", "Bad labels", f"yank/wine-v{version}", f"wine-v{version}^{{commit}}")  # fmt: skip
    behind.git("push", "-q", "origin", "--tags")
    assert "wine 1.0.0 is yanked, and nothing else is in its range; 2.0.0 is newer\n" in behind.dreg("update", "--explain").stdout  # fmt: skip
    done = behind.dreg("update")
    assert (done.code, "fetched beer 1.0.0 -> 1.1.0" in done.stdout) == (2, True)
    assert "error: every release of `wine` in `^1.0` is yanked\n" in done.stderr
    assert f"dreg show wine@1.1.0 --repo {behind.bare}; just that one can still be had: dreg fetch wine@1.1.0 --repo" in done.stderr  # fmt: skip


@pytest.fixture
def elsewhere(behind, tmp_path) -> HandMade:
    """Another registry, which `wine` is to come from by now: it has 1.0.0, other bytes, and 1.2.0."""
    two = HandMade(tmp_path / "two", {})
    two.release("1.0.0", {"processed/train.csv": b"other\n"}, metadata=metadata(10))
    two.release("1.2.0", metadata=metadata(120))
    return two


@pytest.mark.parametrize("text", ["repo = '{}'", "[datasets]\nwine = {{ version = '^1.0', repo = '{}' }}"])  # fmt: skip
def test_a_registry_that_dreg_toml_names_by_now_is_asked(behind, elsewhere, text):
    (behind.train / "dreg.toml").write_text(text.format(elsewhere.bare))
    assert behind.dreg("outdated").stdout == (
        "DATASET  REQUEST  LOCKED             IN RANGE  LATEST\n"
        "wine     ^1.0     1.0.0 (elsewhere)  1.2.0     1.2.0\n\n"
        f"wine is asked for from {elsewhere.bare} by now\n\n"
        "see what changed: dreg update --explain\n"
    )
    (change,) = behind.dreg("update", "--explain", "--json").json["datasets"]
    assert (change["old"], change["new"], change["samples"]) == ("1.0.0", "1.2.0", [100, 120])
    (taken,) = behind.dreg("update", "--json").json["datasets"]
    assert taken["version"] == "1.2.0"
    assert f'repo = "{elsewhere.bare}"' in (behind.train / "dreg.lock").read_text()
    assert behind.dreg("outdated").stdout == "everything in dreg.lock is up to date\n"


def test_the_same_version_of_another_registry_is_taken_too(behind, elsewhere):
    (behind.train / "dreg.toml").write_text(f"repo = '{elsewhere.bare}'\n[datasets]\nwine = '1.0.0'\n")  # fmt: skip
    standing = behind.dreg("outdated", "--json").json["datasets"][0]
    assert (standing["update"], standing["registry"], standing["gone"]) == ("1.0.0", str(elsewhere.bare), False)  # fmt: skip
    shutil.rmtree(behind.bare)  # the old one may be gone
    assert behind.dreg("update", "--explain").code == 0
    assert behind.dreg("update").code == 0
    assert (behind.train / "data/wine/processed/train.csv").read_bytes() == b"other\n"


def test_a_registry_that_is_named_comes_before_the_one_in_dreg_toml(behind, elsewhere):
    (behind.train / "dreg.toml").write_text(f"repo = '{elsewhere.bare}'")
    said = behind.dreg("outdated", "--repo", str(behind.bare)).stdout
    assert "wine     ^1.0     1.0.0   1.1.0     2.0.0\n" in said


@pytest.mark.parametrize("command", [["outdated"], ["update"], ["tree"], ["trace", "wine@1.0.0"]])
def test_a_registry_that_is_gone_is_named(behind, command):
    behind.bare.rename(behind.home / "away")
    del behind.environment["DREG_REPO"]
    done = behind.dreg(*command)
    assert (done.code, done.stdout) == (2, "")
    assert f"error: `{behind.bare}` is not a git repository\n" in done.stderr


@pytest.mark.parametrize("command", ["outdated", "update"])
def test_nothing_is_locked(hand_made, command):
    done = hand_made.dreg(command)
    assert (done.code, "there is no dreg.lock here" in done.stderr) == (2, True)
    (hand_made.train / "dreg.toml").write_text('[datasets]\nwine = "^1.0"\n')
    assert "hint: lock what dreg.toml asks for: dreg fetch\n" in hand_made.dreg(command).stderr


def test_a_dataset_that_is_not_locked(behind):
    done = behind.dreg("update", "beer")
    assert (done.code, done.stderr) == (2, "error: dreg.lock has no `beer`\n\nhint: it has wine\n")


# The doctor


def test_all_is_well(behind):
    done = behind.dreg("doctor", "--json")
    assert done.code == 0, done.stderr
    checks = {check["what"]: check["ok"] for check in done.json["checks"]}
    assert all(checks.values())
    assert {"git", "cache", "remote disk", f"registry {behind.bare}"} <= checks.keys()


def test_it_says_whose_credentials_were_refused_and_where(behind, s3):
    wrong = {**s3.environment, "AWS_SECRET_ACCESS_KEY": "wrong", "AWS_ENDPOINT_URL": s3.endpoint}
    done = behind.dreg("doctor", "--remote", s3.url, **wrong)
    assert done.code == 3
    assert f"FAILS  remote {s3.url}" in done.stdout
    assert s3.endpoint in done.stdout and "keys in the environment" in done.stdout
    assert "s apart" in done.stdout  # the clock


def test_a_registry_that_is_not_there(hand_made):
    done = hand_made.dreg("doctor", "--repo", str(hand_made.home / "nowhere"))
    assert done.code == 3
    assert "FAILS  registry" in done.stdout and "is not a git repository" in done.stdout
