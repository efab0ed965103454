"""For each rule, two small datasets on disk that differ as the rule says: measured, not described.

Tests measure both with the stage that pipelines run, and hold what dreg finds; `bench/decisions.py`
asks the peer about the same tables.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from pyarrow import csv

NAME = "wines"
COLOURS = ["red", "white", "rose"]


@dataclass
class Wines:
    """A dataset before it is written: contract, a table for each split, figures of its own."""

    contract: dict[str, Any]
    tables: dict[str, pa.Table]
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    prompt: dict[str, str] | None = None
    compression: str = "snappy"

    def file(self, split: str) -> str:
        files: list[str] = self.contract["splits"][split]["files"]
        return files[0]

    def columns(self, **values: Callable[[pa.Table], Any]) -> None:
        """Give columns of every split other values, or add columns."""
        for split, rows in self.tables.items():
            for name, made in values.items():
                array = made(rows)
                place = rows.schema.get_field_index(name)
                rows = (
                    rows.append_column(name, array)
                    if place < 0
                    else rows.set_column(place, name, array)
                )
            self.tables[split] = rows

    def rows(self, split: str, kept: Callable[[pa.Table], pa.Table]) -> None:
        self.tables[split] = kept(self.tables[split])

    def write(self, root: Path) -> None:
        """Everything that the last stage of a pipeline finds."""
        pipeline, data = root / "pipelines" / NAME, root / "data" / NAME
        pipeline.mkdir(parents=True)
        (pipeline / "dataset.yaml").write_text(yaml.safe_dump(self.contract, sort_keys=False))
        outs = [{"../../data/wines/metadata.json": {"cache": False}}, "../../data/wines/processed"]
        (pipeline / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"all": {"outs": outs}}}))
        for split, rows in self.tables.items():
            path = data / self.file(split)
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".csv":
                csv.write_csv(rows, path)
            else:
                pq.write_table(rows, path, compression=self.compression)

    def measure(self, root: Path) -> dict[str, Any]:
        """Write it below `root` and measure it there; metadata.json's value."""
        from dreg.stages import profile

        self.write(root)
        more = {} if self.prompt is None else {"prompt": self.prompt}
        with inside(root / "pipelines" / NAME):
            profile.write(self.metrics, **more)  # type: ignore[arg-type]
        measured: dict[str, Any] = json.loads((root / "data" / NAME / "metadata.json").read_text())
        return measured


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def base() -> Wines:
    """1,000 wines to train on and 200 to evaluate with."""
    contract: dict[str, Any] = {
        "title": "Wines",
        "description": "Wines and their marks.",
        "licence": "CC-BY-4.0",
        "key": ["bottle"],
        "label": "colour",
        "splits": {
            "train": {"role": "train", "files": ["processed/train.parquet"]},
            "val": {"role": "evaluation", "files": ["processed/val.parquet"]},
        },
        "columns": {
            "bottle": {"type": "string"},
            "ph": {"type": "float64"},
            "sulphates": {"type": "float64", "unit": "g/l"},
            "quality": {"type": "int32"},
            "remark": {"type": "string", "nullable": True},
            "colour": {"type": "string", "classes": list(COLOURS)},
            "picture": {"type": "uint8", "shape": [4, 4]},
        },
    }
    metrics = {"train": {"corks_mean": 1.5}, "val": {"corks_mean": 1.5}}
    return Wines(contract, {"train": wines(0, 1000), "val": wines(5000, 200)}, metrics)


@cache
def wines(start: int, count: int) -> pa.Table:
    """The wines with these numbers; a number always is the same wine."""
    rows = [np.random.default_rng(number) for number in range(start, start + count)]
    remarks = [f"remark {r.integers(40)}" if r.random() > 0.05 else None for r in rows]
    tensors = pa.fixed_shape_tensor(pa.uint8(), (4, 4))
    pixels = np.concatenate([r.integers(0, 256, 16, np.uint8) for r in rows])
    storage = pa.FixedSizeListArray.from_arrays(pa.array(pixels), 16)
    return pa.table(
        {
            "bottle": [f"bottle-{number:05}" for number in range(start, start + count)],
            "ph": [round(3.2 + 0.16 * r.normal(), 2) for r in rows],
            "sulphates": [round(0.53 + 0.14 * r.random(), 3) for r in rows],
            "quality": pa.array([int(r.integers(3, 10)) for r in rows], pa.int32()),
            "remark": pa.array(remarks, pa.string()),
            "colour": [COLOURS[r.choice(3, p=[0.5, 0.4, 0.1])] for r in rows],
            "picture": pa.ExtensionArray.from_storage(tensors, storage),
        }
    )


