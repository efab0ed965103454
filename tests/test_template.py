"""`dreg template`, and `dreg new` with a template of one's own: what is recorded, what an update merges."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from dreg.adapters.templates import dataset_kinds, read_template
from dreg.core.template_record import parse_record, record_json, recorded
from dreg.errors import BadRequest, DregError, Refused
from dreg.registry import Registry
from dreg.scaffold.dataset import new_dataset
from dreg.scaffold.registry import new_registry
from dreg.scaffold.shelf import listed, shown
from dreg.scaffold.updating import Updated, update

KINDS = dataset_kinds()


class Soil:
    """A registry, and a template of one's own in a folder beside it."""

    def __init__(self, home: Path) -> None:
        new_registry(home / "soil")
        self.root = home / "soil"
        self.template = home / "template"
        for path, content in read_template("dataset/tabular").items():
            file = self.template / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    @property
    def registry(self) -> Registry:
        return Registry(self.root)

    def plant(self, where: Path | str | None = None) -> None:
        """A dataset of the template, committed."""
        new_dataset(self.registry, "herbs", None, template=str(where or self.template))
        self.commit()

    def commit(self) -> None:
        git("add", "--all", cwd=self.root)
        git("commit", "--quiet", "--message=by hand", cwd=self.root)

    def file(self, path: str) -> Path:
        return self.root / "pipelines/herbs" / path

    def edit(self, path: str, old: str, new: str) -> None:
        """What the owner changes."""
        replace(self.file(path), old, new)

    def renew(self, path: str, old: str, new: str) -> None:
        """What the template's author changes."""
        replace(self.template / "pipelines/{{name}}" / path, old, new)

    def update(self) -> dict[str, str]:
        """What became of which file of the pipeline."""
        return told(update(self.registry, "herbs"))

    def refused(self, kind: type[DregError]) -> DregError:
        with pytest.raises(kind) as caught:
            update(self.registry, "herbs")
        assert caught.value.hint
        return caught.value


def told(updated: Updated) -> dict[str, str]:
    return {file.path.removeprefix("pipelines/herbs/"): file.what for file in updated.files}


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def soil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Soil:
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "cache"))
    return Soil(tmp_path)


# What there is


def test_every_kind_is_listed_with_what_it_is_for():
    lines = list(listed().lines())
    assert len(lines) == 1 + len(KINDS)
    assert lines[-1].startswith("vlm ")
    assert lines[-1].endswith("Images with captions, as conversations for vision language models.")


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_shown_file_by_file(kind):
    there = shown(kind)
    assert [file.path for file in there.files] == list(read_template(f"dataset/{kind}"))
    assert "--- pipelines/{{name}}/scripts/download.py.jinja" in list(there.lines())
    assert "about.txt" not in {file.path for file in there.files}


def test_an_unknown_kind_is_told_the_closest():
    with pytest.raises(BadRequest) as caught:
        shown("tables")
    assert caught.value.fact == "no kind of dataset is called `tables`"


# The record


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_records_what_it_was_made_from(soil, kind):
    new_dataset(soil.registry, "herbs", kind, title="Kitchen herbs")
    record = parse_record(soil.file("template.json").read_bytes(), "template.json")
    assert (record.template, record.own) == (kind, False)
    assert record.answers["title"] == "Kitchen herbs"
    for path in record.sums:
        assert record.is_as_made(path, (soil.root / path).read_bytes())


@pytest.mark.parametrize("content", [b"", b"a\r\nb", "ä\n\n".encode(), b"no end", b"\xff\0"])
def test_a_record_keeps_every_byte_of_texts(content):
    record = recorded("tabular", False, None, "1", {"name": "x"}, {"pipelines/x/a": content})
    again = parse_record(record_json(record), "there")
    assert again == record
    assert again.made["pipelines/x/a"] == (None if b"\xff" in content else content)


def test_a_dataset_as_its_template_has_it_needs_no_update(soil):
    soil.plant()
    assert soil.update() == {}
    assert git("status", "--porcelain", cwd=soil.root) == ""


# An update


def test_what_is_new_in_the_template_is_taken_over(soil):
    soil.plant()
    soil.renew("dvc.yaml.jinja", "desc: measure it", "desc: measure all of it")
    (soil.template / "pipelines/{{name}}/scripts/look.py.jinja").write_text("print('{{ name }}')\n")
    assert soil.update() == {"dvc.yaml": "written", "scripts/look.py": "written"}
    assert "measure all of it" in soil.file("dvc.yaml").read_text()
    assert soil.file("scripts/look.py").read_text() == "print('herbs')\n"
    soil.commit()
    assert soil.update() == {}


