"""A new dataset runs, checks, releases and is fetched without an edit; and can be made one's own."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dreg.adapters.templates import dataset_kinds
from dreg.core.violations import violations
from dreg.registry import Registry
from dreg.scaffold.dataset import new_dataset
from dreg.scaffold.registry import new_registry
from tests import forked
from tests.done import Done

# Of embeddings the weights, 90 MB, are fetched for real: tests/test_readmes_embeddings.py has them once.
KINDS = [kind for kind in dataset_kinds() if kind != "embeddings"]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches of its own."""
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))


@pytest.fixture
def soil(tmp_path: Path) -> Path:
    """A new registry."""
    new_registry(tmp_path / "soil")
    return tmp_path / "soil"


def run(*command: str, cwd: Path) -> str:
    """Stdout of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def dvc(*arguments: str, cwd: Path) -> str:
    return said(forked.dvc(*arguments, cwd=cwd))


def dreg(*arguments: str, cwd: Path) -> str:
    return said(forked.dreg(arguments, cwd=cwd, pipelines=True))


def said(done: Done) -> str:
    assert done.code == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def files_of(soil: Path) -> set[str]:
    """What git sees that is not committed."""
    listed = run("git", "status", "--porcelain", "--untracked-files=all", cwd=soil)
    return {line[3:] for line in listed.splitlines()}


@pytest.mark.parametrize("kind", KINDS)
def test_dvc_runs_it_as_it_is_and_it_keeps_its_contract(soil, kind):
    made = new_dataset(Registry(soil), "herbs", kind)
    assert files_of(soil) == set(made.files)
    ignored = (soil / "data/herbs/.gitignore").read_bytes()

    dvc("repro", "pipelines/herbs/dvc.yaml", cwd=soil)

    made_by_run = {
        "pipelines/herbs/dvc.lock",
        "pipelines/herbs/provenance.json",
        "data/herbs/metadata.json",
    }
    assert files_of(soil) == {*made.files, *made_by_run}
    assert (soil / "data/herbs/.gitignore").read_bytes() == ignored, "as DVC writes it"
    dataset = Registry(soil).dataset("herbs")
    profile = dataset.profile()
    assert profile is not None
    assert violations(dataset.contract(), profile) == ()
    for split in profile.splits.values():
        assert all(split.class_distribution.values()), "the sample has every class in every split"
    assert "up to date" in dvc("status", cwd=soil)


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_the_same_bytes_on_another_machine(soil, kind, tmp_path, monkeypatch):
    elsewhere = tmp_path / "another machine"
    new_registry(elsewhere)
    results = []
    for root in (soil, elsewhere):
        monkeypatch.setenv("DREG_CACHE", str(tmp_path / f"cache-{root.name}"))
        new_dataset(Registry(root), "herbs", kind)
        dvc("repro", "pipelines/herbs/dvc.yaml", cwd=root)
        made = ("pipelines/herbs/dvc.lock", "data/herbs/metadata.json")
        results.append([(root / path).read_bytes() for path in made])
    assert results[0] == results[1]


def test_a_csv_of_ones_own_takes_two_files_to_change(soil, tmp_path, monkeypatch):
    """What the comments say: list the file in params.yaml, its columns in dataset.yaml."""
    new_dataset(Registry(soil), "weather", "tabular")
    pipeline = soil / "pipelines/weather"
    table = "".join(f"{day},{day / 10},{'rain' if day % 3 else 'sun'}\n" for day in range(100))
    content = f"day,temperature,sky\n{table}".encode()
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/weather.csv").write_bytes(content)
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))

    params = (pipeline / "params.yaml").read_text()
    sources, process = params[params.index("sources:") :].split("process:")
    checksum = hashlib.sha256(content).hexdigest()
    mine = f"sources:\n  weather.csv:\n    sha256: {checksum}\n    size: {len(content)}\n"
    mine += "    mirrors:\n      - local: weather.csv\n\n"
    (pipeline / "params.yaml").write_text(params.replace(sources, mine))
    assert process in (pipeline / "params.yaml").read_text()
    contract = (pipeline / "dataset.yaml").read_text()
    contract = contract.replace("label: variety", "label: sky")
    contract = contract[: contract.index("columns:")] + (
        "columns:\n  day: int64\n  temperature: { type: float64, unit: C, range: [-50, 60] }\n"
        "  sky: { type: string, classes: [rain, sun] }\n"
    )
    (pipeline / "dataset.yaml").write_text(contract)
    run("rm", "-r", "sample", cwd=pipeline)

    dvc("repro", "pipelines/weather/dvc.yaml", cwd=soil)

    dataset = Registry(soil).dataset("weather")
    profile = dataset.profile()
    assert profile is not None
    assert violations(dataset.contract(), profile) == ()
    assert profile.num_samples == 100


def test_images_in_colour_take_a_shape_with_three_channels(soil):
    new_dataset(Registry(soil), "shapes", "image")
    contract = soil / "pipelines/shapes/dataset.yaml"
    contract.write_text(contract.read_text().replace("[16, 16]", "[8, 12, 3]"))
    dvc("repro", "pipelines/shapes/dvc.yaml", cwd=soil)
    train = pq.read_table(soil / "data/shapes/processed/train.parquet")
    assert train["image"].combine_chunks().to_numpy_ndarray().shape[1:] == (8, 12, 3)
    dataset = Registry(soil).dataset("shapes")
    assert violations(dataset.contract(), dataset.profile()) == ()


def test_an_image_that_does_not_decode_is_named_without_a_traceback(soil):
    new_dataset(Registry(soil), "shapes", "image")
    archive = soil / "pipelines/shapes/sample/shapes.zip"
    with zipfile.ZipFile(archive) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    members["circle/03.png"] = members["circle/03.png"][:60]
    with zipfile.ZipFile(archive, "w") as damaged:
        for name, content in members.items():
            damaged.writestr(name, content)
    params = soil / "pipelines/shapes/params.yaml"
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    told = re.sub(r"sha256: \w+", f"sha256: {checksum}", params.read_text())
    params.write_text(re.sub(r"size: \d+", f"size: {archive.stat().st_size}", told))
    done = forked.dreg(("run", "shapes"), cwd=soil, pipelines=True)
    assert done.code != 0
    assert "shapes.zip: circle/03.png is no image that can be decoded" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_title_can_change_without_processing_everything_again(soil):
    new_dataset(Registry(soil), "herbs", "tabular")
    dvc("repro", "pipelines/herbs/dvc.yaml", cwd=soil)
    contract = soil / "pipelines/herbs/dataset.yaml"
    contract.write_text(contract.read_text().replace('title: "Herbs"', 'title: "Kitchen herbs"'))
    again = dvc("repro", "pipelines/herbs/dvc.yaml", cwd=soil)
    assert "dvc.yaml:process' didn't change, skipping" in again
    assert "Running stage 'pipelines/herbs/dvc.yaml:analyze'" in again
    assert json.loads((soil / "data/herbs/metadata.json").read_text())["dataset"]["title"] == (
        "Kitchen herbs"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_from_nothing_to_a_release_that_a_training_repository_fetches(soil, kind, tmp_path):
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", "origin.git", cwd=tmp_path)
    run("git", "remote", "add", "origin", str(tmp_path / "origin.git"), cwd=soil)
    run("git", "push", "--quiet", "--set-upstream", "origin", "main", cwd=soil)

    dreg("new", "herbs", "--kind", kind, cwd=soil)
    dreg("run", "herbs", cwd=soil)
    dreg("check", "herbs", cwd=soil)
    [released] = json.loads(dreg("release", "herbs", "--json", cwd=soil))["releases"]
    assert (released["version"], released["tag"]) == ("1.0.0", "herbs-v1.0.0")
    assert files_of(soil) == set(), "the release committed the dataset's files"

    training = tmp_path / "training"
    training.mkdir()
    dreg("fetch", "herbs@^1.0", "--repo", str(tmp_path / "origin.git"), "-o", "herbs", cwd=training)
    processed = soil / "data/herbs/processed"
    fetched = {path.relative_to(training).as_posix(): path for path in training.rglob("*")}
    for path in (path for path in processed.rglob("*") if path.is_file()):
        [there] = [name for name in fetched if name.endswith(f"/{path.relative_to(processed)}")]
        assert fetched[there].read_bytes() == path.read_bytes()

    dreg("run", "herbs", cwd=soil)
    assert files_of(soil) == set(), "a run with nothing to do changes nothing"
    [again] = json.loads(dreg("release", "herbs", "--json", cwd=soil))["releases"]
    assert again["state"] == "unchanged"
