"""From findings to the next version."""

from __future__ import annotations

from dataclasses import replace

from semver import Version

from dreg.core.decision import decide
from dreg.core.profile import Feature, Profile, Published, Split
from dreg.core.version import Bump

OLD = Profile(
    dataset={"name": "wine-quality"},
    features={"alcohol": Feature("double"), "pH": Feature("double")},
    splits={"train": Split(100)},
    metrics={},
    snapshot=Published(1, 1000, "aaaa"),
)
NARROWER = replace(OLD, features={"alcohol": Feature("double")}, snapshot=Published(1, 900, "bbbb"))


def test_the_first_release_is_1_0_0_for_no_further_reason():
    decision = decide(None, OLD, None)
    assert (str(decision.version), decision.bump, decision.findings) == ("1.0.0", Bump.MAJOR, ())
    assert decision.reason == "first release"


def test_the_first_release_may_be_another():
    assert str(decide(None, OLD, None, Version(0, 1, 0)).version) == "0.1.0"


def test_the_same_profile_is_the_same_version():
    decision = decide(OLD, OLD, Version(1, 2, 3))
    assert (str(decision.version), decision.bump) == ("1.2.3", Bump.NONE)
    assert decision.reason == "nothing changed"


def test_the_dearest_finding_decides():
    decision = decide(OLD, NARROWER, Version(1, 2, 3))
    assert [str(f.bump) for f in decision.findings] == ["major", "patch"]
    assert str(decision.version) == "2.0.0"


def test_before_1_0_0_a_major_bump_counts_as_minor():
    decision = decide(OLD, NARROWER, Version(0, 2, 3))
    assert (str(decision.version), decision.bump) == ("0.3.0", Bump.MAJOR)
    assert decision.reason == "major, which before 1.0.0 raises the minor number"


def test_a_release_without_a_profile_may_differ_in_anything():
    decision = decide(None, OLD, Version(1, 2, 3))
    assert str(decision.version) == "2.0.0"
    assert "no profile" in decision.findings[0].text


def test_the_explanation_names_price_rule_and_who_is_hurt():
    assert list(decide(OLD, NARROWER, Version(1, 2, 3)).lines())[:2] == [
        "major  column-removed: Training code that reads the column stops working.",
        "  - column `pH` is gone",
    ]
