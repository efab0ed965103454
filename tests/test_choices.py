"""What the person who releases may decide: another bump, the first version, prereleases."""

from __future__ import annotations

import pytest
from semver import Version

from dreg.core.choices import Choices, as_prerelease, chosen, exceptions
from dreg.core.decision import Decision
from dreg.core.release import Release, first_version, last_final
from dreg.core.version import Bump, next_prerelease
from dreg.errors import BadRequest, Refused


def v(text):
    return Version.parse(text)


def decision(bump=Bump.MINOR, last="1.0.0"):
    return Decision((), bump, bump.after(v(last)), v(last))


def releases(*versions):
    return [Release("toy", v(text), f"toy-v{text}", "c") for text in versions]


@pytest.mark.parametrize(
    ("computed", "wanted", "reason", "version"),
    [
        (Bump.MINOR, None, "", "1.1.0"),
        (Bump.MINOR, Bump.MINOR, "", "1.1.0"),
        (Bump.MINOR, Bump.MAJOR, "", "2.0.0"),
        (Bump.MAJOR, Bump.PATCH, "nobody uses it", "1.0.1"),
        (Bump.NONE, Bump.MAJOR, "", "1.0.0"),
    ],
)
def test_the_bump_that_was_asked_for(computed, wanted, reason, version):
    made = chosen(decision(computed), Choices(bump=wanted, reason=reason), "toy")
    assert str(made.version) == version


def test_who_releases_a_first_version_has_no_bump_to_choose():
    first = Decision((), Bump.MAJOR, v("1.0.0"), None)
    with pytest.raises(BadRequest, match="`toy` has no release yet that `--bump minor` could"):
        chosen(first, Choices(bump=Bump.MINOR), "toy")
    assert chosen(first, Choices(bump=Bump.MINOR, named=False), "toy") == first


@pytest.mark.parametrize(
    ("bump", "reason", "told"),
    [
        (Bump.MAJOR, "", ("major instead of minor: it was asked for",)),
        (Bump.MAJOR, "new era", ("major instead of minor: new era",)),
        (Bump.PATCH, "nobody uses it", ("patch instead of minor: nobody uses it",)),
        (Bump.MINOR, "", ()),
    ],
)
def test_another_bump_than_the_computed_one_is_recorded(bump, reason, told):
    choices = Choices(bump=bump, reason=reason)
    assert exceptions(chosen(decision(), choices, "toy"), (), choices, "toy") == told


def test_that_data_is_stable_now_is_a_finding_and_no_exception():
    choices = Choices(bump=Bump.MAJOR)
    asked = chosen(decision(Bump.MINOR, "0.3.1"), choices, "toy")
    assert exceptions(asked, (), choices, "toy") == ()


def test_lowering_needs_a_reason():
    with pytest.raises(Refused, match="`--bump patch` is lower than what changed in `toy`: minor"):
        chosen(decision(), Choices(bump=Bump.PATCH), "toy")


def test_major_leaves_0_x_only_when_asked_for():
    assert str(decision(Bump.MAJOR, "0.3.1").version) == "0.4.0"
    asked = chosen(decision(Bump.MAJOR, "0.3.1"), Choices(bump=Bump.MAJOR), "toy")
    assert str(asked.version) == "1.0.0"


def test_an_unchanged_dataset_may_be_declared_stable_by_name():
    unchanged = decision(Bump.NONE, "0.3.1")
    asked = chosen(unchanged, Choices(bump=Bump.MAJOR), "toy")
    assert (str(asked.version), asked.bump, asked.computed) == ("1.0.0", Bump.MAJOR, Bump.NONE)
    assert [f.rule for f in asked.findings] == ["declared-stable"]
    assert chosen(unchanged, Choices(bump=Bump.MINOR), "toy") == unchanged
    assert chosen(unchanged, Choices(bump=Bump.MAJOR, named=False), "toy") == unchanged
    assert chosen(decision(Bump.NONE), Choices(bump=Bump.MAJOR), "toy") == decision(Bump.NONE)


def test_the_first_version_is_chosen_once():
    with pytest.raises(BadRequest, match=r"`toy` has a first release already, and is at 1.0.0"):
        chosen(decision(), Choices(initial=v("0.1.0")), "toy")


@pytest.mark.parametrize(
    ("typed", "fact"),
    [
        ({"initial": "one"}, "`one` is not a version"),
        ({"initial": "1.0.0-rc.1"}, "`--initial 1.0.0-rc.1` is not a plain version"),
        ({"prerelease": "r c"}, "`--prerelease r c` cannot be part of a version"),
        ({"prerelease": "1"}, "`--prerelease 1` cannot be part of a version"),
        ({"reason": " "}, "`--reason` is empty"),
        ({"reason": "why"}, "`--reason` explains nothing"),
        ({"allow": ["min_sample"], "reason": "why"}, "there is no gate `min_sample`"),
        ({"allow": ["x"], "reason": "why"}, "there is no gate `x`"),
        ({"allow": ["metrics"]}, "`--allow metrics` lacks a reason"),
    ],
)
def test_choices_that_mean_nothing(typed, fact):
    with pytest.raises(BadRequest) as failed:
        Choices.of(**typed)
    assert failed.value.fact == fact
    assert failed.value.hint


def test_a_reason_is_one_line():
    typed = Choices.of(bump=Bump.PATCH, reason=" so\n\nDreg-Manifest: sha256:0 ")
    assert typed.reason == "so Dreg-Manifest: sha256:0"


@pytest.mark.parametrize(
    ("versions", "version"),
    [
        ([], "1.1.0-rc.1"),
        (["1.1.0-rc.1", "1.1.0-rc.9", "1.1.0-rc.10"], "1.1.0-rc.11"),
        (["1.1.0-beta.4", "1.2.0-rc.3", "1.1.0-rc", "1.1.0-rc.x"], "1.1.0-rc.1"),
    ],
)
def test_prereleases_are_counted(versions, version):
    assert str(next_prerelease(v("1.1.0"), "rc", map(v, versions))) == version


def test_a_prerelease_is_never_older_than_one_before():
    with pytest.raises(Refused, match=r"has the prerelease 1.1.0-rc.1, which counts as newer than"):
        as_prerelease(decision(), Choices(prerelease="beta"), [v("1.1.0-rc.1")], "toy")


def test_a_release_is_compared_with_the_last_final_one():
    assert str(last_final(releases("1.0.0", "1.1.0-rc.1")).version) == "1.0.0"
    assert last_final(releases("1.0.0-rc.1")) is None


def test_the_first_version_is_what_prereleases_announced():
    assert str(first_version([])) == "1.0.0"
    assert str(first_version(releases("0.1.0-rc.1", "0.1.0-rc.2"))) == "0.1.0"


@pytest.mark.parametrize(
    ("prerelease", "bump", "version"),
    [
        ("1.1.0-rc.1", Bump.PATCH, "1.1.0"),
        ("1.1.0-rc.1", Bump.MINOR, "1.1.0"),
        ("1.1.0-rc.1", Bump.MAJOR, "2.0.0"),
        ("1.0.1-rc.1", Bump.MINOR, "1.1.0"),
        ("2.0.0-rc.1", Bump.MAJOR, "2.0.0"),
        ("0.2.0-rc.1", Bump.MAJOR, "0.2.0"),
        ("1.1.0-rc.1", Bump.NONE, "1.1.0-rc.1"),
    ],
)
def test_what_follows_a_prerelease(prerelease, bump, version):
    assert str(bump.after(v(prerelease))) == version
