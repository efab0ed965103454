"""The two datasets of this repository: their scripts on small data, and their locks on all of it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from pyarrow import csv

from dreg.core.violations import violations
from dreg.registry import Registry
from tests import forked
from tests.done import Done

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("fashion-mnist", "wine-quality")

WINE_COLUMNS = (
    "fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides",
    "free sulfur dioxide", "total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
    "quality",
)  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """The registry of this repository, without its data."""
    without_data = shutil.ignore_patterns(
        "raw", "processed", "__pycache__", "tmp", "cache", "*.local"
    )
    for folder in ("pipelines", "data", ".dvc"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=without_data)
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    return tmp_path


def stage(registry: Path, name: str, script: str) -> Done:
    return forked.python(f"scripts/{script}.py", cwd=registry / "pipelines" / name)


def done(process: Done) -> None:
    assert process.code == 0, process.stderr


def metadata(registry: Path, name: str) -> Any:
    return json.loads((registry / "data" / name / "metadata.json").read_text())


def change_params(registry: Path, name: str, **changes: Any) -> None:
    path = registry / "pipelines" / name / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["process"] |= changes
    path.write_text(yaml.safe_dump(params))


# wine-quality


def wine(alcohol: float, quality: int) -> str:
    return ";".join(["7", "0.27", "0.36", "20.7", "0.045", "45", "170", "1.001", "3", "0.45"]) + (
        f";{alcohol:g};{quality}\n"
    )


@pytest.fixture
def cellar(registry: Path) -> Path:
    """The registry with fifty red wines and a hundred white ones, each of them listed twice."""
    raw = registry / "data" / "wine-quality" / "raw"
    raw.mkdir()
    header = ";".join(f'"{name}"' for name in WINE_COLUMNS) + "\n"
    for color, count in (("red", 50), ("white", 100)):
        rows = [wine(8 + i / 10, i % 7 + 3) for i in range(count)] * 2
        (raw / f"winequality-{color}.csv").write_text(header + "".join(rows))
    return registry


def wines(registry: Path, split: str) -> list[dict[str, Any]]:
    file = registry / "data" / "wine-quality" / "processed" / f"{split}.parquet"
    return pq.read_table(file).to_pylist()


def test_wines_become_one_typed_table_in_two_splits(cellar):
    done(stage(cellar, "wine-quality", "process"))

    train, val = wines(cellar, "train"), wines(cellar, "val")
    assert len(train) + len(val) == 300
    assert 30 <= len(val) <= 90
    first = train[0]
    assert list(first) == [*(name.replace(" ", "_").lower() for name in WINE_COLUMNS), "color"]
    assert (first["fixed_acidity"], first["color"]) == (7.0, "red")
    schema = pq.read_schema(cellar / "data/wine-quality/processed/train.parquet")
    assert {str(schema.field(name).type) for name in first} == {"double", "int64", "string"}
    assert str(schema.field("quality").type) == "int64"


def test_equal_wines_are_in_the_same_split(cellar):
    done(stage(cellar, "wine-quality", "process"))

    train, val = ({tuple(row.values()) for row in wines(cellar, name)} for name in ("train", "val"))
    assert len(train) + len(val) == 150, "every wine was listed twice"
    assert not train & val


def test_the_csvs_say_what_the_parquet_files_say(cellar):
    done(stage(cellar, "wine-quality", "process"))

    processed = cellar / "data" / "wine-quality" / "processed"
    for split in ("train", "val"):
        table = pq.read_table(processed / f"{split}.parquet")
        types = csv.ConvertOptions(column_types=table.schema)
        assert csv.read_csv(processed / f"{split}.csv", convert_options=types).equals(table)


def test_wines_held_back_from_training_can_be_added_and_move_no_other(cellar):
    change_params(cellar, "wine-quality", hold_back=0.3)
    done(stage(cellar, "wine-quality", "process"))
    train, val = wines(cellar, "train"), wines(cellar, "val")
    assert 110 <= len(train) <= 190

    change_params(cellar, "wine-quality", hold_back=0.0)
    done(stage(cellar, "wine-quality", "process"))

    assert wines(cellar, "val") == val
    more = wines(cellar, "train")
    assert len(more) == 300 - len(val)
    held_back = {tuple(row.values()) for row in more} - {tuple(row.values()) for row in train}
    assert [row for row in more if tuple(row.values()) not in held_back] == train


def test_a_column_can_be_dropped_and_equal_wines_stay_together(cellar):
    change_params(cellar, "wine-quality", drop_columns=["alcohol"])
    done(stage(cellar, "wine-quality", "process"))
    done(stage(cellar, "wine-quality", "analyze"))

    train, val = ({tuple(row.values()) for row in wines(cellar, name)} for name in ("train", "val"))
    assert len(train) + len(val) == 14, "seven qualities in two colours"
    assert not train & val
    assert "alcohol" not in metadata(cellar, "wine-quality")["schema"]["features"]


# fashion-mnist


def write_idx(path: Path, values: np.ndarray, count: int | None = None) -> None:
    """An IDX file; `count` is what it says to have, if not the truth."""
    shape = (len(values) if count is None else count, *values.shape[1:])
    head = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
    path.write_bytes(gzip.compress(head + values.tobytes(), mtime=0))


@pytest.fixture
def wardrobe(registry: Path) -> tuple[Path, np.ndarray]:
    """The registry with a hundred images to train and fifty to validate; the former's pixels."""
    raw = registry / "data" / "fashion-mnist" / "raw"
    raw.mkdir()
    random = np.random.default_rng(7)
    images = random.integers(0, 256, (150, 28, 28), dtype=np.uint8)
    labels = np.arange(150, dtype=np.uint8) % 10
    for name, part in (("train", slice(0, 100)), ("t10k", slice(100, 150))):
        write_idx(raw / f"{name}-images-idx3-ubyte.gz", images[part])
        write_idx(raw / f"{name}-labels-idx1-ubyte.gz", labels[part])
    return registry, images[:100]


