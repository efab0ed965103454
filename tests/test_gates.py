"""Gates: what is read, what each lets pass, and how what it doesn't is told."""

from __future__ import annotations

import copy
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dreg.core.choices import Choices, exceptions
from dreg.core.contract import Contract
from dreg.core.decision import Decision
from dreg.core.evidence import Evidence, Sample
from dreg.core.gates import DRIFTS, Bound, Gates, Shared, breaches
from dreg.core.profile import Profile
from dreg.core.version import FIRST, Bump
from dreg.errors import BadRequest, Refused
from tests.test_contract import PROFILE, TEXT
from tests.test_rules import PROFILE as ANY_PROFILE


def gates(text, contract=TEXT):
    return Contract.parse(yaml.safe_load(f"{contract}\ngates: {text}\n")).gates


def changed(**splits):
    """The profile with changes of its splits, merged."""
    data = copy.deepcopy(PROFILE)
    data["schema"]["features"]["pH"]["nullable"] = True
    for name, change in splits.items():
        data["splits"][name] |= change
    return Profile.from_json(data)


def broken(text, profile=None, before=None):
    return [str(b) for b in breaches(gates(text), ("red", "white"), profile or changed(), before)]


def test_no_gates_let_everything_pass():
    assert gates("") == Gates()
    assert broken("{}") == []


def test_a_bound_may_be_for_all_or_by_name():
    assert gates("{min_samples: 5, max_nulls: 0.1}") == Gates(
        min_samples={"train": 5, "val": 5},
        max_nulls=dict.fromkeys(["pH", "quality", "picture", "colour"], 0.1),
    )
    read = gates("{min_samples: {val: 5}, metrics: {val: {f1: {min: 0.5}, loss: {max: 2}}}}")
    assert read == Gates(
        min_samples={"val": 5},
        metrics={"val": {"f1": Bound(min=0.5), "loss": Bound(max=2)}},
    )
    assert read.count == 3


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[a]", "`gates` is not a mapping"),
        ("{min_sample: 1}", "`gates` has the unknown key `min_sample`"),
        ("{min_samples: many}", "`min_samples` of `train` is 'many', not a count"),
        ("{min_samples: -1}", "`min_samples` of `train` is -1, not a count"),
        ("{min_samples: {trian: 1}}", "`min_samples` names the unknown split `trian`"),
        ("{max_nulls: {ph: 1}}", "`max_nulls` names the unknown column `ph`"),
        ("{max_nulls: 1.5}", "`max_nulls` of `pH` is 1.5, neither a count nor a share"),
        ("{max_nulls: -1}", "`max_nulls` of `pH` is -1, not a number that is at least 0"),
        ("{metrics: {dev: {}}}", "`metrics` names the unknown split `dev`"),
        ("{metrics: {val: 1}}", "`metrics` of `val` is not a mapping"),
        ("{metrics: {val: {f1: 1}}}", "the bound of `f1` is not a mapping"),
        ("{metrics: {val: {f1: {least: 1}}}}", "the bound of `f1` has the unknown key `least`"),
        ("{metrics: {val: {f1: {}}}}", "the bound of `f1` bounds nothing"),
        ("{metrics: {val: {f1: {min: 2, max: 1}}}}", "the bound of `f1` bounds nothing"),
        ("{metrics: {val: {f1: {min: low}}}}", "`min` of `f1` is 'low', not a number"),
        ("{max_drift: 1}", "`max_drift` is not a mapping"),
        ("{max_drift: {median: 1}}", "`max_drift` names the unknown drift `median`"),
        ("{max_leakage: none}", "`max_leakage` is 'none', not a count"),
        ("{max_near_duplicates: {ph: 1}}", "names the unknown column `ph`"),
        ("{max_drift: {std: 0.5}}", "`max_drift` of `std` is 0.5, not a number that is at least 1"),
    ],
)
def test_a_mistake_is_named_with_a_hint(text, fact):
    with pytest.raises(BadRequest) as failed:
        gates(text)
    assert fact in failed.value.fact
    assert failed.value.hint


