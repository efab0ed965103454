"""What the manifest of a real release says, and that it says the same again."""

from __future__ import annotations

import hashlib
import json
import shutil

import jsonschema
import pytest

import dreg
from dreg.core.manifest import manifest_digest, manifest_key
from dreg.core.manifest_schema import manifest_schema
from tests.small_registry import NAME
from tests.test_profile_schema import closed

EXACT = jsonschema.Draft202012Validator(closed(manifest_schema()))
PARAMS = f"pipelines/{NAME}/params.yaml"
RECORD = f"pipelines/{NAME}/provenance.json"


def manifest(registry, tag="toy-v1.0.0"):
    message = registry.git("cat-file", "tag", tag, folder=registry.remote).partition("\n\n")[2]
    text = (registry.store / manifest_key(manifest_digest(message))).read_bytes()
    assert list(EXACT.iter_errors(json.loads(text))) == []
    return json.loads(text)


def manifests(registry):
    return sorted(path.name for path in (registry.store / "dreg/manifests").rglob("*.json"))


def sha256(registry, path, tag="toy-v1.0.0"):
    """Of a file in git at the tag."""
    text = registry.git("cat-file", "blob", f"{tag}:{path}", folder=registry.remote)
    whole = (registry.path / path).read_bytes()
    assert text == whole.decode().strip()
    return hashlib.sha256(whole).hexdigest()


def test_a_first_release_says_what_it_was_made_from(ready):
    ready.commit_all()
    pipeline = ready.git("rev-parse", "HEAD~1")  # what `dreg run` left was committed since
    ready.ok("release", NAME)
    said = manifest(ready)
    assert (said["bump"], said["previous"], said["findings"]) == ("major", None, [])
    assert said["contract"] == sha256(ready, f"pipelines/{NAME}/dataset.yaml")
    assert said["profile"] == sha256(ready, f"data/{NAME}/metadata.json")
    listed = {file["path"]: file for file in said["files"]}
    assert said["sample_index"] == listed["samples.parquet"]["sha256"]
    made = said["provenance"]
    assert made["commit"] == pipeline
    assert made["dvc_lock"] == sha256(ready, f"pipelines/{NAME}/dvc.lock")
    assert made["params"]["params.yaml"]["process"]["validation_share"] == 0.25
    assert "sources" not in made["params"]["params.yaml"]
    (source,) = made["sources"]
    raw = listed["raw/seedlings.csv"]
    assert source == {
        "path": "raw/seedlings.csv", "sha256": raw["sha256"], "size": raw["size"], "mirror": "file",
    }  # fmt: skip
    assert made["released_with"] == made["made"]["dreg"] == dreg.__version__
    assert made["made"]["packages"]["pyarrow"]
    assert "-" in made["made"]["platform"]


def test_a_pipeline_that_only_the_release_commits_has_no_earlier_commit(ready):
    ready.edit(PARAMS, "validation_share: .*", "validation_share: 0.5")
    ready.release()
    assert manifest(ready)["provenance"]["commit"] is None


def test_findings_and_exceptions_are_kept(released_once):
    released_once.drop_column("leaf_mm")
    released_once.ok("run", NAME)
    released_once.ok("release", NAME, "--bump", "minor", "--reason", "nobody reads it")
    said = manifest(released_once, "toy-v1.1.0")
    assert (said["bump"], said["previous"]) == ("minor", "1.0.0")
    (gone,) = [f for f in said["findings"] if f["rule"] == "column-removed"]
    assert gone["bump"] == "major"
    assert "`leaf_mm`" in gone["text"]
    assert any("nobody reads it" in exception for exception in said["exceptions"])


def test_running_again_changes_nothing_in_git_and_nothing_is_to_be_released(released_once):
    released_once.ok("run", NAME, "--force", DREG_CACHE=str(released_once.home / "another"))
    assert released_once.git("status", "--porcelain") == ""
    assert "nothing to release" in released_once.ok("release", NAME).stdout