def test_what_the_owner_changed_stays_and_what_is_new_comes(soil):
    soil.plant()
    soil.edit("params.yaml", "validation_share: 0.25", "validation_share: 0.1")
    soil.commit()
    soil.renew("params.yaml.jinja", "# The files of", "# All files of")
    assert soil.update() == {"params.yaml": "merged"}
    text = soil.file("params.yaml").read_text()
    assert "# All files of" in text
    assert "validation_share: 0.1" in text


def test_a_file_that_only_the_owner_changed_is_left_alone(soil):
    soil.plant()
    soil.edit("params.yaml", "validation_share: 0.25", "validation_share: 0.1")
    soil.commit()
    assert soil.update() == {}


def test_where_both_changed_the_same_line_both_are_marked(soil):
    soil.plant()
    soil.edit("params.yaml", "validation_share: 0.25", "validation_share: 0.1")
    soil.commit()
    soil.renew("params.yaml.jinja", "validation_share: 0.25", "validation_share: 0.2")
    error = soil.refused(Refused)
    assert error.fact == "you and the template changed the same lines: 1 marked in the files"
    assert told(error.answer) == {"params.yaml": "conflicts"}
    text = soil.file("params.yaml").read_text()
    assert (
        "<<<<<<< yours\n  validation_share: 0.1\n"
        "||||||| template before\n  validation_share: 0.25\n"
        "=======\n  validation_share: 0.2\n>>>>>>> template now\n"
    ) in text


def test_after_a_conflict_was_settled_the_next_update_starts_from_there(soil):
    test_where_both_changed_the_same_line_both_are_marked(soil)
    text = soil.file("params.yaml").read_text()
    head, tail = text.split("<<<<<<< yours\n")[0], text.split(">>>>>>> template now\n")[1]
    soil.file("params.yaml").write_text(f"{head}  validation_share: 0.15\n{tail}")
    soil.commit()
    assert soil.update() == {}
    soil.renew("params.yaml.jinja", "# The files of", "# All files of")
    assert soil.update() == {"params.yaml": "merged"}
    assert "validation_share: 0.15" in soil.file("params.yaml").read_text()


def test_a_file_that_the_owner_removed_stays_away(soil):
    soil.plant()
    shutil.rmtree(soil.file("sample"))
    soil.commit()
    (soil.template / "pipelines/{{name}}/sample/seedlings.csv").write_text("another,sample\n1,2\n")
    assert soil.update() == {"sample/seedlings.csv": "kept"}
    assert not soil.file("sample").exists()


def test_a_file_that_the_template_dropped_goes_unless_it_was_changed(soil):
    for name in ("one.py", "two.py"):
        (soil.template / "pipelines/{{name}}/scripts" / name).write_text("pass\n")
    soil.plant()
    soil.edit("scripts/two.py", "pass", "print()")
    soil.commit()
    for name in ("one.py", "two.py"):
        (soil.template / "pipelines/{{name}}/scripts" / name).unlink()
    assert soil.update() == {"scripts/one.py": "removed", "scripts/two.py": "kept"}
    assert not soil.file("scripts/one.py").exists()
    assert soil.file("scripts/two.py").read_text() == "print()\n"


def test_a_changed_file_that_is_no_text_is_kept(soil):
    soil.template.joinpath("pipelines/{{name}}/sample/a.bin").write_bytes(b"\0old")
    soil.plant()
    soil.file("sample/a.bin").write_bytes(b"\0mine")
    soil.commit()
    soil.template.joinpath("pipelines/{{name}}/sample/a.bin").write_bytes(b"\0new")
    assert soil.update() == {"sample/a.bin": "kept"}
    assert soil.file("sample/a.bin").read_bytes() == b"\0mine"


def test_a_dry_run_tells_and_writes_nothing(soil):
    soil.plant()
    soil.renew("dvc.yaml.jinja", "desc: measure it", "desc: measure all of it")
    planned = update(soil.registry, "herbs", dry_run=True)
    assert next(iter(planned.lines())) == "would be written   pipelines/herbs/dvc.yaml"
    assert git("status", "--porcelain", cwd=soil.root) == ""


def test_changes_that_no_commit_has_are_in_no_danger(soil):
    soil.plant()
    soil.edit("params.yaml", "validation_share: 0.25", "validation_share: 0.1")
    soil.renew("dvc.yaml.jinja", "desc: measure it", "desc: measure all of it")
    assert "has changes that are not committed" in soil.refused(Refused).fact
    assert "measure it" in soil.file("dvc.yaml").read_text()


