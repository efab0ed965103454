"""`profile.write()`: what it measures of real files, how it writes it, what it refuses."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dreg.core.profile import Profile
from dreg.core.snapshot import File, Snapshot
from dreg.errors import BadRequest, DregError, Outside
from dreg.stages import profile
from dreg.stages.files import write_csv, write_parquet

CONTRACT: dict[str, Any] = {
    "title": "Wines",
    "description": "A few wines",
    "licence": "CC0-1.0",
    "label": "color",
    "facts": {"citation": "Ada, 2026"},
    "splits": {
        "train": {"files": ["processed/train.parquet"]},
        "val": {"files": ["processed/val.parquet"]},
    },
    "columns": {
        "alcohol": {"type": "float64", "unit": "% vol"},
        "quality": {"type": "int64"},
        "color": {"type": "string", "classes": ["red", "white"]},
    },
}
DVC = {
    "stages": {
        "download": {"outs": ["../../data/wines/raw"]},
        "process": {"outs": ["../../data/wines/processed"]},
        "analyze": {"outs": [{"../../data/wines/metadata.json": {"cache": False}}]},
    }
}
TRAIN = pa.table(
    {"alcohol": [9.5, 10.5, 12.5], "quality": [5, 6, 8], "color": ["red", "white", "white"]}
)
VAL = pa.table({"alcohol": [11.0, None], "quality": [4, 7], "color": ["white", "white"]})


@dataclass
class Wines:
    """A dataset whose pipeline's folder is the current one."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data" / "wines"

    @property
    def processed(self) -> Path:
        return self.data / "processed"

    def contract(self, **changes: Any) -> None:
        text = yaml.safe_dump(CONTRACT | changes, sort_keys=False)
        (self.root / "pipelines/wines/dataset.yaml").write_text(text)

    def files(self, **files: str) -> None:
        """Measure these files, by split."""
        self.contract(splits={split: {"files": [name]} for split, name in files.items()})

    def csv(self, name: str, text: str) -> None:
        """The file to be measured, as train."""
        (self.processed / name).write_text(text)
        self.files(train=f"processed/{name}")

    def metadata(self) -> Any:
        return json.loads((self.data / "metadata.json").read_text(), parse_constant=pytest.fail)