def test_classes_are_counted_by_the_label():
    with pytest.raises(BadRequest, match="there is no `label`"):
        gates("{min_samples_per_class: 1}", TEXT.replace("label: colour", ""))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{min_samples: 200}", []),
        ("{min_samples: 201}", ["min_samples: split `val` has 200 samples, at least 201 are asked for"]),
        ("{min_samples_per_class: {train: 400}}", []),
        (
            "{min_samples_per_class: 1}",
            ["min_samples_per_class: split `val` has 0 samples of `white`, at least 1 is asked for"],
        ),
        ("{max_nulls: {pH: 5}}", []),
        ("{max_nulls: {pH: 4}}", ["max_nulls: column `pH` has 5 nulls in split `train`, at most 4 may be"]),
        ("{max_nulls: {pH: 0.005}}", []),
        (
            "{max_nulls: {pH: 0.004}}",
            ["max_nulls: column `pH` has 0.5% nulls in split `train`, at most 0.4% may be"],
        ),
        ("{max_nulls: {quality: 0}}", []),
    ],
)  # fmt: skip
def test_counts_are_held_against_their_bounds(text, told):
    profile = changed(
        train={"columns": {"pH": {"nulls": 5}}}, val={"columns": {"pH": {"nulls": 0}}}
    )
    assert broken(text, profile) == told


def test_a_class_that_no_sample_has_is_counted_too():
    profile = changed(val={"class_distribution": {"red": 200}})
    said = "min_samples_per_class: split `val` has 0 samples of `white`, at least 1 is asked for"
    assert broken("{min_samples_per_class: {val: 1}}", profile) == [said]


@pytest.mark.parametrize("percent", range(1, 100))
def test_a_share_of_nulls_that_is_just_met_is_kept(percent):
    profile = changed(
        train={"num_samples": 100, "columns": {"pH": {"nulls": percent}}},
        val={"columns": {"pH": {"nulls": 0}}},
    )
    assert broken(f"{{max_nulls: {{pH: 0.{percent:02}}}}}", profile) == []


def test_a_share_of_nulls_that_is_hardly_exceeded_is_told_from_its_bound():
    profile = changed(
        train={"num_samples": 100_000, "columns": {"pH": {"nulls": 29_004}}},
        val={"columns": {"pH": {"nulls": 0}}},
    )
    assert broken("{max_nulls: {pH: 0.29}}", profile) == [
        "max_nulls: column `pH` has 29.004% nulls in split `train`, at most 29% may be"
    ]


def test_what_was_not_measured_does_not_pass():
    assert broken("{max_nulls: {pH: 4}, metrics: {val: {f1: {min: 0}}}}") == [
        "max_nulls: column `pH` has no count of nulls in split `val`, and a bound on them",
        "metrics: figure `f1` of split `val` is not measured, and has a bound",
    ]


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        (0.5, []),
        (0.9, []),
        (0.4, ["is 0.4, at least 0.5 is asked for"]),
        (1, ["is 1, at most 0.9 may be"]),
        (math.nan, ["is nan, at least 0.5 is asked for", "is nan, at most 0.9 may be"]),
    ],
)
def test_metrics_are_held_against_their_bounds(figure, told):
    profile = Profile.from_json({**PROFILE, "metrics": {"val": {"f1": figure}}})
    text = "{metrics: {val: {f1: {min: 0.5, max: 0.9}}}}"
    assert broken(text, profile) == [f"metrics: figure `f1` of split `val` {end}" for end in told]


def drifted(mean=3.0, std=0.5, red=600):
    return changed(
        train={
            "columns": {"pH": {"nulls": 0, "mean": mean, "std": std}},
            "class_distribution": {"red": red, "white": 1000 - red},
        }
    )


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (drifted(), []),
        (drifted(3.25, 1.0, 650), []),
        (drifted(2.5), ["column `pH` of split `train` has its mean 1 old deviations away"]),
        (drifted(std=0.2), ["column `pH` of split `train` has a deviation that is 2.5 times as wide or narrow"]),
        (drifted(std=0.0), ["column `pH` of split `train` has a deviation that is inf times as wide or narrow"]),
        (drifted(red=800), ["split `train` has a PSI of its classes of 0.195679"]),
        (drifted(math.nan), ["column `pH` of split `train` has its mean nan old deviations away"]),
    ],
)  # fmt: skip
def test_drift_is_held_against_the_last_release(now, told):
    text = "{max_drift: {mean: 0.5, std: 2, classes: 0.1}}"
    found = broken(text, now, drifted())
    assert [line.partition(" since the last release")[0] for line in found] == [
        f"max_drift: {line}" for line in told
    ]
    assert broken(text, now) == []