Change = Callable[[Wines], None]


@dataclass(frozen=True)
class Pair:
    """What becomes of the base. `found` are all the rules that hit; `peer` why it can't be asked.

    `before` is done to both sides first. `split` is the one whose tables show it.
    """

    change: Change
    found: tuple[str, ...]
    before: Change = lambda wines: None
    peer: str = ""
    split: str = "train"

    def sides(self) -> tuple[Wines, Wines]:
        old = base()
        self.before(old)
        new = copy.deepcopy(old)
        self.change(new)
        return old, new


PAIRS: dict[str, Pair] = {}
OTHER = ("content-changed", "statistics-changed")
NOT_DATA = "not in the data"
NO_SPLITS = "one table at a time"


def pair(
    *found: str, before: Change = lambda wines: None, peer: str = "", split: str = "train"
) -> Callable[[Change], Change]:
    """Register a change as the pair of the rule of its name, which hits it beside `found`."""

    def register(change: Change) -> Change:
        name = change.__name__.replace("_", "-")
        PAIRS[name] = Pair(change, tuple(sorted({name, *found})), before, peer, split)
        return change

    return register


def promised(wines: Wines, column: str, **changes: Any) -> None:
    wines.contract["columns"][column] |= changes


def added(column: str) -> Callable[[pa.Table], pa.Array]:
    return lambda rows: pa.array([float(i % 7) for i in range(len(rows))])


# Columns


@pair("content-changed")
def column_removed(wines: Wines) -> None:
    del wines.contract["columns"]["ph"]
    wines.tables = {split: rows.drop_columns(["ph"]) for split, rows in wines.tables.items()}


@pair("content-changed")
def column_added(wines: Wines) -> None:
    wines.contract["columns"]["corks"] = {"type": "float64"}
    wines.columns(corks=added("corks"))


@pair("content-changed", "statistics-changed")
def type_changed(wines: Wines) -> None:
    promised(wines, "quality", type="string")
    wines.columns(quality=lambda rows: rows["quality"].cast(pa.string()))


@pair("encoding-changed")
def type_widened(wines: Wines) -> None:
    promised(wines, "quality", type="int64")
    wines.columns(quality=lambda rows: rows["quality"].cast(pa.int64()))


def without_nulls(wines: Wines) -> None:
    promised(wines, "remark", nullable=False)
    wines.columns(remark=lambda rows: pc.fill_null(rows["remark"], "remark 1"))


def first_null(rows: pa.Table) -> Any:
    return pa.array([None, *rows["remark"].to_pylist()[1:]], pa.string())


@pair("content-changed", "evaluation-split-changed", "samples-corrected", before=without_nulls)
def became_nullable(wines: Wines) -> None:
    promised(wines, "remark", nullable=True)
    wines.columns(remark=first_null)


@pair("content-changed", "evaluation-split-changed", "samples-corrected")
def nulls_filled(wines: Wines) -> None:
    without_nulls(wines)


@pair("content-changed", peer="takes no tensors")
def shape_changed(wines: Wines) -> None:
    promised(wines, "picture", shape=[2, 8])
    tensors = pa.fixed_shape_tensor(pa.uint8(), (2, 8))

    def reshaped(rows: pa.Table) -> Any:
        storage = rows["picture"].combine_chunks().storage
        return pa.ExtensionArray.from_storage(tensors, storage)

    wines.columns(picture=reshaped)


@pair(peer=NOT_DATA)
def unit_changed(wines: Wines) -> None:
    promised(wines, "sulphates", unit="mg/l")


@pair("column-drifted", "content-changed", "samples-changed", "evaluation-split-changed")
def unit_jumped(wines: Wines) -> None:
    wines.columns(sulphates=lambda rows: pc.multiply(rows["sulphates"], 1000.0))


def marks_are_floats(wines: Wines) -> None:
    promised(wines, "quality", type="float64")
    wines.columns(quality=lambda rows: rows["quality"].cast(pa.float64()))