@pytest.fixture
def broken_off(soil, monkeypatch):
    """An update that ended between its two files."""
    soil.plant()
    for name in ("a.py", "b.py"):
        (soil.template / "pipelines/{{name}}/scripts" / name).write_text("pass\n")
    replaced = os.replace

    def broken(source: str, target: str) -> None:
        if str(target).endswith("b.py"):
            raise OSError(28, "No space left on device")
        replaced(source, target)

    with monkeypatch.context() as full, pytest.raises(OSError, match="No space left"):
        full.setattr(os, "replace", broken)
        update(soil.registry, "herbs")
    assert soil.file("scripts/a.py").is_file()


@pytest.mark.usefixtures("broken_off")
def test_an_update_that_broke_off_is_finished_by_the_same_command(soil):
    soil.file("scripts/.new-b.py").write_text("pa")  # as a killed one leaves it
    assert soil.update() == {"scripts/a.py": "written", "scripts/b.py": "written"}
    assert sorted(p.name for p in soil.file("scripts").iterdir() if p.stem in ("b", ".new-b")) == [
        "b.py"
    ]
    soil.commit()
    assert soil.update() == {}


@pytest.mark.usefixtures("broken_off")
def test_an_update_that_broke_off_may_be_committed_and_made_again(soil):
    soil.commit()
    assert soil.update() == {"scripts/b.py": "written"}


@pytest.mark.usefixtures("broken_off")
@pytest.mark.parametrize("path", ["params.yaml", "scripts/a.py"])
def test_what_the_owner_changed_since_an_update_broke_off_is_in_no_danger(soil, path):
    with soil.file(path).open("a") as file:
        file.write("# mine\n")
    refusal = soil.refused(Refused)
    assert "has changes that are not committed" in refusal.fact
    assert f"pipelines/herbs/{path}" in refusal.details
    assert soil.file(path).read_text().endswith("# mine\n")


def test_a_script_that_can_be_run_can_be_run_after_an_update(soil):
    soil.plant()
    soil.file("scripts/process.py").chmod(0o755)
    soil.commit()
    with (soil.template / "pipelines/{{name}}/scripts/process.py.jinja").open("a") as file:
        file.write("# the end\n")
    assert soil.update() == {"scripts/process.py": "written"}
    assert soil.file("scripts/process.py").stat().st_mode & 0o777 == 0o755


def test_a_dataset_without_a_record_is_told_so(soil):
    soil.plant()
    soil.file("template.json").unlink()
    soil.commit()
    assert "nobody recorded what `herbs` was made from" in soil.refused(BadRequest).fact


