"""The dataset `opencloudhub-readmes`: what is new upstream is a version, what is not changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from dreg.adapters.making import read_making
from dreg.errors import BadRequest, Outside
from dreg.stages import readmes
from tests.github_server import GitHub, git_hash
from tests.shipped import Shipped


class Hub:
    """The dataset, set to the organisation `acme` of a server for tests."""

    def __init__(self, dataset: Shipped, github: GitHub) -> None:
        self.dataset = dataset
        self.github = github
        dataset.change("params.yaml", organisation="acme")
        self.sources_file.unlink()

    @property
    def sources_file(self) -> Path:
        return self.dataset.pipeline / "sources.yaml"

    @property
    def sources(self) -> Any:
        return yaml.safe_load(self.sources_file.read_text())

    def make(self) -> None:
        self.dataset.stage("download", "process")

    def index(self) -> dict[str, dict[str, Any]]:
        text = (self.dataset.data / "processed/index.jsonl").read_text()
        return {one["repository"]: one for one in map(json.loads, text.splitlines())}

    def published(self) -> dict[str, bytes]:
        folder = self.dataset.data / "processed"
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, github: GitHub) -> Hub:
    github.add("tools", b"# tools\n\nFor work.\n", licence="MIT")
    github.add("docs", b"# docs\n")
    return Hub(Shipped("opencloudhub-readmes", tmp_path, monkeypatch), github)


def test_readmes_are_published_as_they_are_and_the_index_says_where_from(hub):
    readmes.refresh([])
    hub.make()
    published = hub.published()
    assert published["readmes/tools.md"] == b"# tools\n\nFor work.\n"
    assert hub.index()["acme/tools"] == {
        "document": "readmes/tools.md",
        "repository": "acme/tools",
        "path": "README.md",
        "blob": git_hash(published["readmes/tools.md"]),
        "commit": hub.github.repositories["tools"].commit,
        "licence": "MIT",
    }


def test_the_pipeline_itself_asks_nobody_which_there_are(hub):
    readmes.refresh([])
    hub.github.asked()
    hub.github.add("later", b"# later\n")
    hub.make()
    assert set(read_making(hub.dataset.dataset).mirrors.values()) == {"github"}
    assert hub.github.asked() == [], "the bytes are in the download cache"
    assert "acme/later" not in hub.index()


def test_another_machine_gets_the_same_bytes_by_their_hash(hub, monkeypatch, tmp_path):
    readmes.refresh([])
    hub.make()
    before = hub.published()
    hub.github.change("tools", b"# tools, as they are now\n")
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "another"))
    hub.make()
    assert hub.published() == before


def test_what_is_unchanged_upstream_changes_no_byte_here(hub):
    readmes.refresh([])
    before = hub.sources_file.read_bytes()
    hub.github.asked()
    readmes.refresh([])
    assert hub.sources_file.read_bytes() == before
    assert set(hub.github.asked()) == {304}


def test_a_commit_that_leaves_the_readme_alone_changes_no_byte_here(hub):
    readmes.refresh([])
    before = hub.sources_file.read_bytes()
    hub.github.change("tools", hub.github.repositories["tools"].readme)
    readmes.refresh([])
    assert hub.sources_file.read_bytes() == before


def test_new_and_changed_and_gone_are_told_and_taken_over(hub, capsys):
    readmes.refresh([])
    hub.github.change("tools", b"# other tools\n")
    hub.github.change("docs", None)
    hub.github.add("demo", b"# demo\n")
    capsys.readouterr()
    readmes.refresh([])
    assert capsys.readouterr().err.splitlines() == [
        "demo.md: new",
        "docs.md: gone, it will not be in the next version",
        "tools.md: changed",
        "2 READMEs, 0 of them as before",
    ]
    hub.make()
    assert list(hub.index()) == ["acme/demo", "acme/tools"]
    assert hub.index()["acme/tools"]["commit"] == hub.github.repositories["tools"].commit


def test_a_readme_that_vanished_is_no_longer_published(hub):
    readmes.refresh([])
    hub.make()
    del hub.github.repositories["docs"]
    readmes.refresh([])
    hub.dataset.clear()
    hub.make()
    assert set(hub.published()) == {"index.jsonl", "readmes/tools.md"}


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "has no text"), (b" \n", "has no text"), ("# odd\n".encode("utf-16"), "is not UTF-8")],
)
def test_a_readme_that_nobody_can_read_keeps_no_other_from_being_published(
    hub, capsys, content, why
):
    hub.github.add("odd", content)
    readmes.refresh([])
    assert f"acme/odd: README.md {why}, and is left out" in capsys.readouterr().err
    hub.make()
    assert sorted(hub.index()) == ["acme/docs", "acme/tools"]


def test_the_repository_that_github_shows_for_an_organisation_is_one_like_others(hub):
    hub.github.add(".github", b"# acme\n")
    readmes.refresh([])
    hub.make()
    assert hub.published()["readmes/.github.md"] == b"# acme\n"


def test_an_organisation_without_any_readme_empties_nothing(hub):
    readmes.refresh([])
    before = hub.sources_file.read_bytes()
    hub.github.repositories.clear()
    with pytest.raises(Outside, match="`acme` has no README at all"):
        readmes.refresh([])
    assert hub.sources_file.read_bytes() == before


def test_a_rate_limit_half_way_changes_nothing(hub):
    readmes.refresh([])
    before = hub.sources_file.read_bytes()
    hub.github.change("docs", b"# more docs\n")
    hub.github.change("tools", b"# more tools\n")
    hub.github.left[None] = 1
    with pytest.raises(Outside, match="answers no more requests"):
        readmes.refresh([])
    assert hub.sources_file.read_bytes() == before


def test_a_folder_of_readmes_will_do_and_says_that_no_commit_is_known(hub, tmp_path, monkeypatch):
    (tmp_path / "mirror/of-may").mkdir(parents=True)
    (tmp_path / "mirror/of-may/tools_README.md").write_text("# tools in May\n")
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    readmes.refresh(["--local", "of-may"])
    hub.make()
    assert hub.index()["acme/tools"]["commit"] is None
    assert hub.published()["readmes/tools.md"] == b"# tools in May\n"
    kinds = [next(iter(mirror)) for mirror in hub.sources["sources"]["tools.md"]["mirrors"]]
    assert kinds == ["github", "local"]
    assert set(read_making(hub.dataset.dataset).mirrors.values()) == {"local"}


@pytest.mark.parametrize("folder", ["/elsewhere", "../elsewhere", "nope"])
def test_a_folder_that_is_not_below_the_mirror_is_refused(hub, folder, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/tools_README.md").write_text("# tools\n")
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(BadRequest, match="below DREG_MIRROR"):
        readmes.refresh(
            [
                "--local",
                folder.replace("/elsewhere", f"{tmp_path}/elsewhere", 1)
                if folder.startswith("/")
                else folder,
            ]
        )
    assert not hub.sources_file.exists()


def test_of_the_same_bytes_a_folder_keeps_what_was_known(hub, tmp_path, monkeypatch):
    readmes.refresh([])
    folder = tmp_path / "mirror/of-may"
    folder.mkdir(parents=True)
    (folder / "tools_README.md").write_bytes(hub.github.repositories["tools"].readme)
    (folder / "docs_README.md").write_text("# docs in May\n")
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    readmes.refresh(["--local", "of-may"])
    hub.make()
    index, known = hub.index(), hub.github.repositories
    assert (index["acme/tools"]["commit"], index["acme/tools"]["licence"]) == (
        known["tools"].commit,
        "MIT",
    )
    told = index["acme/docs"]
    assert (told["commit"], told["licence"]) == (None, "Apache-2.0"), "of other bytes no commit"


def test_what_a_folder_could_not_tell_github_tells_later_and_no_byte_changes(
    hub, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "mirror/of-may"
    folder.mkdir(parents=True)
    for name, repository in hub.github.repositories.items():
        (folder / f"{name}_README.md").write_bytes(repository.readme)
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    hub.dataset.change("params.yaml", licences={})
    readmes.refresh(["--local", "of-may"])
    hub.make()
    before, sources = hub.published(), hub.sources["sources"]
    untold = {(told["commit"], told["licence"]) for told in hub.index().values()}
    assert untold == {(None, None)}

    capsys.readouterr()
    readmes.refresh([])
    assert capsys.readouterr().err.splitlines()[-1] == "2 READMEs, 2 of them as before"
    assert hub.sources["sources"] == sources, "and the mirrors are those that it had"
    hub.make()
    after, known = hub.published(), hub.github.repositories
    assert {p for p in after if after[p] != before.get(p)} == {"index.jsonl"}
    told = {name: (one["commit"], one["licence"]) for name, one in hub.index().items()}
    assert told == {
        "acme/tools": (known["tools"].commit, "MIT"),
        "acme/docs": (known["docs"].commit, "Apache-2.0"),
    }


def test_a_licence_that_the_owner_noted_is_told_where_nobody_else_knows_one(
    hub, tmp_path, monkeypatch
):
    folder = tmp_path / "mirror/of-may"
    folder.mkdir(parents=True)
    for name in ("tools", "attic"):
        (folder / f"{name}_README.md").write_text(f"# {name}\n")
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    hub.dataset.change("params.yaml", licences={"tools": "ISC", "bare": "0BSD"})
    readmes.refresh(["--local", "of-may"])
    hub.make()
    licences = {name: told["licence"] for name, told in hub.index().items()}
    assert licences == {"acme/tools": "ISC", "acme/attic": None}

    hub.github.add("bare", b"# bare\n", licence=None)
    readmes.refresh([])
    hub.make()
    licences = {name: told["licence"] for name, told in hub.index().items()}
    assert licences == {"acme/tools": "MIT", "acme/docs": "Apache-2.0", "acme/bare": "0BSD"}


@pytest.mark.parametrize("noted", [["MIT"], {"tools": None}, "MIT"])
def test_a_note_of_licences_that_is_none_is_refused(hub, noted):
    hub.dataset.change("params.yaml", licences=noted)
    with pytest.raises(BadRequest, match=r"`licences` in .*params.yaml` has something else"):
        readmes.refresh([])


@pytest.mark.parametrize(
    ("path", "file"),
    [("README.rst", "tools.rst"), ("docs/README.MD", "tools.md"), ("README", "tools.txt")],
)
def test_a_readme_keeps_the_ending_that_says_what_it_is(hub, path, file):
    hub.github.repositories["tools"].path = path
    readmes.refresh([])
    hub.make()
    assert f"readmes/{file}" in hub.published()
    assert hub.index()["acme/tools"]["path"] == path


def test_a_list_of_no_documents_is_written_anew(hub):
    hub.sources_file.write_text("sources: {}\n")
    readmes.refresh([])
    assert set(hub.sources["documents"]) == {"docs.md", "tools.md"}


@pytest.mark.parametrize("arguments", [["--local"], ["v1"], ["--local", "a", "b"], ["--help"]])
def test_other_arguments_are_refused(hub, arguments):
    with pytest.raises(BadRequest, match="is no way to refresh"):
        readmes.refresh(arguments)


@pytest.mark.parametrize("name", [None, "", "a/b", "../x", 7, "ä"])
def test_an_organisation_that_is_no_name_is_refused(hub, name):
    hub.dataset.change("params.yaml", organisation=name)
    with pytest.raises(BadRequest, match="names no organisation"):
        readmes.refresh([])


def test_a_list_without_documents_is_told(hub):
    hub.sources_file.write_text("sources: {}\n")
    with pytest.raises(BadRequest, match="lists no documents"):
        hub.dataset.stage("process")


@pytest.mark.parametrize(("content", "words"), [(b"\xff", "is not UTF-8"), (b" \n", "has no text")])
def test_a_readme_that_is_no_text_is_named(hub, content, words):
    readmes.refresh([])
    hub.dataset.stage("download")
    (hub.dataset.data / "raw/docs.md").write_bytes(content)
    with pytest.raises(Outside, match=f"`readmes/docs.md` {words}"):
        hub.dataset.stage("process")


def test_the_latest_kept_snapshot_gives_the_committed_bytes(tmp_path, monkeypatch):
    dataset = Shipped("opencloudhub-readmes", tmp_path, monkeypatch)
    dataset.from_mirror()
    dataset.holds_what_is_committed()
    assert dataset.metadata["splits"]["all"]["num_samples"] == 12
    text = (dataset.data / "processed/index.jsonl").read_text()
    licences = [json.loads(line)["licence"] for line in text.splitlines()]
    assert Counter(licences) == {"Apache-2.0": 9, "MIT": 1, None: 2}
