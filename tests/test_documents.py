"""A dataset of documents: its list of sources counts as one file, however many sources there are."""

from __future__ import annotations

import hashlib
import os
import time

import pytest
import yaml

from dreg.adapters import source_list
from dreg.adapters.declared_sources import other_files
from dreg.adapters.dvc.pipeline import scratch
from dreg.adapters.layout import Layout
from dreg.adapters.source_list import read_list
from dreg.errors import BadRequest
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


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that were read to hash them."""
    names, digest = [], hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, by: (names.append(file.name), digest(file, by))[1]
    )
    return names


def settle():
    """What was touched a moment ago could change again without its times changing."""
    time.sleep(0.2)


def test_sources_in_git_are_read_again_when_something_in_their_folder_was_touched(notes, hashed):
    layout = Layout(notes.path, "notes")
    settle()
    assert other_files(layout) == other_files(layout) == ()
    assert len(hashed) == 3, "each once"
    file = notes.path / SAMPLE
    text, times = file.read_text(), file.stat()
    file.write_text(text.upper())
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    for _ in range(2):
        settle()
        assert [other.path for other in other_files(layout)] == ["sample/shed.md"]
    file.write_text(text)
    assert other_files(layout) == ()


def test_sources_behind_a_link_are_read_each_time(notes, hashed):
    folder = notes.path / "pipelines/notes/sample"
    folder.rename(notes.home / "elsewhere")
    folder.symlink_to(notes.home / "elsewhere")
    settle()
    assert other_files(Layout(notes.path, "notes")) == ()
    (notes.home / "elsewhere/shed.md").write_text("# other\n")
    assert [other.path for other in other_files(Layout(notes.path, "notes"))] == ["sample/shed.md"]


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """A dataset with a list of which any length counts as large."""
    monkeypatch.setattr(source_list, "LARGE", 1)
    (tmp_path / "pipelines/notes").mkdir(parents=True)
    (tmp_path / LIST).write_text("sources: {a.md: {size: 1}}\n")
    return Layout(tmp_path, "notes")


@pytest.fixture
def parsed(monkeypatch):
    """The texts that were read as YAML."""
    texts, parse = [], source_list.parse_yaml
    monkeypatch.setattr(
        source_list, "parse_yaml", lambda text, where: (texts.append(text), parse(text, where))[1]
    )
    return texts


def read(layout):
    return read_list(layout, layout.root / LIST)


def test_a_long_list_is_read_as_yaml_once_until_it_changes(layout, parsed):
    for size in (1, 1, 2, 2, 1):
        text = f"sources: {{a.md: {{size: {size}}}}}\n"
        (layout.root / LIST).write_text(text)
        assert read(layout) == {"sources": {"a.md": {"size": size}}}
    assert len(parsed) == 3, "when it was new, when it changed, and when it changed again"


def test_a_short_list_leaves_nothing_behind(layout, parsed, monkeypatch):
    monkeypatch.setattr(source_list, "LARGE", 10_000)
    assert read(layout) == read(layout)
    assert len(parsed) == 2
    assert not scratch(layout.root).exists()


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"format": 1}', "\xff"])
def test_what_was_kept_of_a_list_and_is_damaged_counts_for_nothing(layout, parsed, damage):
    good = read(layout)
    (kept,) = (scratch(layout.root) / "lists").iterdir()
    kept.write_bytes(damage.encode("latin-1"))
    assert read(layout) == good
    assert len(parsed) == 2


@pytest.mark.parametrize("text", ["day: 2024-05-01\n", "1: a\n", "x: .nan\n", "x: .inf\n"])
def test_of_a_list_that_json_would_say_otherwise_nothing_is_kept(layout, parsed, text):
    (layout.root / LIST).write_text(text)
    assert str(read(layout)) == str(read(layout)) == str(yaml.safe_load(text))
    assert len(parsed) == 2


def test_a_mistake_in_a_long_list_is_told_with_its_line_each_time(layout):
    (layout.root / LIST).write_text("sources:\n  a: b: c\n")
    for _ in range(2):
        with pytest.raises(BadRequest, match=r"sources\.yaml:2:7 is not YAML"):
            read(layout)


def test_where_nothing_can_be_kept_the_list_is_read_all_the_same(layout):
    (layout.root / ".dvc").write_text("no folder")
    assert read(layout) == {"sources": {"a.md": {"size": 1}}}