@pair(
    "column-drifted",
    "content-changed",
    "samples-changed",
    "evaluation-split-changed",
    before=marks_are_floats,
)
def columns_swapped(wines: Wines) -> None:
    for split, rows in wines.tables.items():
        names = rows.column_names
        place, other = names.index("ph"), names.index("quality")
        marks, acidity = rows["quality"], rows["ph"]
        rows = rows.set_column(place, "ph", marks)
        wines.tables[split] = rows.set_column(other, "quality", acidity)


@pair("content-changed", "samples-changed", "evaluation-split-changed")
def column_drifted(wines: Wines) -> None:
    wines.columns(ph=lambda rows: pc.add(rows["ph"], 0.2))


# Classes


@pair("class-balance-drifted", "content-changed", "samples-removed", "evaluation-split-changed")
def class_removed(wines: Wines) -> None:
    promised(wines, "colour", classes=COLOURS[:2])
    for split in wines.tables:
        wines.rows(split, lambda rows: rows.filter(pc.not_equal(rows["colour"], "rose")))


def numbered(wines: Wines) -> None:
    """Have numbers stand for the classes, in their order."""
    promised(wines, "colour", type="int64")
    classes = pa.array(wines.contract["columns"]["colour"]["classes"])
    wines.columns(colour=lambda rows: pc.index_in(rows["colour"], classes).cast(pa.int64()))


@pair("content-changed", "samples-changed", "evaluation-split-changed", before=numbered)
def class_remapped(wines: Wines) -> None:
    promised(wines, "colour", classes=["white", "red", "rose"])
    swapped = pa.array([1, 0, 2])
    wines.columns(colour=lambda rows: swapped.take(rows["colour"].combine_chunks()))


def bottles(rows: pa.Table, start: int, count: int, **values: Any) -> pa.Table:
    """The rows, and after them other wines with some values set."""
    more = globals()["wines"](start, count)
    for name, value in values.items():
        place = more.schema.get_field_index(name)
        more = more.set_column(
            place, more.schema.field(name), pa.array([value] * count, more.schema.field(name).type)
        )
    return pa.concat_tables([rows, more])


@pair("content-changed", "samples-corrected")
def class_added(wines: Wines) -> None:
    promised(wines, "colour", classes=[*COLOURS, "orange"])
    wines.rows("train", lambda rows: bottles(rows, 8000, 20, colour="orange"))


@pair("content-changed", "samples-added")
def class_balance_drifted(wines: Wines) -> None:
    wines.rows("train", lambda rows: bottles(rows, 8000, 300, colour="rose"))


# Splits and samples


@pair("content-changed", "metric-removed", peer=NO_SPLITS)
def split_removed(wines: Wines) -> None:
    del wines.contract["splits"]["val"], wines.tables["val"], wines.metrics["val"]


@pair("content-changed", "layout-changed", peer=NO_SPLITS)
def split_renamed(wines: Wines) -> None:
    wines.contract["splits"]["test"] = {"role": "evaluation", "files": ["processed/test.parquet"]}
    del wines.contract["splits"]["val"]
    for named in (wines.tables, wines.metrics):
        named["test"] = named.pop("val")  # type: ignore[index, assignment]


@pair("content-changed", "metric-added", peer=NO_SPLITS)
def split_added(wines: Wines) -> None:
    wines.contract["splits"]["test"] = {"role": "evaluation", "files": ["processed/test.parquet"]}
    wines.tables["test"] = globals()["wines"](7000, 100)


@pair(peer=NO_SPLITS)
def split_role_changed(wines: Wines) -> None:
    wines.contract["splits"]["val"]["role"] = "train"


@pair("content-changed", split="val")
def evaluation_split_changed(wines: Wines) -> None:
    """One wine for another of the same figures but for its name."""

    def renamed(rows: pa.Table) -> pa.Table:
        names = rows["bottle"].to_pylist()
        names[7] = "bottle-09999"
        return rows.set_column(0, "bottle", pa.array(names))

    wines.rows("val", renamed)


@pair("content-changed")
def samples_added(wines: Wines) -> None:
    wines.rows("train", lambda rows: bottles(rows, 1000, 200))


@pair("content-changed")
def samples_removed(wines: Wines) -> None:
    wines.rows("train", lambda rows: rows.slice(200))


@pair("content-changed")
def samples_changed(wines: Wines) -> None:
    def marked(rows: pa.Table) -> Any:
        marks = rows["quality"].to_pylist()
        return pa.array(
            [9 - mark + 3 if i % 10 == 0 else mark for i, mark in enumerate(marks)], pa.int32()
        )

    wines.rows("train", lambda rows: rows.set_column(3, "quality", marked(rows)))


