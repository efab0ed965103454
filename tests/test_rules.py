"""Every rule on every case; and what holds for the rules as a whole, on random profiles.

A case is `tests/rules/<rule>.yaml`: `old` and `new` are merge patches on `base.yaml`, and each of
`unhurt` is a `new` that the rule must leave alone. What all rules find on all cases is kept in
`tests/rules/findings.txt`; after a change that is meant: `UPDATE_SNAPSHOTS=1 pytest tests/test_rules.py`.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dreg.core import rules as all_rules
from dreg.core.drift import Histogram
from dreg.core.profile import Feature, Profile, Prompt, Published, Split
from dreg.core.rules import RULES, Finding, assess
from dreg.core.rules.documents import duties
from dreg.core.rules.renames import renamed, with_names
from dreg.core.rules.splits import renamed_splits, with_splits
from dreg.core.samples import SampleChanges, SplitChanges
from dreg.core.types import spelled, widens
from dreg.core.version import Bump
from dreg.rules import every_rule

CASES = Path(__file__).parent / "rules"
SNAPSHOT = CASES / "findings.txt"
NAMES = sorted(path.stem for path in CASES.glob("*.yaml") if path.stem != "base")


@cache
def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))


def patched(base: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result


def profile(patch: dict[str, Any]) -> Profile:
    return Profile.from_json(patched(read("base"), patch))


def case(name: str) -> tuple[Profile, Profile]:
    return profile(read(name)["old"]), profile(read(name)["new"])


def samples(name: str) -> SampleChanges | None:
    """What became of single samples in the case, if it says so."""
    told = read(name).get("samples")
    return SampleChanges.from_json(told) if told is not None else None


def found(name: str) -> tuple[Finding, ...]:
    return assess(*case(name), changes=samples(name))


def test_every_rule_has_a_case_and_every_case_a_rule():
    assert sorted(RULES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_hits_its_own_case(name):
    assert name in {finding.rule for finding in found(name)}


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_leaves_near_misses_alone(name):
    old = profile(read(name)["old"])
    misses = read(name)["unhurt"]
    assert misses
    for patch in misses:
        told = patch.pop("samples", None) if "samples" in patch else read(name).get("samples")
        told = SampleChanges.from_json(told) if told is not None else None
        assert list(RULES[name].check(old, profile(patch), told)) == [], patch


@pytest.mark.parametrize("name", NAMES)
def test_unchanged_pairs_yield_nothing(name):
    for either in case(name):
        assert assess(either, either) == ()


def test_what_every_rule_finds_on_every_case():
    told = "".join(
        f"{name}\n" + "".join(f"  {f.bump}  {f.rule}: {f.text}\n" for f in found(name)) + "\n"
        for name in NAMES
    )
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(told, encoding="utf-8")
    assert told == SNAPSHOT.read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", every_rule().rules, ids=lambda rule: rule.rule)
def test_the_example_of_a_rule_is_one(rule):
    assert rule.hurts.endswith(".")
    assert rule.before
    assert rule.after
    assert rule.finds, f"{rule.rule} finds nothing in its own example"


def priced(changes: SampleChanges, patch: dict[str, Any] | None = None) -> dict[str, str]:
    """What is found by rule where single samples are known; of figures only `patch` differs."""
    new = profile({"snapshot": {"digest": "bbbb"}, **(patch or {})})
    return {f.rule: f.text for f in assess(profile({}), new, changes=changes)}


def test_as_many_others_are_not_the_same_samples():
    changes = SampleChanges({"train": SplitChanges(added=100, removed=100, kept=900)})
    assert priced(changes) == {
        "samples-added": "split `train` has 1,000 samples as before; 100 are new",
        "samples-removed": "split `train` has 1,000 samples as before; 100 are gone",
        "content-changed": "the published files differ, although they are 2 files of 100,000 bytes as before",
    }
    few = SampleChanges(
        {"train": SplitChanges(added=1, removed=2, changed=3, kept=996)}, keyed=True
    )
    assert priced(few)["samples-corrected"] == (
        "split `train` has 1,000 samples as before; 1 is new, 2 are gone, 3 are corrected"
    )


def test_an_evaluation_split_with_equal_figures_and_another_sample():
    changes = SampleChanges({"val": SplitChanges(added=1, removed=1, kept=199)})
    assert priced(changes)["evaluation-split-changed"] == (
        "evaluation split `val` has other samples: 1 added, 1 removed"
    )
    moved = SampleChanges({"val": SplitChanges(kept=200)}, {("train", "val"): 3})
    assert priced(moved)["evaluation-split-changed"].endswith("3 came from another split")
    left = SampleChanges({"val": SplitChanges(kept=199)}, {("val", "train"): 1})
    assert priced(left)["evaluation-split-changed"].endswith("1 went to another split")


def test_samples_that_are_known_to_be_equal_are_believed():
    other = {"splits": {"val": {"columns": {"pH": {"mean": 3.3}}}}}
    same = SampleChanges({"val": SplitChanges(kept=200)})
    assert "evaluation-split-changed" not in priced(same, other)
    # With other columns every content is another, and keys alone say nothing of values.
    keys_only = SampleChanges({"val": SplitChanges(kept=200)}, keyed=True, contents=False)
    assert "evaluation-split-changed" in priced(keys_only, other)


def test_other_bytes_of_the_same_samples_are_one_finding():
    old = profile({"snapshot": {"samples": "eeee"}})
    new = profile({"snapshot": {"samples": "eeee", "digest": "bbbb"}})
    assert [f.rule for f in assess(old, new)] == ["encoding-changed"]


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("MIT", "CC0-1.0", "licence-clarified"),  # nothing asks for less than nothing
        ("CC0-1.0", "MIT", "licence-restricted"),
        ("MIT", "Apache-2.0", "licence-restricted"),  # dreg does not know: a person compares
        ("CC-BY-NC-4.0", "CC-BY-4.0", "licence-clarified"),
        ("CC-BY-4.0", "CC-BY-SA-4.0", "licence-restricted"),
        ("CC-BY-SA-4.0", "ODbL-1.0", "licence-restricted"),  # no work may be under both
        ("proprietary", "", "licence-restricted"),
        ("", "proprietary", "licence-clarified"),
    ],
)
def test_a_licence_that_asks_for_more_is_major(before, after, rule):
    old, new = (profile({"dataset": {"licence": text}}) for text in (before, after))
    assert [f.rule for f in assess(old, new)] == [rule]


def test_numbers_that_are_the_key_drift_with_every_new_sample_and_harm_nobody():
    numbers = {"min": 0, "max": 999, "mean": 499.5, "std": 288}
    more = {"min": 0, "max": 1999, "mean": 999.5, "std": 577}
    sides = [
        {"schema": {"key": key}, "splits": {"train": {"columns": {"quality": figures}}}}
        for key in (["quality"], [])
        for figures in (numbers, more)
    ]
    keyed, keyed_more, plain, plain_more = map(profile, sides)
    assert [f.rule for f in assess(keyed, keyed_more)] == ["statistics-changed"]
    assert "column-drifted" in {f.rule for f in assess(plain, plain_more)}


def test_norms_of_vectors_of_another_dimension_are_not_compared():
    old, new = (
        profile(
            {
                "schema": {"features": {"picture": {"shape": [size]}}},
                "splits": {"train": {"columns": {"picture": {"mean_norm": norm, "std_norm": 0.1}}}},
            }
        )
        for size, norm in ((8, 2.7), (4, 1.9))
    )
    assert [f.rule for f in assess(old, new)] == ["shape-changed"]


def test_a_split_with_another_name_is_compared_with_itself():
    told = read("split-renamed")["samples"] | {"keyed": True}
    new = profile(read("split-renamed")["new"] | {"metrics": {"test": {"f1": 0.5}}})
    old = profile({"metrics": {"val": {"f1": 0.5}}})
    found = {f.rule: f.text for f in assess(old, new, changes=SampleChanges.from_json(told))}
    assert {"split-renamed", "evaluation-split-changed"} <= found.keys()
    assert not {"split-added", "split-removed", "samples-moved", "metric-removed"} & found.keys()
    # All of its samples are in a new split that is larger by far: that is not it.
    larger = SampleChanges.from_json(told)
    (moved,) = larger.moved.values()
    base = read("base")["splits"]["val"]
    new = profile({"splits": {"val": None, "test": base | {"num_samples": 5 * moved}}})
    assert renamed_splits(profile({}), new, larger) == {}
    # By figures alone, where nobody indexed samples.
    same = profile(
        {
            "splits": {"val": None, "test": read("base")["splits"]["val"]},
            "snapshot": {"digest": "b"},
        }
    )
    assert [f.rule for f in assess(profile({}), same)] == ["split-renamed", "content-changed"]


@pytest.mark.parametrize(
    ("share", "more", "rule"),
    [
        (0.07, 70, "samples-corrected"),
        (0.07, 71, "samples-added"),
        (0.29, 290, "samples-corrected"),
    ],
)
def test_a_share_that_is_just_met_is_tolerated(share, more, rule):
    pricing = all_rules.Pricing(thresholds={"samples-added": {"share": share}})
    new = profile({"splits": {"train": {"num_samples": 1000 + more}}})
    assert rule in {f.rule for f in assess(profile({}), new, pricing)}


def test_thresholds_are_shown():
    by_name = {rule.rule: rule for rule in every_rule().rules}
    assert by_name["samples-added"].thresholds == {"share": 0.05}
    assert "Tolerates: share 0.05" in by_name["samples-added"].lines()
    assert by_name["samples-corrected"].tolerated == ""
    told = "Tolerates: samples-added: share 0.05, samples-removed: share 0.05, samples-changed: share 0.05"
    assert told in by_name["samples-corrected"].lines()


NAME = st.text("abαé%{} .", min_size=1, max_size=3)
COUNT = st.integers(0, 2**62)
FIGURE = st.integers(-(2**63), 2**63) | st.floats()
TYPE = st.sampled_from(
    ["int8", "int64", "uint16", "float32", "float64", "string", "decimal128(9, 2)", "null", "?"]
)
FEATURE = st.builds(
    Feature,
    type=TYPE,
    nullable=st.booleans(),
    shape=st.lists(st.integers(0, 4), max_size=2).map(tuple),
    classes=st.lists(NAME, max_size=4, unique=True).map(tuple),
    unit=st.sampled_from(["", "g", "mg"]),
    model=st.sampled_from(["", "m", "m@1", "m@2", "n@1"]),
)
FIGURES = st.dictionaries(
    st.sampled_from(
        [
            "nulls",
            "not_finite",
            "min",
            "mean",
            "std",
            "mean_length",
            "p25",
            "p50",
            "p75",
            "distinct",
        ]
    ),
    FIGURE,
)
HISTOGRAM = st.dictionaries(st.integers(-2046, 2046), st.integers(1, 2**40), min_size=1).map(
    lambda counts: Histogram.of(counts, 52)
)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    columns = draw(st.dictionaries(NAME, FIGURES, max_size=2))
    return Split(
        num_samples=draw(COUNT),
        class_distribution=draw(st.dictionaries(NAME, COUNT, max_size=3)),
        columns=columns,
        role=draw(st.sampled_from(["", "train", "evaluation"])),
        files=draw(
            st.lists(st.sampled_from(["a.csv", "b/*.csv", "a.parquet"]), max_size=2).map(tuple)
        ),
        format=draw(st.sampled_from(["", "csv", "parquet", "csv, parquet"])),
        histograms={name: draw(HISTOGRAM) for name in columns if draw(st.booleans())},
    )


SPLIT = splits()
SPLIT_NAME = st.sampled_from(["train", "val", "test"])
PROFILE = st.builds(
    Profile,
    dataset=st.dictionaries(
        st.sampled_from(["name", "title", "licence"]), st.sampled_from(["", "MIT", "CC BY 4.0"])
    ),
    features=st.dictionaries(NAME, FEATURE, max_size=3),
    splits=st.dictionaries(SPLIT_NAME, SPLIT),
    metrics=st.dictionaries(SPLIT_NAME, FIGURES),
    snapshot=st.builds(
        Published,
        files=COUNT,
        size=COUNT,
        digest=st.text("0123456789abcdef", max_size=4),
        samples=st.sampled_from(["", "a", "b"]),
    ),
    key=st.none() | st.lists(NAME, max_size=2, unique=True).map(tuple),
    label=st.none() | st.just("") | NAME,
    prompt=st.none() | st.builds(Prompt, text=NAME, name=NAME | st.just("")),
)

NUMBER = st.integers(0, 2**40)
CHANGES = st.none() | st.builds(
    SampleChanges,
    splits=st.dictionaries(
        SPLIT_NAME,
        st.builds(SplitChanges, added=NUMBER, removed=NUMBER, changed=NUMBER, kept=NUMBER),
    ),
    moved=st.dictionaries(st.tuples(SPLIT_NAME, SPLIT_NAME), st.integers(1, 2**40)),
    keyed=st.booleans(),
    contents=st.booleans(),
)


@given(PROFILE)
def test_a_profile_does_not_differ_from_itself(p):
    assert assess(p, p) == ()
    assert assess(p, p, changes=SampleChanges()) == ()


@given(PROFILE, PROFILE, CHANGES)
def test_assess_is_total_deterministic_and_sorted_by_price(old, new, changes):
    found = assess(old, new, changes=changes)
    assert found == assess(old, new, changes=changes)
    assert [f.bump for f in found] == sorted((f.bump for f in found), reverse=True)
    assert all(f.text and RULES[f.rule].bump == f.bump for f in found)


@given(PROFILE, PROFILE, CHANGES)
def test_another_snapshot_costs_at_least_patch(old, new, changes):
    if old.snapshot.digest != new.snapshot.digest:
        assert max(f.bump for f in assess(old, new, changes=changes)) >= Bump.PATCH


@given(CHANGES.filter(bool))
def test_what_became_of_samples_survives_json(changes):
    assert SampleChanges.from_json(json.loads(json.dumps(changes.to_json()))) == changes


@given(PROFILE, PROFILE)
def test_no_finding_where_readers_of_the_profile_would_see_a_difference(old, new):
    if not assess(old, new):
        assert dict(old.features) == dict(new.features)
        assert {n: s.num_samples for n, s in old.splits.items()} == {
            n: s.num_samples for n, s in new.splits.items()
        }
        assert [sorted(m) for _, m in sorted(old.metrics.items()) if m] == [
            sorted(m) for _, m in sorted(new.metrics.items()) if m
        ]


@given(PROFILE, PROFILE, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(old, new, dice):
    assert assess(shuffled(old, dice), shuffled(new, dice)) == assess(old, new)


@given(PROFILE, PROFILE)
def test_there_and_back_again(old, new):
    """What one way is gone is new the other way; a column that was renamed is renamed back."""
    forth, back = ({f.rule for f in assess(*pair)} for pair in ((old, new), (new, old)))
    for what in ("column", "split", "metric"):
        assert (f"{what}-removed" in forth) == (f"{what}-added" in back)
    assert renames(old, new) == {(b, a) for a, b in renames(new, old)}


def renames(old: Profile, new: Profile) -> set[tuple[str, str]]:
    return {(name, called) for name, (called, _) in renamed(old, new).items()}


@given(PROFILE, PROFILE)
def test_no_column_comes_or_goes_untold(old, new):
    pairs = renamed(with_splits(old, renamed_splits(old, new, None)), new)
    told = [f for f in assess(old, new) if f.rule.startswith("column-r")]
    left = old.features.keys() - new.features.keys()
    assert sum(f.rule == "column-renamed" for f in told) == len(pairs)
    assert sum(f.rule == "column-removed" for f in told) == len(left) - len(pairs)


@given(PROFILE, NAME, st.data())
def test_another_name_is_the_only_difference(p, called, data):
    """Or, where the figures say little: one column is gone, and one is new."""
    if not p.features or known(p, called):
        return
    name = data.draw(st.sampled_from(sorted(p.features)))
    found = {f.rule for f in assess(p, with_names(p, {name: called}))}
    assert found in ({"column-renamed"}, {"column-removed", "column-added"}) or key_or_label(
        p, name
    )


def known(p: Profile, name: str) -> bool:
    return name in p.features or any(name in split.columns for split in p.splits.values())


def key_or_label(p: Profile, name: str) -> bool:
    return name in (p.key or ()) or name == p.label


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rules_does_not_matter(name, monkeypatch):
    expected = found(name)
    monkeypatch.setattr(all_rules, "RULES", dict(reversed(RULES.items())))
    assert found(name) == expected


@given(PROFILE, PROFILE, CHANGES, st.randoms(use_true_random=False))
def test_no_finding_is_lost_by_the_order_of_rules(old, new, changes, dice):
    expected = assess(old, new, changes=changes)
    mixed = list(RULES.items())
    dice.shuffle(mixed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_rules, "RULES", dict(mixed))
        assert assess(old, new, changes=changes) == expected


@given(PROFILE)
def test_a_profile_survives_its_file(p):
    again = Profile.from_json(p.to_json())
    assert repr(again) == repr(p)  # not ==, for NaN


def shuffled(p: Profile, dice: random.Random) -> Profile:
    def mixed(values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        keys = list(values)
        dice.shuffle(keys)
        return {key: mixed(values[key]) for key in keys}

    splits = {
        name: replace(
            split,
            class_distribution=mixed(split.class_distribution),
            columns=mixed(split.columns),
        )
        for name, split in p.splits.items()
    }
    return replace(
        p,
        dataset=mixed(p.dataset),
        features=mixed(p.features),
        splits=mixed(splits),
        metrics=mixed(p.metrics),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("int8", "int64"), ("uint8", "int16"), ("int16", "float32"), ("int32", "float64"),
        ("float16", "float32"), ("float32", "float64"), ("null", "bool"),
        ("uint32", "float64"), ("decimal128(9, 2)", "decimal128(12, 4)"),
    ],
)  # fmt: skip
def test_a_type_is_wider_when_every_value_fits_exactly(before, after):
    assert widens(before, after)
    assert not widens(after, before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("int64", "float64"), ("int32", "float32"), ("uint8", "int8"), ("int8", "uint16"),
        ("float64", "string"), ("string", "dictionary<values=string, indices=int32, ordered=0>"),
        ("decimal128(9, 2)", "decimal128(10, 4)"), ("timestamp[s]", "timestamp[ns]"),
    ],
)  # fmt: skip
def test_a_type_that_loses_values_is_not_wider(before, after):
    assert not widens(before, after)


def test_a_type_has_one_spelling():
    names = ["double", "float", "halffloat", "large_string", "int64"]
    assert [spelled(name) for name in names] == ["float64", "float32", "float16", "string", "int64"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.list_(pa.float64()), "list<float64>"),
        (pa.list_(pa.field("element", pa.large_string())), "list<string>"),
        (pa.large_list(pa.struct({"from": pa.string(), "double": pa.float32()})),
         "list<struct<from: string, double: float32>>"),
        (pa.list_view(pa.int8()), "list<int8>"),
        (pa.list_(pa.float32(), 3), "fixed_size_list<float32>[3]"),
        (pa.map_(pa.string(), pa.float64()), "map<string, float64>"),
        (pa.timestamp("us", tz="UTC"), "timestamp[us, tz=UTC]"),
        (pa.decimal128(9, 2), "decimal128(9, 2)"),
    ],
)  # fmt: skip
def test_inside_of_others_types_have_one_spelling_too(kind, name):
    assert spelled(str(kind)) == name
    assert spelled(name) == name


@pytest.mark.parametrize(
    ("licence", "asked"),
    [
        ("CC0-1.0", set()),
        ("cc by 4.0", {"attribution"}),
        (
            "CC-BY-NC-SA-3.0",
            {"attribution", "non-commercial", "share-alike under Creative Commons"},
        ),
        ("ODbL-1.0", {"attribution", "share-alike under ODbL"}),
    ],
)
def test_duties_of_licences_made_for_data(licence, asked):
    assert duties(licence) == asked


@pytest.mark.parametrize("licence", ["", "Apache-2.0", "CC", "ask the owner", "CC-BY-XX-4.0"])
def test_an_unknown_licence_is_not_guessed_at(licence):
    assert duties(licence) is None


def test_an_unknown_licence_is_taken_for_a_restriction():
    old, new = profile({}), profile({"dataset": {"licence": "in-house"}})
    assert [f.rule for f in assess(old, new)] == ["licence-restricted"]


def test_a_finding_is_one_line_whatever_a_column_is_called():
    old = profile({"schema": {"features": {"a\n\nDreg-Manifest: x": {"type": "string"}}}})
    assert [f.text for f in assess(old, profile({}))] == ["column `a Dreg-Manifest: x` is gone"]
