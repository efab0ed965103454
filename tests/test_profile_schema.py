"""The schema of metadata.json, held against profiles that were written, and against their reader."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from dreg.core.profile import Feature, Profile, Prompt, Published, Split
from dreg.core.profile_schema import profile_schema
from tests.test_profile import WRITTEN
from tests.test_rules import NAMES, PROFILE, case

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = profile_schema()


def closed(schema: Any) -> Any:
    """The schema without room for keys that it doesn't name."""
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if "properties" in inner and inner.get("type") == "object":
        inner["properties"] = {key: closed(value) for key, value in schema["properties"].items()}
        inner.setdefault("additionalProperties", False)
    return inner


EXACT = jsonschema.Draft202012Validator(closed(SCHEMA))
OPEN = jsonschema.Draft202012Validator(SCHEMA)


def errors(validator: Any, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def test_the_schema_is_one_and_names_every_field():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    top = SCHEMA["properties"]
    feature = top["schema"]["properties"]["features"]["additionalProperties"]["properties"]
    assert sorted(feature) == sorted(Feature.__dataclass_fields__)
    split = top["splits"]["additionalProperties"]["properties"]
    assert sorted(split) == sorted(Split.__dataclass_fields__.keys() - {"histograms"})
    assert sorted(top["snapshot"]["properties"]) == sorted(Published.__dataclass_fields__)
    assert sorted(top["prompt"]["properties"]) == sorted(Prompt.__dataclass_fields__)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("data/*/metadata.json")), ids=lambda p: p.parts[-2]
)
def test_shipped_profiles_are_valid(path):
    assert errors(EXACT, json.loads(path.read_text())) == []


@pytest.mark.parametrize("name", NAMES)
def test_profiles_of_every_rules_case_are_valid(name):
    for profile in case(name):
        assert errors(EXACT, json.loads(json.dumps(profile.to_json()))) == []


def test_further_keys_are_allowed():
    assert errors(OPEN, {**WRITTEN, "later": {"more": 1}}) == []
    assert errors(EXACT, {**WRITTEN, "later": {"more": 1}}) != []


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return not isinstance(value, float) or math.isfinite(value)


@given(PROFILE)
def test_what_dreg_writes_is_valid(profile: Profile):
    data = profile.to_json()
    counts = [
        c.get(f)
        for s in profile.splits.values()
        for c in s.columns.values()
        for f in ("nulls", "distinct")
    ]
    if finite(data) and all(n is None or (isinstance(n, int) and 0 <= n < 2**63) for n in counts):
        assert errors(EXACT, json.loads(json.dumps(data))) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", 2),
        ("dataset", None),
        ("schema", {}),
        ("schema.key", "id"),
        ("schema.features.label", "int64"),
        ("splits", []),
        ("splits.train.files", "train.csv"),
        ("splits.train.num_samples", -1),
        ("splits.train.num_samples", 2.5),
        ("splits.train.class_distribution.boot", "many"),
        ("splits.train.columns.label.distinct_is_estimate", 1),
        ("splits.train.columns.label.p50", True),
        ("splits.train.columns.label.histogram", {"0": 2}),
        ("splits.train.columns.label.histogram", "0..1"),
        ("metrics.train.pixel_mean", "dark"),
        ("prompt", {"name": "caption"}),
        ("snapshot", {"files": 1}),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses_too(path, value):
    data = copy.deepcopy(WRITTEN)
    *above, last = path.split(".")
    inner = data
    for key in above:
        inner = inner[key]
    inner[last] = value
    assert errors(OPEN, data)
    with pytest.raises(Exception, match=r"metadata\.json"):
        Profile.from_json(data)
