"""A registry with one small dataset of each kind, measured as pipelines are, for tests of consumers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hand_made import HandMade
from tests.measured import image, pets

COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}
ROWS = 600


def words(folder: Path) -> dict[str, Any]:
    """A table of texts: CSV, classes by name."""
    rows = [f"{i},word number {i},{('bad', 'good')[i % 2]}" for i in range(ROWS)]
    (folder / "train.csv").write_text("\n".join(["id,text,mood", *rows, ""]))
    (folder / "val.csv").write_text("id,text,mood\n9000,last word,good\n")
    columns = {
        "id": "int64",
        "text": "string",
        "mood": {"type": "string", "classes": ["bad", "good"]},
    }
    files = {"train": ["processed/train.csv"], "val": ["processed/val.csv"]}
    return {"columns": columns, "splits": files, "label": "mood", "key": ["id"]}


def digits(folder: Path) -> dict[str, Any]:
    """Images as tensors in Parquet, in several row groups, classes by index."""
    pixels = np.arange(ROWS * 12, dtype=np.uint8).reshape(ROWS, 4, 3)
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    labels = pa.array(np.arange(ROWS) % 3)
    table = pa.table({"image": tensor, "label": labels})
    pq.write_table(table, folder / "train.parquet", row_group_size=100)
    columns = {
        "image": {"type": "uint8", "shape": [4, 3]},
        "label": {"type": "int64", "classes": ["zero", "one", "two"]},
    }
    return {
        "kind": "image",
        "columns": columns,
        "splits": {"train": ["processed/train.parquet"]},
        "label": "label",
    }


def colours(folder: Path) -> dict[str, Any]:
    """Image files in folders that are their classes."""
    for name, colour in COLOURS.items():
        (folder / "train" / name).mkdir(parents=True)
        for i in range(5):
            (folder / "train" / name / f"{i}.png").write_bytes(
                image(size=(i + 2, 3), colour=colour)
            )
    columns = {
        "file": "string",
        "image": "image",
        "label": {"type": "string", "classes": list(COLOURS)},
    }
    files = {"train": ["processed/train/**/*.png"]}
    return {"columns": columns, "splits": files, "label": "label", "key": ["file"]}


def talks(folder: Path) -> dict[str, Any]:
    """Annotations in JSON that name image files."""
    (folder / "images").mkdir()
    rows = []
    for i, (name, colour) in enumerate(COLOURS.items()):
        (folder / "images" / f"{i}.png").write_bytes(image(colour=colour))
        told = [{"from": "human", "value": "Which colour?"}, {"from": "gpt", "value": name}]
        rows.append({"id": str(i), "image": f"images/{i}.png", "conversations": told})
    (folder / "annotations.json").write_text(json.dumps(rows))
    columns = {
        "id": "string",
        "image": {"type": "image"},
        "conversations": "list<item: struct<from: string, value: string>>",
    }
    return {
        "columns": columns,
        "splits": {"train": ["processed/annotations.json"]},
        "key": ["id"],
    }


KINDS = {"words": words, "digits": digits, "colours": colours, "talks": talks}


def measured(home: Path, kind: str) -> tuple[dict[str, bytes], bytes]:
    """The files of a dataset of this kind, with its sample index, and its metadata.json."""
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch, pets(home, patch) as dataset:
        told = KINDS[kind](dataset.processed)
        splits = {name: {"files": files} for name, files in told.pop("splits").items()}
        dataset.contract(told.pop("columns"), "none", splits=splits, **told)
        dataset.measure()
        files = {
            path.relative_to(dataset.data).as_posix(): path.read_bytes()
            for path in sorted(dataset.data.rglob("*"))
            if path.is_file()
        }
    return files, files.pop("metadata.json")


def release_all(made: HandMade) -> HandMade:
    """Release 1.0.0 of every kind."""
    for kind in KINDS:
        files, metadata = measured(made.home / f"measured-{kind}", kind)
        made.release("1.0.0", files, name=kind, metadata=metadata)
    return made


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> HandMade:
    """One dataset of each kind, on a remote that is a folder. Only to be read."""
    home = tmp_path_factory.mktemp("kinds")
    return release_all(HandMade(home, {"DREG_CACHE": str(home / "cache")}))


@pytest.fixture
def training(kinds: HandMade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to train in, which knows the registry and has a cache of its own."""
    yield from training_in(kinds, tmp_path / "training", monkeypatch)


def training_in(
    made: HandMade,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: Mapping[str, str] = {},
) -> Iterator[Path]:
    folder.mkdir()
    monkeypatch.chdir(folder)
    told = {"DREG_REPO": str(made.bare), "DREG_CACHE": str(folder.parent / "own-cache")}
    for name, value in {**told, **environment}.items():
        monkeypatch.setenv(name, value)
    yield folder