def test_an_unchanged_release_is_answered_with_its_own_manifest(ready):
    released = ready.release()["manifest"]
    (ready.path / RECORD).unlink()  # what would be said now is something else
    (answer,) = ready.ok("release", NAME, "--json").json["releases"]
    assert (answer["state"], answer["manifest"]) == ("unchanged", released)


def test_a_release_tried_again_writes_the_same_manifest(ready):
    ready.git("config", "receive.denyUpdates", "true", folder=ready.remote)
    hook = ready.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert ready.dreg("release", NAME).code == 1
    (before,) = manifests(ready)
    hook.unlink()
    ready.git("clone", "-q", "registry.git", "other", folder=ready.home)  # somebody else's push
    (ready.home / "other" / "README.md").write_text("more\n")
    ready.git("add", "--all", folder=ready.home / "other")
    ready.git("commit", "-q", "-m", "more", folder=ready.home / "other")
    ready.git("push", "-q", "origin", "main", folder=ready.home / "other")
    ready.ok("release", NAME)
    assert manifests(ready) == [before]


def test_who_served_a_source_is_known_when_it_came_from_the_cache(ready):
    shutil.rmtree(ready.path / "data" / NAME / "raw")
    (ready.path / RECORD).unlink()
    ready.ok("run", NAME, "--force")
    ready.ok("release", NAME)
    assert manifest(ready)["provenance"]["sources"][0]["mirror"] == "file"


def test_what_was_recorded_of_other_bytes_is_not_said(ready):
    record = json.loads((ready.path / RECORD).read_text())
    record["snapshot"] = "0" * 64
    record["mirrors"] = {"1" * 64: "http"}
    (ready.path / RECORD).write_text(json.dumps(record))
    ready.ok("release", NAME)
    made = manifest(ready)["provenance"]
    assert made["made"] is None
    assert made["sources"][0]["mirror"] is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "mirrors": 3}'])
def test_a_record_that_dreg_did_not_write_is_none(ready, text):
    (ready.path / RECORD).write_text(text)
    ready.ok("release", NAME)
    assert manifest(ready)["provenance"]["made"] is None


def test_no_secret_is_in_manifest_tag_or_commit(ready):
    secrets = {
        "password": "hunter2-hunter2",
        "in a url": "ada:opensesame",
        "in the environment": "wJalrXUtnFEMI-K7MDENG",
        "by its form": "AKIAIOSFODNN7EXAMPLE",
    }
    ready.release()
    path = ready.path / PARAMS
    path.write_text(
        path.read_text().replace(
            "process:\n",
            "process:\n  db_password: hunter2-hunter2\n  feed: https://ada:opensesame@example.com/x\n"
            "  salt: wJalrXUtnFEMI-K7MDENG\n  id: AKIAIOSFODNN7EXAMPLE\n",
        )
    )
    ready.drop_column("leaf_mm")
    ready.ok("run", NAME)
    environment = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-K7MDENG"}
    reason = "see https://ada:opensesame@example.com/x, AKIAIOSFODNN7EXAMPLE"
    done = ready.ok("release", NAME, "--bump", "minor", "--reason", reason, **environment)
    tag = "toy-v1.1.0"
    said = json.dumps(manifest(ready, tag))
    params = manifest(ready, tag)["provenance"]["params"]["params.yaml"]["process"]
    assert params["db_password"] == params["salt"] == params["id"] == "(withheld)"
    assert params["feed"] == "https://example.com/x"
    message = ready.git("cat-file", "tag", tag, folder=ready.remote)
    commit = ready.git("cat-file", "commit", tag, folder=ready.remote)
    assert "see https://example.com/x, (withheld)" in message
    changelog = (ready.path / "data" / NAME / "CHANGELOG.md").read_text()
    for kind, secret in secrets.items():
        for text in (said, message, commit, changelog, done.stdout, done.stderr):
            assert secret not in text, kind