HISTOGRAM = "0.5..0.75:500 1..2:500"


def spread(histogram, red=600):
    return changed(
        train={
            "columns": {"pH": {"nulls": 0, "histogram": histogram}},
            "class_distribution": {"red": red, "white": 1000 - red},
        }
    )


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (spread(HISTOGRAM), []),
        (spread("0.5..0.75:510 1..2:490"), []),
        (spread("0.5..0.75:100 1..2:900"), ["column `pH` of split `train` has a PSI of 0.87"]),
        (spread(HISTOGRAM, red=200), ["split `train` has a PSI of 0.71"]),
    ],
)
def test_the_stability_index_is_of_columns_and_classes(now, told):
    found = broken("{max_drift: {psi: 0.25}}", now, spread(HISTOGRAM))
    assert [
        line.removeprefix("max_drift: ")[: len(text)]
        for line, text in zip(found, told, strict=True)
    ] == told


def test_classes_have_a_bound_of_their_own():
    found = broken(
        "{max_drift: {psi: 0.25, classes: 9}}", spread(HISTOGRAM, 200), spread(HISTOGRAM)
    )
    assert found == []


def test_few_samples_differ_by_chance():
    def few(*counts):
        text = " ".join(f"{i}:{n}" for i, n in enumerate(counts, start=1) if n)
        return changed(train={"num_samples": 5, "columns": {"pH": {"nulls": 0, "histogram": text}}})

    assert broken("{max_drift: {psi: 0.01}}", few(1, 2, 2), few(2, 2, 1)) == []


ONE = Sample("train", "processed/train.parquet", 17, "wine-17", like="split `val`")


def test_what_is_in_two_splits_is_held_against_its_bound():
    shared = Shared(Evidence(3, (ONE,)), {"quality": Evidence(2)})

    def found(text):
        return breaches(gates(text), (), changed(), None, shared)

    assert found("{max_leakage: 3, max_near_duplicates: {quality: 2, pH: 0}}") == ()
    near, leak = found("{max_leakage: 2, max_near_duplicates: {quality: 1}}")[::-1]
    assert list(leak.lines()) == [
        "max_leakage: samples are in more than one split: 3, at most 2 may be",
        "  processed/train.parquet row 17 (key wine-17), as split `val`",
        "  and 2 more",
    ]
    assert str(near) == (
        "max_near_duplicates: column `quality` has 2 values in more than one split but for case and "
        "punctuation, at most 1 may be"
    )


def test_a_constant_column_that_stays_has_not_drifted():
    assert broken("{max_drift: {mean: 0, std: 1}}", drifted(std=0.0), drifted(std=0.0)) == []


def test_what_is_allowed_is_an_exception_with_its_reason():
    found = breaches(gates("{min_samples: 5000}"), (), changed())
    decision = Decision((), Bump.MINOR, FIRST, FIRST, computed=Bump.MAJOR)
    with pytest.raises(Refused) as failed:
        exceptions(decision, found, Choices(allow=("metrics",), reason="why"), "toy")
    assert len(failed.value.details) == 2
    choices = Choices(bump=Bump.MINOR, allow=("min_samples",), reason="why")
    assert exceptions(decision, found, choices, "toy") == (
        "min_samples: split `train` has 1,000 samples, at least 5,000 are asked for (allowed: why)",
        "min_samples: split `val` has 200 samples, at least 5,000 are asked for (allowed: why)",
        "minor instead of major: why",
    )


NAMES = st.sampled_from(["train", "val", "a", "b"])
ANY_GATES = st.builds(
    Gates,
    min_samples=st.dictionaries(NAMES, st.integers(0, 10)),
    min_samples_per_class=st.dictionaries(NAMES, st.integers(0, 10)),
    max_nulls=st.dictionaries(NAMES, st.integers(0, 10) | st.floats(0, 0.99)),
    metrics=st.dictionaries(
        NAMES, st.dictionaries(NAMES, st.builds(Bound, st.floats(-9, 9), st.floats(-9, 9)))
    ),
    max_drift=st.dictionaries(st.sampled_from(DRIFTS), st.floats(1, 9)),
)


@given(ANY_GATES, ANY_PROFILE, ANY_PROFILE | st.none())
def test_gates_answer_whatever_was_measured(bounds, now, before):
    assert breaches(bounds, ("a",), now, before) == breaches(bounds, ("a",), now, before)