@pytest.fixture
def wines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wines:
    wines = Wines(tmp_path)
    for folder in ("pipelines/wines", "data/wines/raw", "data/wines/processed"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pipelines/wines/dvc.yaml").write_text(yaml.safe_dump(DVC))
    (wines.data / "raw" / "wines.csv").write_text("not measured\n")
    wines.contract()
    write_parquet(TRAIN, wines.processed / "train.parquet")
    write_parquet(VAL, wines.processed / "val.parquet")
    monkeypatch.chdir(tmp_path / "pipelines/wines")
    return wines


def refused(kind: type[DregError] = Outside, **metrics: Mapping[str, Any]) -> DregError:
    with pytest.raises(kind) as caught:
        profile.write(metrics)
    assert caught.value.hint
    return caught.value


def percents(*values: float) -> dict[str, float]:
    return dict(zip(("p01", "p05", "p25", "p50", "p75", "p95", "p99"), values, strict=True))


# What is measured


def test_the_profile_of_a_table(wines, capsys):
    written = profile.write()

    assert wines.metadata() == written.to_json()
    digest = written.snapshot.digest
    assert wines.metadata() == {
        "format": 1,
        "dataset": {
            "name": "wines",
            "title": "Wines",
            "description": "A few wines",
            "licence": "CC0-1.0",
            "kind": "tabular",
            "citation": "Ada, 2026",
        },
        "schema": {
            "features": {
                "alcohol": {"type": "float64", "nullable": True, "unit": "% vol"},
                "quality": {"type": "int64", "nullable": False},
                "color": {"type": "string", "nullable": False, "classes": ["red", "white"]},
            },
            "key": [],
            "label": "color",
        },
        "splits": {
            "train": {
                "role": "train",
                "files": ["processed/train.parquet"],
                "format": "parquet",
                "num_samples": 3,
                "class_distribution": {"red": 1, "white": 2},
                "columns": {
                    "alcohol": {
                        "nulls": 0,
                        "min": 9.5,
                        "max": 12.5,
                        "mean": 10.8333333333,
                        "std": 1.24721912892,
                        **percents(9.5, 9.5, 9.5, 10.5, 12.5, 12.5, 12.5),
                        "distinct": 3,
                        "histogram": "9.5:1 10.5:1 12.5:1",
                    },
                    "quality": {
                        "nulls": 0,
                        "min": 5,
                        "max": 8,
                        "mean": 6.33333333333,
                        "std": 1.24721912892,
                        **percents(5, 5, 5, 6, 8, 8, 8),
                        "distinct": 3,
                        "histogram": "5:1 6:1 8:1",
                    },
                    "color": {
                        "nulls": 0,
                        "min_length": 3,
                        "max_length": 5,
                        "mean_length": 4.33333333333,
                        "p50_length": 5,
                        "p95_length": 5,
                        "distinct": 2,
                        "histogram": "3:1 5:2",
                    },
                },
            },
            "val": {
                "role": "evaluation",
                "files": ["processed/val.parquet"],
                "format": "parquet",
                "num_samples": 2,
                "class_distribution": {"red": 0, "white": 2},
                "columns": {
                    "alcohol": {
                        "nulls": 1,
                        "min": 11.0,
                        "max": 11.0,
                        "mean": 11.0,
                        "std": 0.0,
                        **percents(*[11.0] * 7),
                        "distinct": 1,
                        "histogram": "11:1",
                    },
                    "quality": {
                        "nulls": 0,
                        "min": 4,
                        "max": 7,
                        "mean": 5.5,
                        "std": 1.5,
                        **percents(4, 4, 4, 4, 7, 7, 7),
                        "distinct": 2,
                        "histogram": "4:1 7:1",
                    },
                    "color": {
                        "nulls": 0,
                        "min_length": 5,
                        "max_length": 5,
                        "mean_length": 5.0,
                        "p50_length": 5,
                        "p95_length": 5,
                        "distinct": 1,
                        "histogram": "5:2",
                    },
                },
            },
        },
        "metrics": {},
        "snapshot": {
            "files": 2,
            "size": sum(path.stat().st_size for path in wines.processed.iterdir()),
            "digest": digest,
            "samples": written.snapshot.samples,
        },
    }
    assert capsys.readouterr() == ("", "train: 3 samples\nval: 2 samples\n")


def test_the_text_is_sorted_and_the_same_every_time(wines):
    profile.write()
    text = (wines.data / "metadata.json").read_text()
    profile.write()

    assert (wines.data / "metadata.json").read_text() == text
    assert text == json.dumps(wines.metadata(), indent=2, sort_keys=True) + "\n"
    assert Profile.from_json(wines.metadata()) == profile.write()


def test_the_snapshot_is_what_dvc_keeps_of_the_dataset_but_its_raw_files(wines):
    write_csv(TRAIN, wines.processed / "train.csv")
    (wines.data / "README.md").write_text("in git\n")
    (wines.data / ".gitignore").write_text("/raw\n/processed\n")

    snapshot = profile.write().snapshot

    names = ("train.csv", "train.parquet", "val.parquet")
    files = [
        File(
            path=f"processed/{name}",
            size=(wines.processed / name).stat().st_size,
            md5="",
            sha256=hashlib.sha256((wines.processed / name).read_bytes()).hexdigest(),
        )
        for name in names
    ]
    assert snapshot.files == 3
    assert snapshot.digest == Snapshot.of(files).digest()
    profile.write()
    assert profile.write().snapshot == snapshot, "metadata.json is no part of it"


def test_the_same_rows_have_the_same_figures_in_every_format_and_cut(wines):
    """Parquet in small row groups, CSV, TSV, JSON lines, two files instead of one."""
    wines.files(train="processed/train.parquet")
    expected = profile.write().splits["train"]

    pq.write_table(TRAIN, wines.processed / "small.parquet", row_group_size=1)
    write_csv(TRAIN, wines.processed / "train.csv")
    rows = TRAIN.to_pylist()
    tsv = ["\t".join(rows[0]), *("\t".join(str(value) for value in row.values()) for row in rows)]
    (wines.processed / "train.tsv").write_text("\n".join(tsv))
    (wines.processed / "train.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pq.write_table(TRAIN.slice(0, 1), wines.processed / "part-0.parquet")
    pq.write_table(TRAIN.slice(1), wines.processed / "part-1.parquet")
    for name in ("small.parquet", "train.csv", "train.tsv", "train.jsonl", "part-*.parquet"):
        wines.files(train=f"processed/{name}")
        split = profile.write().splits["train"]
        assert replace(split, files=expected.files, format=expected.format) == expected, name


def test_batches_are_small_where_rows_are_large(wines, monkeypatch):
    """The figures of images are the same when they come one by one."""
    from dreg.adapters.formats import rows

    images = np.random.default_rng(7).integers(0, 256, (50, 28, 28), dtype=np.uint8)
    table = pa.table({"image": pa.FixedShapeTensorArray.from_numpy_ndarray(images)})
    write_parquet(table, wines.processed / "images.parquet")
    wines.contract(
        label=None,
        splits={"train": {"files": ["processed/images.parquet"]}},
        columns={"image": {"type": "uint8", "shape": [28, 28]}},
    )
    at_once = profile.write()
    monkeypatch.setattr(rows, "BATCH_BYTES", 1)

    assert profile.write() == at_once
    assert at_once.features["image"].shape == (28, 28)
    scaled = images.astype(np.float64) / 255
    assert at_once.metrics["train"]["pixel_mean"] == pytest.approx(scaled.mean(), abs=1e-9)
    assert at_once.metrics["train"]["pixel_std"] == pytest.approx(scaled.std(), abs=1e-9)


def test_labels_may_be_the_indices_of_their_classes(wines):
    write_parquet(pa.table({"label": [1, 1, 0, None]}), wines.processed / "train.parquet")
    wines.contract(
        label="label",
        splits={"train": {"files": ["processed/train.parquet"]}},
        columns={"label": {"type": "int64", "classes": ["cat", "dog", "bird"]}},
    )

    distribution = profile.write().splits["train"].class_distribution

    assert distribution == {"cat": 1, "dog": 2, "bird": 0}


def test_labels_without_listed_classes_are_their_own_names(wines):
    columns = CONTRACT["columns"] | {"color": "string"}
    wines.contract(columns=columns)

    assert profile.write().splits["train"].class_distribution == {"red": 1, "white": 2}


@pytest.mark.parametrize(
    ("values", "kind", "names"),
    [
        ([True, False], pa.bool_(), ["true", "false"]),
        ([dt.date(2024, 5, 6)], pa.date32(), ["2024-05-06"]),
        ([b"a"], pa.binary(), ["61"]),
        ([3, 4], pa.dictionary(pa.int8(), pa.int64()), ["3", "4"]),
    ],
)
def test_labels_without_listed_classes_are_named_as_keys_are(wines, values, kind, names):
    table = pa.table({"color": pa.array(values, kind)})
    write_parquet(table, wines.processed / "train.parquet")
    wines.contract(
        splits={"train": {"files": ["processed/train.parquet"]}},
        columns={"color": "string"},
        label="color",
    )

    distribution = profile.write().splits["train"].class_distribution

    assert distribution == dict.fromkeys(names, 1)


def test_a_million_classes_that_the_contract_lists(wines):
    classes = [f"class {i}" for i in range(100_000)]  # a million takes ten times as long, not more
    write_parquet(pa.table({"color": classes}), wines.processed / "train.parquet")
    wines.contract(
        splits={"train": {"files": ["processed/train.parquet"]}},
        columns={"color": {"type": "string", "classes": classes}},
        label="color",
    )
    started = time.process_time()

    assert profile.write().splits["train"].class_distribution == dict.fromkeys(classes, 1)
    assert time.process_time() - started < 30  # searching a list of them took 80


def test_a_label_that_is_a_quantity_has_no_classes(wines):
    wines.contract(label="alcohol")

    assert profile.write().splits["train"].class_distribution == {}


def test_facts_are_measured_whatever_the_contract_promises(wines):
    """Whether they keep it is for `dreg check` to say, which needs both."""
    table = TRAIN.drop_columns(["quality", "color"]).append_column("extra", pa.array([1, 2, 3]))
    write_parquet(table, wines.processed / "train.parquet")
    wines.files(train="processed/train.parquet")

    written = profile.write()

    assert set(written.features) == {"alcohol", "extra"}
    assert written.splits["train"].class_distribution == {}


def test_a_script_may_add_metrics_of_its_own(wines):
    written = profile.write(
        metrics={"train": {"words_mean": np.float32(0.5), "pages": np.int64(7)}}
    )

    assert written.metrics == {"train": {"words_mean": 0.5, "pages": 7}}
    assert wines.metadata()["metrics"] == {"train": {"words_mean": 0.5, "pages": 7}}


def test_what_the_contract_says_about_key_files_and_embeddings(wines):
    columns = CONTRACT["columns"] | {"quality": {"type": "int64", "model": "a/MiniLM@1"}}
    splits = {"train": {"files": ["processed/t*.parquet", "processed/more.csv"]}}
    (wines.processed / "more.csv").write_text("alcohol,quality,color\n9.0,9,red\n")
    wines.contract(key=["quality", "color"], columns=columns, splits=splits)
    profile.write()
    metadata = wines.metadata()
    assert metadata["schema"]["key"] == ["quality", "color"]
    assert metadata["schema"]["features"]["quality"]["model"] == "a/MiniLM@1"
    assert metadata["splits"]["train"]["files"] == ["processed/t*.parquet", "processed/more.csv"]
    assert metadata["splits"]["train"]["format"] == "csv, parquet"


def test_a_prompt_is_kept_whole(wines):
    text = " Describe the wine.\n\n  - its colour\n"
    profile.write(prompt={"name": "tasting", "version": 3, "text": text})
    assert wines.metadata()["prompt"] == {"name": "tasting", "version": "3", "text": text}
    profile.write(prompt=text)
    assert wines.metadata()["prompt"] == {"name": "", "version": "", "text": text}
    profile.write()
    assert "prompt" not in wines.metadata()


@pytest.mark.parametrize("prompt", ["", {}, {"text": 3}, {"text": " "}, {"text": "a", "txt": "b"}])
def test_a_prompt_without_a_text(wines, prompt):
    with pytest.raises(BadRequest, match="the prompt has") as caught:
        profile.write(prompt=prompt)
    assert "profile.write(prompt=" in caught.value.hint


def test_a_prompt_of_another_form(wines):
    for prompt in (5, ["text"], {"text": "\ud800"}):
        with pytest.raises(BadRequest, match=r"^the prompt "):
            profile.write(prompt=prompt)


@pytest.mark.parametrize(
    ("metrics", "fact"),
    [
        ([1], "metrics are no mapping: [1]"),
        ({"train": 5}, "the metrics of `train` are no mapping: 5"),
        ({"train": {5: 1}}, "the metrics of `train` have a name that is no text: 5"),
        ({"train": {"a": np.array([1, 2])}}, "metric `a` of `train` is no number: array([1, 2])"),
        ({"train": {"a": 2**64}}, f"metric `a` of `train` needs more than 64 bits: {2**64}"),
    ],
)
def test_metrics_that_no_profile_could_have(wines, metrics, fact):
    with pytest.raises(BadRequest) as caught:
        profile.write(metrics=metrics)
    assert caught.value.fact == fact
    assert caught.value.hint


def test_what_is_not_a_number_never_reaches_a_figure(wines):
    table = pa.table(
        {"alcohol": [1.0, math.nan, math.inf], "quality": [1, 1, 1], "color": ["red"] * 3}
    )
    write_parquet(table, wines.processed / "train.parquet")

    profile.write()

    assert wines.metadata()["splits"]["train"]["columns"]["alcohol"] == {
        "nulls": 0, "not_finite": 2, "min": 1.0, "max": 1.0, "mean": 1.0, "std": 0.0,
        **percents(*[1.0] * 7), "distinct": 1, "histogram": "1:1",
    }  # fmt: skip


def test_in_a_csv_only_nothing_is_null(wines):
    wines.csv("train.csv", 'alcohol,quality,color\n9.5,5,NA\n,6,""\nnan,7,\n')
    wines.contract(
        label=None,
        splits={"train": {"files": ["processed/train.csv"]}},
    )

    columns = profile.write().splits["train"].columns

    assert columns["alcohol"] == {
        "nulls": 1, "not_finite": 1, "min": 9.5, "max": 9.5, "mean": 9.5, "std": 0.0,
        **percents(*[9.5] * 7), "distinct": 1,
    }  # fmt: skip
    assert columns["color"] == {
        "nulls": 1, "min_length": 0, "max_length": 2, "mean_length": 1.0,
        "p50_length": 0, "p95_length": 2, "distinct": 2,
    }  # fmt: skip


# What is refused


def test_an_empty_split(wines):
    write_parquet(VAL.slice(0, 0), wines.processed / "val.parquet")

    assert refused().fact == (
        f"split `val` is empty: no row in `{wines.processed / 'val.parquet'}`"
    )
    assert not (wines.data / "metadata.json").exists()
    assert refused().hint == "see how scripts/process.py splits; then: dreg run wines"
    params = {"sources": {"usr/share": {}}, "process": {"validation_share": 0.01}}
    (wines.root / "pipelines/wines/params.yaml").write_text(yaml.safe_dump(params))
    assert refused().hint == (
        "change `process.validation_share` (0.01) in pipelines/wines/params.yaml, or add rows; "
        "then: dreg run wines"
    )


@pytest.mark.parametrize("name", ["processed/absent.parquet", "processed/part-*.parquet"])
def test_a_file_that_nobody_wrote(wines, name):
    wines.files(train=name)

    assert refused().fact == f"there is no `{wines.data / name}`, which the contract names"


def test_a_file_in_an_unknown_format(wines):
    (wines.processed / "train.xlsx").write_bytes(b"PK")
    wines.files(train="processed/train.xlsx")

    error = refused()

    assert error.fact.endswith("train.xlsx` is in no format that can be measured")
    assert error.hint.startswith("write it as one of: .parquet, .csv, .tsv, .jsonl, ")


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_truncated_parquet_file(wines, keep):
    file = wines.processed / "train.parquet"
    file.write_bytes(file.read_bytes()[:keep])

    assert refused().fact.startswith(f"`{file}` cannot be read: ")


def test_a_parquet_file_with_damaged_pages(wines):
    file = wines.processed / "train.parquet"
    content = bytearray(file.read_bytes())
    content[4:60] = bytes(56)
    file.write_bytes(content)

    assert refused().fact.startswith(f"`{file}` cannot be read: ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "` is empty: it has no header"),
        (
            "alcohol,quality,color\n9.5,5,red\n9.6,good,red\n",
            "` row 2 cannot be read: column `quality`: CSV conversion error to int64: "
            "invalid value 'good'",
        ),
        ("alcohol,quality,color\n9.5,5\n", "` row 1 cannot be read: Expected 3 columns, got 2"),
    ],
)
def test_a_csv_with_a_value_that_is_not_what_was_promised(wines, text, reason):
    wines.csv("train.csv", text)

    assert refused().fact.startswith(f"`{wines.processed / 'train.csv'}{reason}")


