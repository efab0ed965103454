"""What is recorded of where data is made: the packages that made it, whatever else is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dreg.adapters.layout import Layout
from dreg.adapters.making import read_making, record_surroundings
from dreg.adapters.surroundings import all_surroundings, surroundings


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "pipelines/toy/scripts").mkdir(parents=True)
    (tmp_path / "pipelines/toy/params.yaml").write_text("{}\n")
    return Layout(tmp_path, "toy")


def script(layout: Layout, text: str, name: str = "process") -> None:
    (layout.pipeline / f"scripts/{name}.py").write_text(text)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Have packages installed, with what they need, beside those that are."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name: str, version: str, *needs: str, modules: str = "") -> None:
        folder = site / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
        (folder / "METADATA").write_text("\n".join(lines) + "\n\nRequires-Dist: prose\n")
        if modules:
            (folder / "top_level.txt").write_text(modules)

    return install


def test_what_runs_a_pipeline_is_recorded_and_a_linter_beside_it_is_not(layout, installed):
    before = surroundings(layout).packages
    assert before.keys() >= {"dreg", "dvc", "pyarrow", "numpy", "requests"}
    assert not before.keys() & {"pytest", "mypy", "ruff", "hypothesis", "ray", "torch"}
    installed("linter", "1.0")
    assert surroundings(layout).packages == before
    assert all_surroundings().packages["linter"] == "1.0"


def test_what_a_script_imports_is_recorded_with_what_it_needs(layout, installed):
    installed("Herb_arium", "2.1", "seeds[dry] >=1", "absent", "spade; extra == 'garden'")
    installed("seeds", "1.4", 'salt ; python_version > "3" and extra == "dry"', "water (>=2)")
    for name in ("salt", "water", "spade", "unused", "prose"):
        installed(name, "0.1")
    before = surroundings(layout).packages
    script(layout, "import os\nfrom herb_arium.press import flat\nfrom . import other\n")
    now = surroundings(layout).packages
    added = {name: now[name] for name in now.keys() - before.keys()}
    assert added == {"herb-arium": "2.1", "seeds": "1.4", "salt": "0.1", "water": "0.1"}


def test_a_module_may_be_called_otherwise_than_its_package(layout, installed):
    installed("scikit_garden", "3.0", modules="skgarden\n")
    script(layout, "def fit():\n    import skgarden\n")
    assert surroundings(layout).packages["scikit-garden"] == "3.0"


def test_a_module_beside_a_script_is_no_package(layout, installed):
    installed("helpful", "1.0")
    script(layout, "import helpful\n")
    script(layout, "", name="helpful")
    assert "helpful" not in surroundings(layout).packages


def test_a_script_that_cannot_be_read_imports_nothing(layout):
    before = surroundings(layout).packages
    script(layout, "import (\n")
    assert surroundings(layout).packages == before


def test_who_declares_a_model_needs_what_embeds(layout, installed):
    installed("sentence_transformers", "99.0")
    assert "sentence-transformers" not in surroundings(layout).packages
    (layout.pipeline / "params.yaml").write_text("model: {}\n")
    found = surroundings(layout).packages
    assert found["sentence-transformers"] == "99.0"
    assert "ray" in found


def test_the_same_bytes_made_again_elsewhere_change_no_record(layout, installed):
    record_surroundings(layout, "0" * 64)
    before = read_making(layout)
    installed("numpy", "99.0")
    assert "99.0" in surroundings(layout).packages.values()
    record_surroundings(layout, "0" * 64)
    assert read_making(layout) == before
    record_surroundings(layout, "1" * 64)
    assert read_making(layout).made.packages["numpy"] == "99.0"


@pytest.mark.parametrize(
    "name", sorted(p.name for p in (Path(__file__).parents[1] / "pipelines").iterdir())
)
def test_the_record_of_a_shipped_dataset_is_of_the_bytes_that_are_committed(name):
    layout = Layout(Path(__file__).parents[1], name)
    committed = json.loads(layout.metadata.read_bytes())["snapshot"]["digest"]
    making = read_making(layout)
    assert (making.snapshot, making.made is None) == (committed, False)
    assert not making.made.packages.keys() & {"pytest", "mypy", "ruff"}
