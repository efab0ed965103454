"""The contract as text: what is read, and how every mistake is answered."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from dreg.core.contract import Column, Contract, ContractSplit
from dreg.core.profile import Profile
from dreg.core.violations import violations
from dreg.errors import BadRequest

TEXT = """
title: Wine quality
description: >
  Wines and
  their marks.
licence: CC-BY-4.0
label: colour
splits:
  train: {files: [processed/train.parquet], samples: 1000}
  val: {files: processed/val.parquet}
columns:
  pH: {type: double, unit: "1", range: [2, 5]}
  quality: int32
  picture: {type: uint8, shape: [28, 28]}
  colour: {type: int64, classes: [red, white]}
facts: {instances: 6497}
"""

PROFILE: dict[str, Any] = {
    "format": 1,
    "dataset": {"name": "wine-quality"},
    "schema": {
        "features": {
            "pH": {"type": "double", "unit": "1"},
            "quality": {"type": "int32"},
            "picture": {"type": "uint8", "shape": [28, 28]},
            "colour": {"type": "int64", "classes": ["red", "white"]},
        }
    },
    "splits": {
        "train": {
            "role": "train",
            "num_samples": 1000,
            "class_distribution": {"red": 600, "white": 400},
            "columns": {"pH": {"nulls": 0, "min": 2.7, "max": 4.0}},
        },
        "val": {"num_samples": 200, "class_distribution": {"red": 200, "white": 0}},
    },
    "metrics": {},
    "snapshot": {"files": 2, "size": 1000, "digest": "aaaa"},
}


def written(text: str) -> Contract:
    return Contract.parse(yaml.safe_load(text))


def test_a_contract_is_read():
    contract = written(TEXT)
    assert contract.description == "Wines and their marks."
    assert contract.kind == "tabular"
    assert contract.splits == {
        "train": ContractSplit("train", ("processed/train.parquet",), 1000),
        "val": ContractSplit("evaluation", ("processed/val.parquet",)),
    }
    assert contract.columns["pH"] == Column("float64", unit="1", range=(2.0, 5.0))
    assert contract.columns["quality"] == Column("int32")
    assert contract.columns["picture"].shape == (28, 28)
    assert contract.columns["colour"].classes == ("red", "white")
    assert contract.facts == {"instances": "6497"}


MISTAKES = [
    ("title: Wine quality", "titel: Wine quality", "the contract has the unknown key `titel`"),
    ("licence: CC-BY-4.0", "licence:", "the contract lacks `licence`"),
    ("title: Wine quality", "title: [a]", "`title` of the contract is not text"),
    ("label: colour", "label: color", "`color` is not among the columns"),
    ("label: colour", "key: [id]", "`id` is not among the columns"),
    ("{files: [processed/train", "{file: [processed/train", "unknown key `file`"),
    ("files: processed/val.parquet", "files: []", "split `val` has no files"),
    ("processed/val.parquet", "../val.parquet", "split `val` has the file `../val.parquet`"),
    ("processed/val.parquet", "/val.parquet", "outside of the dataset"),
    ("processed/val.parquet", "a, role: test", "split `val` has the role `test`"),
    ("samples: 1000", "samples: many", "split `train` promises `many` samples"),
    ("samples: 1000", "samples: -1", "split `train` promises `-1` samples"),
    ("range: [2, 5]", "range: [5, 2]", "column `pH` has no usable range"),
    ("range: [2, 5]", "range: [low, high]", "column `pH` has no usable range"),
    ("range: [2, 5]", "range: 5", "column `pH` has no usable range"),
    ("quality: int32", "quality: [int32]", "column `quality` is not a mapping"),
    ("quality: int32", "quality: {unit: g}", "column `quality` lacks `type`"),
    ("type: uint8", "type: uint8, nullable: maybe", "has `nullable: maybe`"),
    ("[28, 28]", "28 x 28", "column `picture` has no usable shape"),
    ("[red, white]", "[yes, no]", "`classes` of column `colour` has True for a name"),
    ("[red, white]", "[red, red]", "column `colour` names a class twice"),
    ("[red, white]", "{red: 0}", "`classes` of column `colour` is not a list of names"),
    ("quality: int32", "no: int32", "`columns` has False for a name"),
    ("facts: {instances: 6497}", "facts: [a]", "`facts` is not a mapping"),
    ("facts: {instances: 6497}", "upstream: [Base]", "`upstream` has `Base`: `Base` cannot name"),
    (
        "facts: {instances: 6497}",
        "upstream: [base@newest]",
        "`upstream` has `base@newest`: `newest` is not a version range",
    ),
    ("facts: {instances: 6497}", "upstream: [base, base@^1]", "names `base` twice"),
    ("type: uint8", "type: uint8, unique: often", "has `unique: often`"),
    ("quality: int32", "quality: {type: int32, values: 3}", "is not a list of values"),
    ("quality: int32", "quality: {type: int32, values: []}", "is not a list of values"),
    (
        "range: [2, 5]",
        "values: ['3']",
        "`values` of column `pH` has '3', and the column is float64",
    ),
    ("quality: int32", "quality: {type: int32, values: [1, null]}", "has None, and the column"),
    ("quality: int32", "quality: {type: int32, values: [1, 1]}", "has 1 twice"),
    (
        "quality: int32",
        "quality: {type: string, values: [1, 2]}",
        "has 1, and the column is string",
    ),
    (
        "classes: [red, white]",
        "classes: [red, white], values: [0]",
        "column `colour` has both `classes` and `values`",
    ),
    ("range: [2, 5]", 'pattern: "[0-9]"', "has a `pattern`, and its type is float64"),
    ("quality: int32", "quality: {type: string, pattern: 5}", "is not a regular expression"),
    ("quality: int32", "quality: {type: 'date32[day]', range: [1, 2]}", "has no usable range"),
    (
        "quality: int32",
        "quality: {type: 'timestamp[us]', range: [2024-02-01, 2024-01-01]}",
        "has no usable range",
    ),
]


@pytest.mark.parametrize(("find", "replace", "fact"), MISTAKES)
def test_a_mistake_is_named_with_a_hint(find, replace, fact):
    assert find in TEXT
    with pytest.raises(BadRequest) as failed:
        written(TEXT.replace(find, replace))
    assert fact in failed.value.fact
    assert failed.value.fact.startswith("`dataset.yaml`: ")
    assert failed.value.hint


def test_upstream_may_be_bounded_by_a_range():
    contract = written(TEXT + "upstream: [base, opencloudhub-readmes@^1]\n")
    assert list(contract.upstream) == ["base", "opencloudhub-readmes"]
    assert str(contract.upstream["opencloudhub-readmes"]) == "^1"
    assert str(contract.upstream["base"]) == "latest"
    assert list(written(TEXT + "upstream: base\n").upstream) == ["base"]


def test_what_values_may_be_is_read():
    contract = written(
        TEXT.replace("quality: int32", "quality: {type: int32, values: [3, 4], unique: true}")
        .replace("range: [2, 5]", "values: [0.5, 1]")
        .replace(
            "picture:",
            "day: {type: 'timestamp[us]', range: [2020-01-01, 2024-12-31 12:00:00]}\n"
            '  code: {type: string, pattern: "[a-z]+", values: ["a"]}\n'
            "  picture:",
        )
    )
    assert contract.columns["quality"] == Column("int32", values=(3, 4), unique=True)
    assert contract.columns["pH"].values == (0.5, 1)
    assert contract.columns["day"].range == ("2020-01-01", "2024-12-31 12:00:00")
    assert contract.columns["code"] == Column("string", pattern="[a-z]+", values=("a",))


@pytest.mark.parametrize("value", [None, [], "text", {"splits": {}}, {"columns": None}, 3])
def test_anything_else_is_refused_too(value):
    with pytest.raises(BadRequest):
        Contract.parse(value)


def broken(change: dict[str, Any], text: str = TEXT) -> list[str]:
    data = {**PROFILE, **change}
    return [str(v) for v in violations(written(text), Profile.from_json(data))]


def test_a_kept_contract_has_no_violations():
    assert broken({}) == []


def test_every_broken_promise_about_columns_is_told():
    features = {
        "quality": {"type": "string", "nullable": True},
        "picture": {"type": "uint8", "shape": [32, 32]},
        "colour": {"type": "int64", "classes": ["white", "red"]},
        "alcohol": {"type": "double"},
    }
    assert broken({"schema": {"features": features}}) == [
        "column `alcohol` is not in the contract",
        "column `colour` has the classes white, red, promised red, white",
        "column `pH` is missing",
        "column `picture` has the shape [32, 32], promised [28, 28]",
        "column `quality` is nullable, promised not to be",
        "column `quality` is string, promised int32",
    ]


def test_every_broken_promise_about_values_is_told():
    split = {
        "num_samples": 10,
        "class_distribution": {"red": 7, "rose": 3},
        "columns": {"pH": {"nulls": 4, "not_finite": 2, "min": -1.5, "max": 14}},
    }
    assert broken({"splits": {"train": split, "val": split}}, TEXT.replace(", samples: 1000", "")) == [
        "column `pH` goes down to -1.5 in split `train`, promised at least 2",
        "column `pH` goes down to -1.5 in split `val`, promised at least 2",
        "column `pH` goes up to 14 in split `train`, promised at most 5",
        "column `pH` goes up to 14 in split `val`, promised at most 5",
        "column `pH` has 2 NaN or infinite values in split `train`, promised a range",
        "column `pH` has 2 NaN or infinite values in split `val`, promised a range",
        "column `pH` has 4 nulls in split `train`, promised none",
        "column `pH` has 4 nulls in split `val`, promised none",
        "label `colour` has 3 samples of `rose` in split `train`, not a promised class",
        "label `colour` has 3 samples of `rose` in split `val`, not a promised class",
    ]  # fmt: skip


def test_every_broken_promise_about_splits_is_told():
    splits = {
        "train": {"num_samples": 1001, "role": "evaluation"},
        "test": {"num_samples": 0},
    }
    assert broken({"splits": splits}) == [
        "label `colour` is not counted by class in split `train`",
        "split `test` is not in the contract",
        "split `train` has 1,001 samples, promised 1,000",
        "split `train` was measured as evaluation, promised train",
        "split `val` is missing",
    ]
    splits = {**PROFILE["splits"], "val": {"num_samples": 0}}
    assert broken({"splits": splits}) == ["split `val` is empty"]