@pair("content-changed")
def samples_corrected(wines: Wines) -> None:
    wines.rows("train", lambda rows: pa.concat_tables([rows.slice(0, 500), rows.slice(502)]))


@pair("content-changed", "evaluation-split-changed", peer=NO_SPLITS)
def samples_moved(wines: Wines) -> None:
    moved = wines.tables["train"].slice(990)
    wines.rows("train", lambda rows: rows.slice(0, 990))
    wines.rows("val", lambda rows: pa.concat_tables([rows, moved]))


# Bytes and words


@pair()
def encoding_changed(wines: Wines) -> None:
    wines.rows("train", lambda rows: rows.take(pa.array(range(len(rows) - 1, -1, -1))))
    wines.compression = "zstd"


@pair("samples-corrected")
def content_changed(wines: Wines) -> None:
    samples_corrected(wines)


@pair(peer=NOT_DATA)
def licence_restricted(wines: Wines) -> None:
    wines.contract["licence"] = "CC-BY-NC-4.0"


@pair(peer=NOT_DATA)
def licence_clarified(wines: Wines) -> None:
    wines.contract["licence"] = "CC BY 4.0"


@pair(peer=NOT_DATA)
def documentation_changed(wines: Wines) -> None:
    wines.contract["title"] = "Portuguese wines"


# Figures of the dataset's own


@pair(peer=NOT_DATA)
def metric_removed(wines: Wines) -> None:
    wines.metrics = {}


@pair(peer=NOT_DATA)
def metric_added(wines: Wines) -> None:
    for figures in wines.metrics.values():
        figures["labels_mean"] = 1.0


@pair(peer=NOT_DATA)
def metric_drifted(wines: Wines) -> None:
    wines.metrics["train"]["corks_mean"] = 1.8


@pair("content-changed", "samples-corrected")
def statistics_changed(wines: Wines) -> None:
    samples_corrected(wines)


# What is called otherwise, or lies elsewhere


@pair("content-changed")
def column_renamed(wines: Wines) -> None:
    columns = wines.contract["columns"]
    columns["acidity"] = columns.pop("ph")
    for split, rows in wines.tables.items():
        names = ["acidity" if name == "ph" else name for name in rows.column_names]
        wines.tables[split] = rows.rename_columns(names)


@pair(before=numbered, peer=NOT_DATA)
def class_renamed(wines: Wines) -> None:
    promised(wines, "colour", classes=["red", "white", "rosé"])


def without_picture(wines: Wines) -> None:
    """A CSV holds no tensors."""
    del wines.contract["columns"]["picture"]
    wines.tables = {split: rows.drop_columns(["picture"]) for split, rows in wines.tables.items()}


@pair("encoding-changed", before=without_picture, peer="reads both alike")
def format_changed(wines: Wines) -> None:
    for split in wines.tables:
        wines.contract["splits"][split]["files"] = [f"processed/{split}.csv"]


@pair("encoding-changed", peer=NOT_DATA)
def layout_changed(wines: Wines) -> None:
    for split in wines.tables:
        wines.contract["splits"][split]["files"] = [f"processed/{split}/part-0.parquet"]


@pair(peer=NOT_DATA)
def key_changed(wines: Wines) -> None:
    wines.contract["key"] = ["bottle", "quality"]


@pair(peer=NOT_DATA)
def label_changed(wines: Wines) -> None:
    wines.contract["label"] = "quality"


def embedded(wines: Wines) -> None:
    wines.contract["columns"]["vector"] = {"type": "float32", "shape": [4], "model": "small@1"}

    def vectors(rows: pa.Table) -> Any:
        numbers = np.random.default_rng(3).normal(size=4 * len(rows)).astype(np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers), 4)

    wines.columns(vector=vectors)


@pair(before=embedded, peer=NOT_DATA)
def embedding_model_changed(wines: Wines) -> None:
    promised(wines, "vector", model="large@1")


def prompted(wines: Wines) -> None:
    wines.prompt = {"name": "caption", "version": "1", "text": "Describe the picture."}


@pair(before=prompted, peer=NOT_DATA)
def prompt_changed(wines: Wines) -> None:
    wines.prompt = {"name": "caption", "version": "2", "text": "Describe the wine."}


@pair(before=prompted, peer=NOT_DATA)
def prompt_removed(wines: Wines) -> None:
    wines.prompt = None
