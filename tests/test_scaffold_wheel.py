"""What an installed dreg makes: the wheel has every template, and reads them as they lie in it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_has_every_file_of_every_template(wheel):
    templates = ROOT / "dreg/templates"
    here = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in templates.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as packed:
        there = {
            name: packed.read(name)
            for name in packed.namelist()
            if name.startswith("dreg/templates/")
        }
    assert there == here
    assert "dreg/templates/registry/.dvc/config.jinja" in there


def test_a_registry_and_its_datasets_can_be_made_out_of_the_wheel(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(wheel))  # not even unpacked

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout

    assert run("import dreg; print(dreg.__file__)").startswith(str(wheel))
    dreg = "import sys; from dreg.cli import run; sys.exit(run(sys.argv[1:] or {}))"
    run(dreg.format(["init", "soil"]))
    run(dreg.format(["-C", "soil", "new", "herbs", "--kind", "tabular"]))
    run(dreg.format(["-C", "soil", "new", "shapes", "--kind", "image"]))
    assert (tmp_path / "soil/pipelines/shapes/sample/shapes.zip").is_file()
    assert (
        tmp_path / "soil/data/herbs/.gitignore"
    ).read_text() == "/raw\n/processed\n/samples.parquet\n"
