"""The profile as metadata.json: the published shape, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from dreg.core.profile import Profile, Prompt
from dreg.core.rules import assess
from dreg.core.version import Bump
from dreg.errors import BadRequest

WRITTEN: dict[str, Any] = {
    "format": 1,
    "dataset": {"name": "fashion-mnist", "licence": "MIT"},
    "schema": {
        "features": {
            "image": {"type": "uint8", "nullable": False, "shape": [28, 28]},
            "label": {"type": "int64", "nullable": False, "classes": ["shirt", "boot"], "unit": "1"},
            "vector": {"type": "float32", "nullable": False, "shape": [384], "model": "a/MiniLM@1"},
        },
        "key": ["id"],
        "label": "label",
    },
    "prompt": {"name": "caption", "version": "2", "text": " Describe\nit. "},
    "splits": {
        "train": {
            "role": "train",
            "files": ["processed/train-*.parquet"],
            "format": "parquet",
            "num_samples": 3,
            "class_distribution": {"shirt": 2, "boot": 1},
            "columns": {
                "image": {"mean": 72.9, "nulls": 0},
                "label": {
                    "nulls": 0,
                    "p50": 0,
                    "distinct": 2000,
                    "distinct_is_estimate": True,
                    "histogram": "-0.75..-0.5:12 0:2 1.5..inf:3",
                },
            },
        },
        "val": {"num_samples": 1},
    },
    "metrics": {"train": {"pixel_mean": 0.286, "pixel_std": 0.353}},
    "snapshot": {"files": 2, "size": 1000, "digest": "aaaa"},
}  # fmt: skip


def test_what_was_written_is_read_and_written_again():
    profile = Profile.from_json(copy.deepcopy(WRITTEN))
    assert profile.num_samples == 4
    assert profile.to_json() == WRITTEN


def test_training_code_finds_its_figures():
    metadata = json.loads(json.dumps(Profile.from_json(WRITTEN).to_json()))
    assert metadata["metrics"]["train"]["pixel_mean"] == 0.286
    assert metadata["splits"]["train"]["class_distribution"] == {"shirt": 2, "boot": 1}
    assert metadata["schema"]["features"]["image"]["shape"] == [28, 28]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dataset", None),
        ("dataset", "fashion-mnist"),
        ("schema", {}),
        ("schema.features.label", "int64"),
        ("splits", []),
        ("schema.key", "id"),
        ("prompt", {"name": "caption"}),
        ("prompt", ["Describe it."]),
        ("splits.train.files", "train.csv"),
        ("splits.train.num_samples", -1),
        ("splits.train.num_samples", 2.5),
        ("splits.train.num_samples", 2**63),
        ("splits.train.class_distribution.boot", "many"),
        ("splits.train.columns.label.distinct_is_estimate", 1),
        ("splits.train.columns.label.p50", True),
        ("splits.train.columns.label.histogram", {"0": 2}),
        ("splits.train.columns.label.histogram", "0:2 0:3"),
        ("splits.train.columns.label.histogram", "1..0:3"),
        ("splits.train.columns.label.histogram", "0..1:0"),
        ("splits.train.columns.label.histogram", "0..1"),
        ("splits.train.columns.label.histogram", f"0:{2**63}"),
        ("metrics.train.pixel_mean", "dark"),
        ("metrics.train.pixel_mean", True),
        ("metrics.train.pixel_mean", 2**64),
        ("metrics.train", 0.3),
        ("snapshot", {"files": 1}),
    ],
)
def test_another_shape_is_refused_by_name(path, value):
    data = copy.deepcopy(WRITTEN)
    *above, last = path.split(".")
    inner = data
    for key in above:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(BadRequest) as failed:
        Profile.from_json(data, "data/x/metadata.json")
    assert "data/x/metadata.json" in failed.value.fact
    assert "dreg run" in failed.value.hint


def test_figures_of_older_profiles_are_read_without_what_came_later():
    data = copy.deepcopy(WRITTEN)
    data["splits"]["train"]["columns"] = {"label": {"nulls": 0, "mean": 0.4, "std": 0.5}}
    train = Profile.from_json(data).splits["train"]
    assert train.columns == data["splits"]["train"]["columns"]
    assert train.histograms == {}


def test_what_an_older_profile_lacks_is_not_known():
    older = copy.deepcopy(WRITTEN)
    del older["format"], older["prompt"], older["schema"]["key"], older["schema"]["label"]
    del older["schema"]["features"]["vector"]["model"]
    for key in ("files", "format"):
        del older["splits"]["train"][key]
    read = Profile.from_json(copy.deepcopy(older))
    assert (read.key, read.label, read.prompt) == (None, None, None)
    assert (read.splits["train"].files, read.splits["train"].format) == ((), "")
    assert read.to_json() == {"format": 1, **older}
    # Nobody changed a thing by measuring with a newer dreg.
    assert [f.rule for f in assess(read, Profile.from_json(WRITTEN)) if f.bump > Bump.PATCH] == []


def test_no_key_is_known_to_be_none():
    data = copy.deepcopy(WRITTEN)
    data["schema"] |= {"key": [], "label": ""}
    assert (Profile.from_json(data).key, Profile.from_json(data).label) == ((), "")
    assert Profile.from_json(data).to_json() == data


def test_a_prompt_that_is_just_a_text_is_read():
    prompt = Profile.from_json({**WRITTEN, "prompt": "Describe it."}).prompt
    assert prompt == Prompt("Describe it.")


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_json_that_is_no_object_is_refused(data):
    with pytest.raises(BadRequest):
        Profile.from_json(data)


def test_a_newer_format_asks_for_a_newer_dreg():
    later = {**WRITTEN, "format": 2, "splits": "in another file"}
    with pytest.raises(BadRequest) as failed:
        Profile.from_json(later)
    assert "reads up to 1" in failed.value.fact
    assert "upgrade dreg" in failed.value.hint