def test_images_become_tensors_with_their_labels(wardrobe):
    registry, images = wardrobe
    done(stage(registry, "fashion-mnist", "process"))

    processed = registry / "data" / "fashion-mnist" / "processed"
    train = pq.read_table(processed / "train.parquet")
    assert (train["image"].combine_chunks().to_numpy_ndarray() == images).all()
    assert train["label"].to_pylist() == [i % 10 for i in range(100)]
    assert pq.read_metadata(processed / "val.parquet").num_rows == 50


def test_images_are_measured_as_floats_would_be(wardrobe):
    registry, images = wardrobe
    done(stage(registry, "fashion-mnist", "process"))
    done(stage(registry, "fashion-mnist", "analyze"))

    profile = metadata(registry, "fashion-mnist")
    scaled = images.astype(np.float64) / 255
    assert abs(profile["metrics"]["train"]["pixel_mean"] - scaled.mean()) < 1e-9
    assert abs(profile["metrics"]["train"]["pixel_std"] - scaled.std()) < 1e-9
    assert profile["splits"]["train"]["class_distribution"]["Ankle boot"] == 10
    assert profile["splits"]["val"]["num_samples"] == 50


def test_measuring_imports_no_pandas(wardrobe):
    """It takes longer than measuring all images does."""
    registry, _ = wardrobe
    done(stage(registry, "fashion-mnist", "process"))
    script = "import sys; from dreg.stages import profile; profile.write(); print('pandas' in sys.modules)"

    measured = subprocess.run(
        [sys.executable, "-c", script],
        cwd=registry / "pipelines" / "fashion-mnist", capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert measured.stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "values", "count", "words"),
    [
        (
            "train-images-idx3-ubyte.gz",
            np.zeros((99, 28, 28), np.uint8),
            100,
            "784 bytes too early",
        ),
        ("train-images-idx3-ubyte.gz", np.zeros((99, 28, 28), np.uint8), 99, "don't go with 100"),
        ("train-images-idx3-ubyte.gz", np.zeros((100, 32, 32), np.uint8), 100, "[32, 32] pixels"),
        ("train-labels-idx1-ubyte.gz", np.zeros(99, np.uint8), 100, "1 bytes too early"),
        (
            "train-labels-idx1-ubyte.gz",
            np.zeros((100, 1), np.uint8),
            100,
            "is no IDX file of bytes",
        ),
    ],
)
def test_an_idx_file_that_is_not_what_it_says_stops_the_stage(wardrobe, name, values, count, words):
    registry, _ = wardrobe
    write_idx(registry / "data" / "fashion-mnist" / "raw" / name, values, count)

    failed = stage(registry, "fashion-mnist", "process")

    assert failed.code == 1
    assert words in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (registry / "data/fashion-mnist/processed/train.parquet").exists()


# What is committed


@pytest.mark.parametrize("name", Registry(ROOT).names)
def test_the_committed_profile_keeps_the_contract(name):
    dataset = Registry(ROOT).dataset(name)
    profile = dataset.profile()

    assert profile is not None
    assert violations(dataset.contract(), profile) == ()


def test_existing_training_code_reads_the_figures_that_it_expects():
    train = metadata(ROOT, "fashion-mnist")["metrics"]["train"]

    assert f"{train['pixel_mean']:.4f} {train['pixel_std']:.4f}" == "0.2860 0.3530"


@pytest.mark.slow
def test_all_the_data_gives_the_committed_locks_again(registry):
    """From the real mirrors, in another folder: the same bytes, files and figures."""
    subprocess.run(["git", "init", "--quiet"], cwd=registry, check=True)
    files = [f"pipelines/{name}/dvc.yaml" for name in NAMES]

    caches = {"DREG_CACHE": "downloads", "DVC_SITE_CACHE_DIR": "site-cache"}
    environment = os.environ | {name: str(registry / path) for name, path in caches.items()}
    repro = forked.dvc("repro", "--force", *files, cwd=registry, env=environment)

    if repro.code != 0 and "no mirror gave" in repro.stderr:
        pytest.skip(f"no mirror is within reach of this machine:\n{repro.stderr}")
    done(repro)
    for name in NAMES:
        for path in (f"pipelines/{name}/dvc.lock", f"data/{name}/metadata.json"):
            assert (registry / path).read_text() == (ROOT / path).read_text(), path
    file = registry / "data" / "fashion-mnist" / "processed" / "train.parquet"
    images = pq.read_table(file)["image"].combine_chunks().to_numpy_ndarray()
    train = metadata(registry, "fashion-mnist")["metrics"]["train"]
    assert abs(train["pixel_mean"] - images.mean(dtype=np.float64) / 255) < 1e-9
    assert abs(train["pixel_std"] - images.std(dtype=np.float64) / 255) < 1e-9
