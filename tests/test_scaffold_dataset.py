"""`dreg new`: what it makes, what it takes as plain text, and where it makes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dreg.adapters.templates import dataset_kinds, read_template, render
from dreg.core.contract import Contract
from dreg.core.sources import parse_sources
from dreg.core.yaml_text import quoted
from dreg.errors import BadRequest, Refused
from dreg.registry import Registry
from dreg.scaffold.dataset import new_dataset, plan_dataset
from dreg.scaffold.making import TOLD
from dreg.scaffold.plan import carry_out
from dreg.scaffold.registry import new_registry
from tests import forked
from tests.done import Done

KINDS = dataset_kinds()
TYPED = {"name": "my-dataset", "title": "T", "description": "D", "licence": "MIT", "owner": "O"}
ANSWERS = {**dict.fromkeys(TOLD), **TYPED}
HOSTILE = [
    "{{ 7*7 }}",
    "{% for x in range(9) %}x{% endfor %} {# gone #}",
    "{{ ''.__class__.__mro__ }}",
    "a: b",
    "# not a comment",
    "- item",
    'it\'s "quoted" \\ and \\n',
    "two\nlines\r\n\ttab",
    "title: x\nlicence: MIT",
    "&anchor *alias !tag %directive @at `tick` | > [a] {b: c}",
    "yes",
    "1.0",
    "~",
    "---",
    "...",
    "${PATH} $(id) `id`",
    " spaces around ",
    "Ünïcödé ☃ 🧪 \u2028 \ufeff \x85 \x7f",
]


def dreg(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    return forked.dreg(arguments, cwd=cwd, env={**os.environ, **(env or {})})


def refusal(fact: str, hint: str) -> str:
    return f"error: {fact}\n\nhint: {hint}\n"


def untracked(soil: Path) -> list[str]:
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    done = subprocess.run(command, cwd=soil, capture_output=True, text=True, check=True)
    assert all(line.startswith("?? ") for line in done.stdout.splitlines())
    return [line[3:] for line in done.stdout.splitlines()]


@pytest.fixture
def soil(tmp_path: Path) -> Path:
    """A new registry."""
    new_registry(tmp_path / "soil")
    return tmp_path / "soil"


# What is made


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_dataset_is_its_two_folders(soil, kind):
    made = dreg("new", "my-dataset", "--kind", kind, cwd=soil)
    assert (made.code, made.stderr) == (0, "")
    files = untracked(soil)
    assert made.stdout.splitlines() == [
        f"wrote {len(files)} files in {soil}",
        *(f"  {path}" for path in files),
        "",
        "next: dreg run my-dataset",
    ]
    assert {
        "data/my-dataset/.gitignore",
        "pipelines/my-dataset/dataset.yaml",
        "pipelines/my-dataset/dvc.yaml",
        "pipelines/my-dataset/params.yaml",
        "pipelines/my-dataset/scripts/analyze.py",
        "pipelines/my-dataset/scripts/download.py",
        "pipelines/my-dataset/scripts/process.py",
    } <= set(files)
    assert Registry(soil).names == ("my-dataset",)


def test_it_is_made_from_anywhere_in_the_registry(soil):
    dreg("new", "one", "--kind", "tabular", cwd=soil / "pipelines")
    assert dreg("-C", "soil", "new", "two", "--kind", "tabular", cwd=soil.parent).code == 0
    assert Registry(soil).names == ("one", "two")


def test_a_registry_that_lost_its_empty_data_folder_gets_it_again(soil):
    (soil / "data/README.md").unlink()
    (soil / "data").rmdir()
    assert dreg("new", "one", "--kind", "tabular", cwd=soil).code == 0
    assert (soil / "data/one/.gitignore").is_file()


def test_answers_reach_the_contract(soil):
    options = ["--title", "Seedlings", "--description", "Of herbs.", "--licence", "CC-BY-4.0"]
    made = dreg("new", "herbs", "--kind", "tabular", *options, "--owner", "Ada <a@b.c>", cwd=soil)
    assert (made.code, made.stderr) == (0, "")
    contract = Registry(soil).dataset("herbs").contract()
    assert (contract.title, contract.description) == ("Seedlings", "Of herbs.")
    assert (contract.licence, contract.owner) == ("CC-BY-4.0", "Ada <a@b.c>")


def test_without_answers_the_name_is_the_title_and_the_sample_has_its_own_licence(soil):
    new_dataset(Registry(soil), "wild-herbs", "tabular", title="  ")
    contract = Registry(soil).dataset("wild-herbs").contract()
    assert (contract.title, contract.licence) == ("Wild herbs", "CC0-1.0")


def test_a_dry_run_lists_the_files_and_writes_none(soil):
    made = dreg("new", "my-dataset", "--kind", "tabular", "--dry-run", cwd=soil)
    assert (made.code, made.stderr) == (0, "")
    assert made.stdout.startswith(f"would write 9 files in {soil}\n  data/my-dataset/.git")
    assert untracked(soil) == []
    assert sorted(p.name for p in (soil / "data").iterdir()) == ["README.md"]


def test_json_has_the_files_and_the_next_command(soil):
    made = dreg("new", "my-dataset", "--kind", "tabular", "--json", cwd=soil)
    assert (made.code, made.stderr) == (0, "")
    assert json.loads(made.stdout) == {
        "name": "my-dataset",
        "kind": "tabular",
        "root": str(soil),
        "files": untracked(soil),
        "written": True,
        "commit": None,
        "next": ["dreg run my-dataset"],
    }


# Templates


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_fills_two_folders_and_nothing_else(kind):
    files = render(read_template(f"dataset/{kind}"), ANSWERS)
    folders = {"/".join(path.split("/")[:2]) for path in files}
    assert folders == {"data/my-dataset", "pipelines/my-dataset"}
    assert not [path for path in files if "{" in path or path.endswith(".jinja")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_sample_is_what_params_yaml_says(kind):
    files = render(read_template(f"dataset/{kind}"), ANSWERS)
    own = "pipelines/my-dataset/sources.yaml"
    params = yaml.safe_load(files.get(own) or files["pipelines/my-dataset/params.yaml"])
    for source in parse_sources(params["sources"]):
        sample = files[f"pipelines/my-dataset/sample/{source.path}"]
        assert (len(sample), hashlib.sha256(sample).hexdigest()) == (source.size, source.sha256)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_tells_what_to_change(kind):
    files = render(read_template(f"dataset/{kind}"), ANSWERS)
    for path in ("dataset.yaml", "params.yaml", "scripts/process.py", "scripts/analyze.py"):
        assert b"Change: " in files[f"pipelines/my-dataset/{path}"], path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE)
def test_an_answer_arrives_as_plain_text(kind, text):
    answers = ANSWERS | dict.fromkeys(TYPED, text) | {"name": "my-dataset"}
    files = render(read_template(f"dataset/{kind}"), answers)
    contract = yaml.safe_load(files["pipelines/my-dataset/dataset.yaml"])
    assert {contract[key] for key in TYPED if key != "name"} == {text}
    Contract.parse(contract)
    unharmed = render(read_template(f"dataset/{kind}"), ANSWERS)
    del files["pipelines/my-dataset/dataset.yaml"], unharmed["pipelines/my-dataset/dataset.yaml"]
    assert files == unharmed, "answers go into the contract only"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_yaml(text):
    line = f"a: {quoted(text)} # b\nc: d\n"
    assert yaml.safe_load(line) == {"a": text, "c": "d"}
    assert yaml.load(line, Loader=yaml.CSafeLoader) == {"a": text, "c": "d"}
    assert len(line.splitlines()) == 2


def test_hostile_answers_through_the_command_line(soil):
    text = "{{ 7*7 }} 'a': \"b\"\n# c"
    made = dreg("new", "herbs", "--kind", "tabular", "--title", text, cwd=soil)
    assert (made.code, made.stderr) == (0, "")
    assert Registry(soil).dataset("herbs").contract().title == text


def test_a_template_asks_for_nothing_it_is_not_given():
    with pytest.raises(BadRequest, match="is undefined"):
        render({"a.jinja": b"{{ nothing }}"}, {})


def test_a_template_cannot_reach_out_of_its_sandbox():
    with pytest.raises(BadRequest, match="is unsafe"):
        render({"a.jinja": b"{{ name.__class__.__mro__[1].__subclasses__() }}"}, {"name": "x"})


def test_only_jinja_files_are_rendered_but_every_path_is():
    made = render({"{{ a }}/x.bin": b"\xff{{ a }}", "y.txt.jinja": b"{{ a }}\n"}, {"a": "b"})
    assert made == {"b/x.bin": b"\xff{{ a }}", "y.txt": b"b\n"}


# Where nothing is made


@pytest.mark.parametrize(
    ("name", "fact", "hint"),
    [
        (
            name,
            f"`{name}` cannot name a dataset",
            "names have lower case letters, digits and single `-` between them: my-dataset",
        )
        for name in (
            "My-Data",
            "my_data",
            "a b",
            "a--b",
            "a-",
            "../up",
            "a/b",
            "",
            "é",
            "a.b",
            "{{x}}",
        )
    ]
    + [
        (
            "herbs-v1",
            "`herbs-v1` ends like a version, and tags are `<name>-v<version>`",
            "leave the version to dreg: herbs",
        ),
        ("a" * 101, "a name of 101 characters is too long", "use at most 100 characters"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(soil, name, fact, hint):
    made = dreg("new", name, "--kind", "tabular", cwd=soil)
    assert (made.code, made.stdout, made.stderr) == (2, "", refusal(fact, hint))
    assert untracked(soil) == []


def test_a_dataset_is_not_made_twice(soil):
    dreg("new", "herbs", "--kind", "tabular", cwd=soil)
    contract = soil / "pipelines/herbs/dataset.yaml"
    contract.write_text("mine")
    made = dreg("new", "herbs", "--kind", "image", cwd=soil)
    assert (made.code, made.stdout, made.stderr) == (
        1,
        "",
        refusal("`pipelines/herbs` is there already", "choose another name"),
    )
    assert contract.read_text() == "mine"


@pytest.mark.parametrize("there", ["pipelines/herbs", "data/herbs"])
@pytest.mark.parametrize("what", ["file", "empty folder", "broken link"])
def test_whatever_is_in_its_place_is_left_alone(soil, there, what):
    if what == "file":
        (soil / there).write_text("mine")
    elif what == "empty folder":
        (soil / there).mkdir()
    else:
        (soil / there).symlink_to("nowhere")
    before = untracked(soil)
    made = dreg("new", "herbs", "--kind", "tabular", cwd=soil)
    assert (made.code, made.stdout, made.stderr) == (
        1,
        "",
        refusal(f"`{there}` is there already", "choose another name, or move that away"),
    )
    assert untracked(soil) == before


def test_an_unknown_kind_is_told_the_closest(soil):
    made = dreg("new", "herbs", "--kind", "images", cwd=soil)
    assert (made.code, made.stdout, made.stderr) == (
        2,
        "",
        refusal("no kind of dataset is called `images`", "dreg new herbs --kind image"),
    )
    made = dreg("new", "herbs", "--kind", "../registry", cwd=soil)
    assert (made.code, made.stdout, made.stderr) == (
        2,
        "",
        refusal(
            "no kind of dataset is called `../registry`", f"dreg new herbs --kind {'|'.join(KINDS)}"
        ),
    )


def test_a_kind_is_asked_for(soil):
    made = dreg("new", "herbs", cwd=soil)
    assert (made.code, made.stdout, made.stderr) == (
        2,
        "",
        refusal("what kind of dataset is `herbs`?", f"dreg new herbs --kind {'|'.join(KINDS)}"),
    )


def test_outside_a_registry_there_is_nowhere_to_put_it(tmp_path):
    made = dreg("new", "herbs", "--kind", "tabular", cwd=tmp_path)
    assert (made.code, made.stdout, made.stderr) == (
        2,
        "",
        refusal(
            f"`{tmp_path}` is not inside a registry (no `.dvc/config` and `pipelines/` here or above)",
            "make one with `dreg init DIR`, or name one with `-C DIR`",
        ),
    )


def test_text_that_is_not_utf8_is_refused(soil):
    made = subprocess.run(
        [sys.executable, "-m", "dreg", "new", "herbs", "--kind", "tabular", "--title", b"\xff"],
        cwd=soil,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stdout, made.stderr) == (
        2,
        "",
        refusal("the title is not UTF-8 text", "type it in UTF-8"),
    )
    assert untracked(soil) == []


def test_without_jinja_it_says_what_to_install(soil):
    code = "import sys; sys.modules['jinja2'] = None; from dreg.cli import main; main()"
    made = subprocess.run(
        [sys.executable, "-c", code, "new", "herbs", "--kind", "tabular"],
        cwd=soil,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stdout, made.stderr) == (
        3,
        "",
        refusal(
            "templates need Jinja, which is not installed here", "pip install 'dreg[registry]'"
        ),
    )
    assert untracked(soil) == []


def test_what_appears_in_the_meantime_is_kept_and_nothing_of_ours_stays(soil):
    plan = plan_dataset(Registry(soil), "herbs", "tabular", {})
    (soil / "pipelines/herbs").mkdir()  # the second of the two to be placed
    with pytest.raises(Refused, match="appeared in the meantime"):
        carry_out(plan)
    assert untracked(soil) == []
    assert not (soil / "data/herbs").exists()
    assert list(soil.rglob(".dreg-new-*")) == []


def test_of_several_at_once_one_makes_it_and_the_others_are_refused(soil):
    command = [sys.executable, "-m", "dreg", "new", "herbs", "--kind", "image"]
    several = [
        subprocess.Popen(command, cwd=soil, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ends = [(process.communicate(), process.returncode) for process in several]
    assert sorted(code for _, code in ends) == [0, 1, 1, 1]
    for (stdout, stderr), code in ends:
        assert (stdout == b"") == (code == 1)
        assert (b"error: " in stderr) == (code == 1)
    assert len(untracked(soil)) == 9
    assert list(soil.rglob(".dreg-new-*")) == []


def test_a_full_disk_leaves_nothing(soil):
    """A file size limit of the process stands in for the disk: writing fails in the middle."""
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (900, 900))"
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    code = f"{limit}; {ignore}; from dreg.cli import main; main()"
    made = subprocess.run(
        [sys.executable, "-B", "-c", code, "new", "herbs", "--kind", "tabular"],
        cwd=soil,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stdout) == (3, "")
    assert made.stderr.startswith(
        "error: a file would be larger than its file system or your limit allows"
    )
    assert made.stderr.count("\nhint: ") == 1
    assert untracked(soil) == []
    assert list(soil.rglob(".dreg-new-*")) == []
    assert not (soil / "data/herbs").exists()