def test_json_lines_that_are_no_json(wines):
    wines.csv("train.jsonl", '{"alcohol": 9.5}\n{"alcohol": }\n')

    assert "train.jsonl` row 2 cannot be read: Invalid value" in refused().fact


def test_two_columns_of_one_name(wines):
    wines.csv("train.csv", "alcohol,alcohol\n1,2\n")

    assert refused().fact.endswith("train.csv` has more than one column `alcohol`")


def test_a_label_that_is_no_class_is_told_with_its_row(wines):
    rose = pa.table({"alcohol": [9.0] * 3, "quality": [5] * 3, "color": ["red", "rosé", "rosé"]})
    pq.write_table(rose, wines.processed / "val.parquet", row_group_size=1)

    assert refused().fact == (
        f"`{wines.processed / 'val.parquet'}` row 2: label 'rosé' in column `color` "
        "is none of the 2 classes"
    )


@pytest.mark.parametrize("index", [-1, 2])
def test_a_class_index_out_of_range(wines, index):
    write_parquet(pa.table({"label": [0, index]}), wines.processed / "train.parquet")
    wines.contract(
        label="label",
        splits={"train": {"files": ["processed/train.parquet"]}},
        columns={"label": {"type": "int64", "classes": ["cat", "dog"]}},
    )

    fact = f"row 2: label {index} in column `label` is none of the 2 classes"
    assert refused().fact.endswith(fact)


