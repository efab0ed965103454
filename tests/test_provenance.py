"""Provenance of a release as others read it: the published forms of in-toto and SLSA."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import ParseDict, ParseError
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from tests.small_registry import NAME


def published_form(text):
    """The predicate of a statement, which both are as published, with no key more."""
    value = json.loads(text)
    statement = ParseDict(value, statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    return ParseDict(value["predicate"], Provenance())


def test_the_statement_has_the_published_form_and_every_file(released_once):
    text = released_once.ok("show", f"{NAME}@1.0.0", "--provenance").stdout
    predicate = published_form(text)
    value = json.loads(text)
    assert (value["_type"], value["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert released_once.ok("show", NAME, "--provenance", "--json").json == value
    subjects = {one["name"]: one["digest"]["sha256"] for one in value["subject"]}
    assert subjects.keys() >= {"metadata.json", "processed/train.parquet", "raw/seedlings.csv"}
    tip = released_once.git("rev-parse", "main", folder=released_once.remote)
    first, *others = predicate.build_definition.resolved_dependencies
    assert first.digest["gitCommit"] == tip
    assert first.uri == "git+../registry.git@refs/tags/toy-v1.0.0"
    by_name = {one.name: one for one in others}
    source = by_name["raw/seedlings.csv"]
    assert source.digest["sha256"] == subjects["raw/seedlings.csv"]
    assert source.annotations["mirror"] == "file"
    assert by_name["pyarrow"].uri.startswith("pkg:pypi/pyarrow@")
    (manifest,) = predicate.run_details.byproducts
    assert (released_once.store / manifest.name).is_file()
    said = released_once.git("cat-file", "tag", "toy-v1.0.0")
    assert f"Dreg-Manifest: sha256:{manifest.digest['sha256']}" in said


def test_an_unknown_key_would_be_found():
    with pytest.raises(ParseError):
        published_form(json.dumps({"_type": "x", "subjects": []}))


def test_the_same_statement_is_had_from_elsewhere(released_once, tmp_path):
    url = f"file://{released_once.remote}"
    done = released_once.ok("show", f"{NAME}@1", "--provenance", "--repo", url, folder=tmp_path)
    here = released_once.ok("show", f"{NAME}@1", "--provenance").json
    assert done.json["subject"] == here["subject"]


def test_a_release_without_a_manifest_has_no_provenance(ready):
    ready.commit_all()
    ready.git("tag", "-a", "-m", "by hand", "toy-v0.9.0")
    done = ready.dreg("show", f"{NAME}@0.9.0", "--provenance")
    assert (done.code, done.stdout) == (1, "")
    assert "`toy-v0.9.0` has no manifest" in done.stderr


def test_show_says_why_a_release_has_its_version(released_once):
    released_once.drop_column("leaf_mm")
    released_once.ok("run", NAME)
    released_once.ok("release", NAME, "--bump", "minor", "--reason", "nobody reads it")
    done = released_once.ok("show", f"{NAME}@1.1.0")
    assert "\nminor, since 1.0.0:\n  column `leaf_mm` is gone" in done.stdout
    assert "exceptions:\n" in done.stdout
    assert "by A\n" in done.stdout
    shown = released_once.ok("show", NAME, "--json").json
    assert shown["why"]["previous"] == "1.0.0"
    assert any("nobody reads it" in exception for exception in shown["why"]["exceptions"])
    elsewhere = released_once.ok("show", NAME, "--json", "--repo", str(released_once.remote)).json
    assert {**elsewhere, "profile": None} == {**shown, "profile": None}
