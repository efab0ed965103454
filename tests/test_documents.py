"""A dataset of documents: its list of sources counts as one file, however many sources there are."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from tests.test_release_manifest import manifest

LIST = "pipelines/notes/sources.yaml"
SAMPLE = "pipelines/notes/sample/shed.md"
STAGES = ["download", "process", "analyze"]


@pytest.fixture(scope="session")
def made_notes(made_registry, tmp_path_factory):
    """Made once per process: a dataset of documents that has run."""
    made = made_registry.copy(tmp_path_factory.mktemp("notes"))
    made.ok("new", "notes", "--kind", "documents")
    made.commit_all()
    made.ok("run", "notes")
    return made


@pytest.fixture
def notes(made_notes, tmp_path):
    """A registry of the test's own whose documents have run, not released."""
    return made_notes.copy(tmp_path)


def told(registry):
    return yaml.safe_load((registry.path / LIST).read_text())


def state(registry):
    (found,) = registry.ok("status", "notes", "--json").json["datasets"]
    return found["state"], found["why"]


def stages(registry):
    (ran,) = registry.ok("run", "notes", "--json").json["datasets"]
    return ran["stages"]


def test_the_lock_has_one_checksum_of_the_list_and_nothing_of_its_sources(notes):
    text = (notes.path / "pipelines/notes/dvc.lock").read_text()
    listed = told(notes)
    md5 = hashlib.md5((notes.path / LIST).read_bytes()).hexdigest()
    assert text.count(md5) == 2, "who downloads depends on it, and who says where each is from"
    for file, source in listed["sources"].items():
        assert file not in text
        assert source["sha256"] not in text


def test_a_source_that_changes_is_downloaded_anew_and_published(notes):
    content = b"# shed\n\nAll of it is on the left now.\n"
    (notes.path / SAMPLE).write_bytes(content)
    listed = told(notes)
    sha256 = hashlib.sha256(content).hexdigest()
    listed["sources"]["shed.md"] |= {"sha256": sha256, "size": len(content)}
    (notes.path / LIST).write_text(yaml.safe_dump(listed, sort_keys=False))
    assert state(notes) == ("changed", ["sources.yaml"])
    assert stages(notes) == STAGES
    assert (notes.path / "data/notes/processed/readmes/shed.md").read_bytes() == content
    assert state(notes) == ("up to date", [])


def test_where_a_document_is_from_is_published_anew_when_it_becomes_known(notes):
    commit = "5" * 40
    notes.edit(LIST, "    commit: null", f"    commit: '{commit}'")
    assert state(notes) == ("changed", ["sources.yaml"])
    stages(notes)
    index = (notes.path / "data/notes/processed/index.jsonl").read_text()
    assert index.count(commit) == 1


def test_a_release_names_every_source_with_its_checksum(notes):
    notes.commit_all()
    notes.ok("release", "notes")
    made = manifest(notes, "notes-v1.0.0")["provenance"]
    listed = told(notes)["sources"]
    assert made["sources"] == [
        {
            "path": f"raw/{file}",
            "sha256": source["sha256"],
            "size": source["size"],
            "mirror": "file",
        }
        for file, source in sorted(listed.items())
    ]
    assert made["params"] == {}, "what is in the list is no parameter"
    statement = notes.ok("show", "notes@1.0.0", "--provenance", "--json").json
    used = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    digests = {one.get("digest", {}).get("sha256") for one in used}
    assert {source["sha256"] for source in listed.values()} <= digests
