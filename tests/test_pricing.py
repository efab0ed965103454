"""Overrides and thresholds: what a contract changes about the rules, and from when on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreg.core.contract import Contract
from dreg.core.decision import decide, explained
from dreg.core.rules import RULES, Override, Pricing, assess
from dreg.core.version import FIRST, Bump
from dreg.errors import BadRequest
from tests.test_rules import NAMES, PROFILE, case, profile

CONTRACT = {
    "title": "T",
    "description": "D",
    "licence": "MIT",
    "splits": {"train": {"files": ["a"]}},
    "columns": {"pH": "float64"},
}


def read(**changes):
    return Contract.parse(CONTRACT | changes).pricing


def override(rule="column-removed", price="minor", reason="nobody reads it"):
    return {"rule": rule, "price": price, "reason": reason}


def test_a_contract_without_changes_nothing():
    assert read() == Pricing() == read(overrides=None, thresholds=None)


def test_overrides_and_thresholds_are_read():
    assert read(
        overrides=[override(), override("metric-added", "none", "figures\nare notes")],
        thresholds={"samples-added": {"share": 1}, "column-drifted": {"shift": 0.5}},
    ) == Pricing(
        {
            "column-removed": Override(Bump.MINOR, "nobody reads it"),
            "metric-added": Override(Bump.NONE, "figures are notes"),
        },
        {"samples-added": {"share": 1}, "column-drifted": {"shift": 0.5}},
    )


@pytest.mark.parametrize(
    ("changes", "fact", "hint"),
    [
        ({"overrides": {}}, "`overrides` is not a list", "- {rule: "),
        ({"overrides": ["a"]}, "an entry of `overrides` is not a mapping", "key: value"),
        ({"overrides": [override("column-remvoed")]}, "names the unknown rule `column-remvoed`", "did you mean `column-removed`?"),
        ({"overrides": [override(price="tiny")]}, "names the unknown price `tiny`", "there are: none, patch, minor, major"),
        ({"overrides": [override(reason="")]}, "lacks `reason`", "add `reason:`"),
        ({"overrides": [override(reason=["a"])]}, "`reason` of the override of `column-removed` is not text", "write"),
        ({"overrides": [override() | {"why": "x"}]}, "has the unknown key `why`", "known keys: rule, price, reason"),
        ({"overrides": [override(), override()]}, "`overrides` has `column-removed` twice", "keep one"),
        ({"overrides": [override("content-changed", "none")]}, "the override of `content-changed` makes it free", "patch is the least"),
        ({"thresholds": ["a"]}, "`thresholds` is not a mapping", "value"),
        ({"thresholds": {"samples-aded": {}}}, "names the unknown rule `samples-aded`", "did you mean `samples-added`?"),
        ({"thresholds": {"samples-added": {"part": 1}}}, "names the unknown threshold `part`", "there are: share"),
        ({"thresholds": {"samples-added": 0.5}}, "`thresholds` of `samples-added` is not a mapping", "value"),
        ({"thresholds": {"samples-added": {"share": -1}}}, "`share` of `samples-added` is -1, not a number that is at least 0", "0.1"),
        ({"thresholds": {"samples-added": {"share": float("nan")}}}, "is nan, not a number", "0.1"),
        ({"thresholds": {"samples-added": {"share": True}}}, "is True, not a number", "0.1"),
        ({"thresholds": {"samples-corrected": {"added": 1}}}, "the `added` of `samples-corrected` is that of another rule", "samples-added: {share: 1}"),
        ({"thresholds": {"column-removed": {"share": 1}}}, "`column-removed` has no thresholds of its own", "dreg rules column-removed"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_a_hint(changes, fact, hint):
    with pytest.raises(BadRequest) as failed:
        read(**changes)
    assert fact in failed.value.fact
    assert hint in failed.value.hint


def test_an_override_is_told_with_the_finding():
    pricing = read(overrides=[override()])
    found = assess(*case("column-removed"), pricing)
    (finding,) = [f for f in found if f.rule == "column-removed"]
    assert (finding.bump, finding.instead_of) == (Bump.MINOR, Bump.MAJOR)
    assert finding.told.endswith(
        " is gone (column-removed, minor instead of major: nobody reads it)"
    )
    assert (
        "minor  column-removed (instead of major: nobody reads it): "
        "Training code that reads the column stops working."
    ) in list(explained(found))
    decision = decide(*case("column-removed"), FIRST, pricing=pricing)
    assert str(decision.version) == "1.1.0"


def test_the_usual_price_is_no_override():
    pricing = read(overrides=[override(price="major")])
    assert assess(*case("column-removed"), pricing) == assess(*case("column-removed"))


@pytest.mark.parametrize(("share", "rule"), [(0.1, "samples-added"), (0.5, "samples-corrected")])
def test_what_a_threshold_tolerates_another_rule_tells(share, rule):
    pricing = read(thresholds={"samples-added": {"share": share}})
    old, new = profile({}), profile({"splits": {"train": {"num_samples": 1300}}})
    assert rule in {f.rule for f in assess(old, new, pricing)}


PRICING = st.builds(
    Pricing,
    overrides=st.dictionaries(
        st.sampled_from(sorted(RULES)),
        st.builds(Override, price=st.sampled_from(list(Bump)), reason=st.just("why")),
    ),
    thresholds=st.fixed_dictionaries(
        {},
        optional={
            rule.id: st.fixed_dictionaries(
                {}, optional={name: st.floats(0, 1e9) for name in rule.thresholds}
            )
            for rule in RULES.values()
            if rule.thresholds and not rule.shares
        },
    ),
)


@given(PROFILE, PROFILE, PRICING)
def test_no_difference_is_lost_whatever_is_tolerated(old, new, pricing):
    assert assess(old, old, pricing) == ()
    assert bool(assess(old, new, pricing)) == bool(assess(old, new))


@given(st.sampled_from(NAMES), PRICING)
def test_no_case_is_lost_whatever_is_tolerated(name, pricing):
    assert assess(*case(name), pricing)


@given(PROFILE, PROFILE, PRICING)
def test_other_bytes_cost_at_least_a_patch_whatever_the_prices(old, new, pricing):
    free = pricing.overrides.get("content-changed")
    if old.snapshot != new.snapshot and not (free and free.price is Bump.NONE):
        assert decide(old, new, FIRST, pricing=pricing).bump >= Bump.PATCH
