"""The datasets of this repository are what its templates make, with what their owners changed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from dreg.core.template_record import parse_record, record_path
from dreg.registry import Registry
from dreg.scaffold.updating import update

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = Registry(ROOT)
STAGES = ("download", "process", "analyze")
MOST_LINES = 60  # of a script; what several need is in dreg.stages


def made(name: str, file: str) -> str:
    """The file as the dataset's template makes it today."""
    path = record_path(name)
    content = parse_record((ROOT / path).read_bytes(), path).made[f"pipelines/{name}/{file}"]
    assert content is not None
    return content.decode()


def ours(name: str, file: str) -> str:
    return (ROOT / "pipelines" / name / file).read_text()


def code(text: str) -> str:
    """A script without its comments and docstring."""
    tree = ast.parse(text)
    return ast.unparse(ast.Module(tree.body[1:], []))


def stages(text: str) -> dict[str, dict[str, Any]]:
    """Per stage what DVC does: what is described and which parameters count is the owner's."""
    told = yaml.safe_load(text)["stages"]
    return {
        name: {key: value for key, value in stage.items() if key in ("cmd", "deps", "outs")}
        for name, stage in told.items()
    }


@pytest.mark.parametrize("name", REGISTRY.names)
def test_a_dataset_is_up_to_date_with_the_template_of_its_kind(name):
    """After a change of a template: dreg template update NAME, for each of that kind."""
    contract = REGISTRY.dataset(name).contract()
    answer = update(REGISTRY, name, dry_run=True)
    assert (answer.template, answer.files) == (contract.kind, ())


@pytest.mark.parametrize("name", REGISTRY.names)
def test_its_stages_are_those_of_the_template(name):
    assert stages(ours(name, "dvc.yaml")) == stages(made(name, "dvc.yaml"))
    assert tuple(stages(ours(name, "dvc.yaml"))) == STAGES


@pytest.mark.parametrize("name", REGISTRY.names)
def test_it_downloads_as_the_template_does(name):
    assert code(ours(name, "scripts/download.py")) == code(made(name, "scripts/download.py"))


@pytest.mark.parametrize("name", REGISTRY.names)
def test_it_measures_as_the_template_does(name):
    assert code(ours(name, "scripts/analyze.py")) == code(made(name, "scripts/analyze.py"))


@pytest.mark.parametrize("name", REGISTRY.names)
def test_its_data_folder_is_ignored_as_the_template_has_it(name):
    ignored = (ROOT / "data" / name / ".gitignore").read_text()
    path = record_path(name)
    record = parse_record((ROOT / path).read_bytes(), path)
    assert ignored.encode() == record.made[f"data/{name}/.gitignore"]


@pytest.mark.parametrize("name", REGISTRY.names)
def test_its_scripts_can_be_read_in_one_go(name):
    for script in sorted((ROOT / "pipelines" / name / "scripts").glob("*.py")):
        assert len(script.read_text().splitlines()) <= MOST_LINES, script
