"""Versions, tags and ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from dreg.core.release import Release, newest
from dreg.core.version import (
    ENDS_LIKE_A_VERSION,
    Bump,
    Range,
    check_name,
    parse_request,
    parse_tag,
    parse_version,
    tag_of,
)
from dreg.errors import BadRequest

numbers = st.integers(0, 40)
versions = st.builds(Version, numbers, numbers, numbers)
names = st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,5}){0,3}", fullmatch=True).filter(
    lambda name: not ENDS_LIKE_A_VERSION.search(name)
)


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ("^1.2", "1.2.0 1.9.9", "1.1.9 2.0.0 2.0.0-rc.1 1.3.0-rc.1"),
        ("^0.2", "0.2.0 0.2.9", "0.3.0 1.0.0"),
        ("^0.0.3", "0.0.3", "0.0.4 0.0.2"),
        ("^0", "0.0.1 0.9.0", "1.0.0"),
        ("~1.2", "1.2.0 1.2.7", "1.3.0 1.1.9"),
        ("~1", "1.0.0 1.9.0", "2.0.0"),
        ("1.x", "1.0.0 1.9.0", "2.0.0 0.9.0"),
        ("1.2.*", "1.2.3", "1.3.0"),
        (">=1.0,<2", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        (">=1.0 <1.5", "1.4.9", "1.5.0"),
        (">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9"),
        ("<=1.2", "1.2.9 0.1.0", "1.3.0"),
        ("1.2.0", "1.2.0", "1.2.1"),
        ("=1.2.0", "1.2.0", "1.2.1"),
        ("==1.2.0", "1.2.0", "1.2.1"),
        ("v1.2.0", "1.2.0", "1.2.1"),
        ("latest", "0.0.1 7.0.0", "7.0.0-rc.1"),
        ("1.0.0-rc.1", "1.0.0-rc.1", "1.0.0 1.0.0-rc.2"),
        ("^1.0.0-rc.1", "1.0.0-rc.2 1.0.0 1.4.0", "2.0.0 2.0.0-rc.1 1.0.0-beta"),
    ],
)
def test_a_range_has_these_versions_and_not_those(wanted, inside, outside):
    found = Range.parse(wanted)
    assert [v for v in inside.split() if Version.parse(v) not in found] == []
    assert [v for v in outside.split() if Version.parse(v) in found] == []


@pytest.mark.parametrize("text", ["^", "one", "1.2.3.4", "^1,", ">=", "1.0 - 2.0", "../1", "^^1"])
def test_nonsense_is_not_a_range(text):
    with pytest.raises(BadRequest, match="is not a version range") as error:
        Range.parse(text)
    assert "^1.0" in error.value.hint


@given(versions)
def test_caret_keeps_the_leftmost_number_that_is_not_zero(version):
    found = Range.parse(f"^{version}")
    assert version in found
    assert version.bump_major() not in found
    assert (version.bump_minor() in found) == (version.major > 0)
    assert (version.bump_patch() in found) == (version.major > 0 or version.minor > 0)


@given(st.lists(versions), versions)
def test_newest_is_the_highest_in_the_range(listed, low):
    found = Range.parse(f">={low}")
    assert found.newest(listed) == max((v for v in listed if v >= low), default=None)


@given(names, versions)
def test_a_tag_gives_back_name_and_version(name, version):
    assert parse_tag(tag_of(name, version)) == (name, version)


def test_a_name_with_a_version_inside_is_not_cut_there():
    assert parse_tag("x-v2-foo-v1.0.0") == ("x-v2-foo", Version(1, 0, 0))


@pytest.mark.parametrize("tag", ["v1.0.0", "x-v1", "X-v1.0.0", "x-1.0.0", "-v1.0.0", "x--y-v1.0.0"])
def test_other_tags_are_not_releases(tag):
    assert parse_tag(tag) is None


@pytest.mark.parametrize(
    ("version", "bump", "after"),
    [
        ("1.2.3", Bump.PATCH, "1.2.4"),
        ("1.2.3", Bump.MINOR, "1.3.0"),
        ("1.2.3", Bump.MAJOR, "2.0.0"),
        ("0.2.3", Bump.MAJOR, "0.3.0"),
        ("0.2.3", Bump.PATCH, "0.2.4"),
        ("1.2.3", Bump.NONE, "1.2.3"),
    ],
)
def test_the_version_after_a_bump(version, bump, after):
    assert str(bump.after(Version.parse(version))) == after


@pytest.mark.parametrize("name", ["my-dataset", "a", "x-v2-foo", "4-wines"])
def test_names_a_dataset_may_have(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["My-Data", "a_b", "", "-a", "a-", "a--b", "a/b", "../a", "x-v1", "ümlaut", "a b", "a\n"],
)
def test_names_a_dataset_may_not_have(name):
    with pytest.raises(BadRequest) as error:
        check_name(name)
    assert error.value.hint


def test_a_request_is_a_name_and_a_range():
    assert parse_request("wine-quality@^1.0") == ("wine-quality", Range.parse("^1.0"))
    assert parse_request("wine-quality")[1].newest([Version(1, 0, 0), Version(2, 0, 0)]) == Version(
        2, 0, 0
    )


def test_a_version_that_is_none_is_a_bad_request():
    assert parse_version("v1.2.3") == Version(1, 2, 3)
    with pytest.raises(BadRequest, match=r"`1\.2` is not a version"):
        parse_version("1.2")


def test_the_newest_release_is_no_prerelease_if_there_is_another():
    releases = [Release.of(f"x-v{version}", "c" * 40) for version in ("1.0.0", "2.0.0-rc.1")]
    assert newest(releases) == releases[0]
    assert newest(releases[1:]) == releases[1]
    assert newest([]) is None