def test_a_label_with_so_many_values_that_they_are_no_classes(wines):
    write_parquet(pa.table({"id": list(range(10_001))}), wines.processed / "train.parquet")
    wines.contract(
        label="id",
        splits={"train": {"files": ["processed/train.parquet"]}},
        columns={"id": "int64"},
    )

    assert refused().fact == "the label `id` has more than 10,000 different values"


def test_files_whose_columns_differ(wines):
    write_parquet(VAL.drop_columns(["quality"]), wines.processed / "val.parquet")
    train, val = wines.processed / "train.parquet", wines.processed / "val.parquet"
    assert refused().fact == f"column `quality` is in `{train}` only"

    quality = pa.array([4.0, 7.0])
    write_parquet(VAL.set_column(1, "quality", quality), wines.processed / "val.parquet")
    assert refused().fact == f"column `quality` is int64 in `{train}` and float64 in `{val}`"


def test_metrics_that_json_or_the_splits_cannot_have(wines):
    assert refused(BadRequest, test={"x": 1}).fact == (
        "metrics are given for `test`, which is no split"
    )
    assert refused(BadRequest, train={"x": math.nan}).fact == (
        "metric `x` of `train` is not finite: nan"
    )
    assert refused(BadRequest, train={"x": "7"}).fact == "metric `x` of `train` is no number: '7'"


