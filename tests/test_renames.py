"""Columns that are called otherwise, on the shipped profile of a real table."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from dreg.core.profile import Profile
from dreg.core.rules import assess
from dreg.core.rules.renames import renamed, with_names

WINE = Profile.from_json(
    json.loads((Path(__file__).parents[1] / "data/wine-quality/metadata.json").read_text())
)
MEASURED = sorted(name for name in WINE.features if WINE.features[name].type == "float64")


def without(profile: Profile, name: str) -> Profile:
    def rest(values):
        return {key: value for key, value in values.items() if key != name}

    return replace(
        profile,
        features=rest(profile.features),
        splits={
            split: replace(values, columns=rest(values.columns), histograms=rest(values.histograms))
            for split, values in profile.splits.items()
        },
    )


def unitless(profile: Profile) -> Profile:
    """So that values alone can tell columns apart."""
    features = {name: replace(f, unit="") for name, f in profile.features.items()}
    return replace(profile, features=features)


@pytest.mark.parametrize("name", MEASURED)
def test_a_column_is_recognised_by_its_values_whatever_it_is_called_now(name):
    new = with_names(WINE, {name: "x"})
    assert [f.rule for f in assess(WINE, new)] == ["column-renamed"]


def test_all_columns_at_once():
    new = unitless(with_names(WINE, {name: f"x{i}" for i, name in enumerate(reversed(MEASURED))}))
    pairs = renamed(unitless(WINE), new)
    assert {old: called for old, (called, _) in pairs.items()} == {
        name: f"x{i}" for i, name in enumerate(reversed(MEASURED))
    }


def test_another_column_is_not_taken_for_the_one_that_is_gone():
    table = unitless(WINE)
    for one, other in permutations(MEASURED, 2):
        assert renamed(without(table, other), without(table, one)) == {}, (one, other)


def test_what_else_became_of_the_column_is_told():
    called = with_names(WINE, {"ph": "p_h"})
    features = called.features | {"p_h": replace(called.features["p_h"], nullable=True)}
    train = called.splits["train"]
    columns = train.columns | {"p_h": {**train.columns["p_h"], "nulls": 700}}
    new = replace(
        called,
        features=features,
        splits=called.splits | {"train": replace(train, columns=columns)},
    )
    told = {f.rule: f.text for f in assess(WINE, new)}
    assert told == {
        "column-renamed": "column `ph` is called `p_h` now: the names are alike, the type is the "
        "same and the figures are close",
        "became-nullable": "column `p_h` has nulls now",
        "column-drifted": "column `p_h` of split `train`: missing 0.0% -> 13.5%",
    }


def test_a_renamed_key_is_the_same_key():
    keyed = replace(WINE, key=("ph", "alcohol"), label="color")
    assert [f.rule for f in assess(keyed, with_names(keyed, {"ph": "acidity"}))] == [
        "column-renamed"
    ]


def test_a_column_of_two_values_is_recognised_by_no_figures():
    features = {name: replace(WINE.features["ph"], unit="") for name in ("a", "b")}

    def flags(name):
        split = replace(
            WINE.splits["train"],
            columns={name: {"nulls": 0, "distinct": 2, "min": 0, "max": 1, "mean": 0.5}},
            histograms={},
        )
        return replace(WINE, features={name: features[name]}, splits={"train": split})

    assert renamed(flags("a"), flags("b")) == {}


def test_a_column_of_another_name_and_type_is_two_findings():
    called = with_names(WINE, {"quality": "mark"})
    features = called.features | {"mark": replace(called.features["mark"], type="float64")}
    found = {f.rule: f.text for f in assess(WINE, replace(called, features=features))}
    assert found == {
        "column-renamed": "column `quality` is called `mark` now: it has the same figures in every split",
        "type-changed": "column `mark` is float64 instead of int64",
    }


@pytest.mark.parametrize(("one", "other"), [("ph", "alcohol"), ("density", "sulphates")])
def test_two_columns_that_changed_places_are_told_in_real_data(one, other):
    swapped = with_names(unitless(WINE), {one: other, other: one})
    found = [f.text for f in assess(unitless(WINE), swapped) if f.rule == "columns-swapped"]
    assert found == [
        f"columns `{min(one, other)}` and `{max(one, other)}` have each other's values"
    ]