@pytest.mark.parametrize(
    "change",
    [{"format": 9}, {"files": {"pipelines/herbs/x": {"sha256": "0" * 64, "lines": ["x"]}}},
     {"files": {"../../.bashrc": {"sha256": "0" * 64}}},
     {"files": {"pipelines/herbs/../../x": {"sha256": "0" * 64}}},
     {"files": {"pipelines/other/x": {"sha256": "0" * 64}}}, {"answers": None}],
)  # fmt: skip
def test_a_record_that_dreg_did_not_write_is_refused(soil, change):
    soil.plant()
    path = soil.file("template.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    soil.commit()
    assert "is no record of a template" in soil.refused(BadRequest).fact


def test_a_dataset_that_was_renamed_is_updated_under_its_new_name(soil):
    soil.plant()
    for folder in ("pipelines", "data"):
        (soil.root / folder / "herbs").rename(soil.root / folder / "spices")
    moved = soil.root / "pipelines/spices"
    for name in ("dvc.yaml", "params.yaml"):
        replace(moved / name, "data/herbs/", "data/spices/")
    replace(moved / "dataset.yaml", "min_samples_per_class: 1", "min_samples_per_class: 2")
    soil.commit()
    soil.renew("dvc.yaml.jinja", "desc: measure it", "desc: measure all of it")
    soil.renew("dataset.yaml.jinja", "label: variety", "label: sort")
    found = {file.path: file.what for file in update(soil.registry, "spices").files}
    assert found["pipelines/spices/dataset.yaml"] == "merged"
    text = (moved / "dataset.yaml").read_text()
    assert "label: sort" in text
    assert "min_samples_per_class: 2" in text
    assert "herbs" not in (moved / "dvc.yaml").read_text()
    assert "measure all of it" in (moved / "dvc.yaml").read_text()
    assert not (soil.root / "pipelines/herbs").exists()
    soil.commit()
    assert update(soil.registry, "spices").files == ()


def test_a_template_that_is_gone_is_named(soil):
    soil.plant()
    shutil.rmtree(soil.template)
    assert f"there is no folder `{soil.template}`" in soil.refused(BadRequest).fact


# Templates of one's own


def test_a_template_in_a_git_repository_is_read_without_a_checkout(soil, tmp_path):
    git("init", "--quiet", cwd=soil.template)
    git("add", "--all", cwd=soil.template)
    git("commit", "--quiet", "--message=a template", cwd=soil.template)
    git("clone", "--quiet", "--bare", str(soil.template), str(tmp_path / "own.git"), cwd=tmp_path)
    soil.plant(f"file://{tmp_path}/own.git")
    record = parse_record(soil.file("template.json").read_bytes(), "template.json")
    assert record.commit == git("rev-parse", "HEAD", cwd=soil.template).strip()
    soil.renew("dvc.yaml.jinja", "desc: measure it", "desc: measure all of it")
    git("commit", "--quiet", "--all", "--message=better", cwd=soil.template)
    git("push", "--quiet", str(tmp_path / "own.git"), "HEAD:main", cwd=soil.template)
    assert soil.update() == {"dvc.yaml": "written"}


def test_a_tag_of_a_template_is_kept_until_another_is_named(soil, tmp_path):
    git("init", "--quiet", cwd=soil.template)
    for tag, text, later in (
        ("v1", "measure it", "measure all"),
        ("v2", "measure all", "weigh it"),
    ):
        git("add", "--all", cwd=soil.template)
        git("commit", "--quiet", "--message=a template", cwd=soil.template)
        git("tag", tag, cwd=soil.template)
        soil.renew("dvc.yaml.jinja", text, later)
    url = f"file://{soil.template}"
    soil.plant(f"{url}#v1")
    assert soil.update() == {}
    assert told(update(soil.registry, "herbs", own=f"{url}#v2")) == {"dvc.yaml": "written"}
    soil.commit()
    assert soil.update() == {}
    with pytest.raises(BadRequest, match=r"has no tag, branch or commit `v3`"):
        update(soil.registry, "herbs", own=f"{url}#v3")


def test_a_template_that_moved_is_found_where_it_is_now(soil, tmp_path):
    soil.plant()
    soil.template.rename(tmp_path / "elsewhere")
    assert "--template DIR|URL" in soil.refused(BadRequest).hint
    assert told(update(soil.registry, "herbs", own=str(tmp_path / "elsewhere"))) == {}
    soil.commit()
    assert soil.update() == {}


def test_a_template_need_have_nothing_for_the_data(soil):
    shutil.rmtree(soil.template / "data")
    soil.plant()
    assert soil.registry.names == ("herbs",)
    assert not (soil.root / "data/herbs").exists()


@pytest.mark.parametrize(
    ("files", "fact"),
    [
        ({"pipelines/{{name}}/dvc.yaml": "", "pipelines/{{name}}/dataset.yaml": "",
          "pipelines/other/x": ""}, "makes `pipelines/other/x`, outside of the dataset's folders"),
        ({"pipelines/{{ '../' * 3 }}x": ""}, "outside of the dataset's folders"),
        ({"pipelines/{{name}}/dvc.yaml": ""}, "makes no `pipelines/herbs/dataset.yaml`"),
        ({"pipelines/{{name}}/x.jinja": "{{ nobody }}"}, "cannot be rendered: 'nobody' is undefined"),
        ({"pipelines/{{name}}/x.jinja": "{% if %}"}, "cannot be rendered"),
        ({"pipelines/{{name}}/x.jinja": "{{ ''.__class__.__mro__ }}"}, "cannot be rendered"),
        ({"pipelines/{{name}}/x.jinja": "{{ 1 // 0 }}"}, "cannot be rendered"),
        ({"pipelines/{{name}}/x.jinja": "{% for i in range(10**9) %}.{% endfor %}"}, "cannot be rendered"),
        ({"pipelines/{{name}}/x.jinja": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"}, "cannot be rendered"),
        ({"pipelines/{{name}}/x.jinja": "{{ 5|dictsort }}"}, "cannot be rendered: 'int' object has no"),
        ({"README.md": "mine"}, "there is no template in"),
    ],
)  # fmt: skip
def test_a_template_that_makes_no_dataset_is_refused(
    soil, tmp_path, files: Mapping[str, str], fact
):
    for path, text in files.items():
        file = tmp_path / "odd" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with pytest.raises(BadRequest) as caught:
        new_dataset(soil.registry, "herbs", None, template=str(tmp_path / "odd"))
    assert fact in caught.value.fact
    assert soil.registry.names == ()


def test_a_link_in_a_template_is_not_followed(soil):
    (soil.template / "pipelines/{{name}}/secret").symlink_to("/etc/passwd")
    with pytest.raises(BadRequest, match="the template has the link"):
        soil.plant()


def test_a_kind_and_a_template_exclude_each_other(soil):
    with pytest.raises(BadRequest, match="--kind and --template exclude each other"):
        new_dataset(soil.registry, "herbs", "tabular", template=str(soil.template))


def test_a_template_that_is_nowhere_is_told(soil):
    with pytest.raises(BadRequest, match="there is no folder `nowhere`"):
        soil.plant("nowhere")