def test_a_script_that_runs_elsewhere(wines, monkeypatch):
    monkeypatch.chdir(wines.root)

    error = refused(BadRequest)

    assert error.fact == f"`{wines.root}` is not a pipeline's folder"
    assert error.hint == "run the script as its pipeline does: dreg run NAME"


def test_row_groups_are_measured_piece_by_piece(wines, monkeypatch):
    """A piece has as many row groups as a bound on bytes allows, and knows its first row."""
    from dreg.adapters.formats import parquet, pieces
    from dreg.core.contract import Contract

    contract = Contract("", "", "", {}, {})
    path = wines.processed / "train.parquet"
    pq.write_table(TRAIN, path, row_group_size=1)
    expected = profile.write()
    assert [piece.groups for piece in pieces([path], contract)] == [range(3)]
    monkeypatch.setattr(parquet, "PIECE_BYTES", 1)

    found = list(pieces([path], contract))
    assert [(piece.groups, piece.first) for piece in found] == [
        (range(number, number + 1), number) for number in range(3)
    ]
    assert profile.write() == expected
    color = TRAIN["color"].to_pylist()
    pq.write_table(
        TRAIN.set_column(2, "color", pa.array([*color[:2], "pink"])), path, row_group_size=1
    )
    assert "train.parquet` row 3: label 'pink'" in refused().fact
