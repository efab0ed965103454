"""Tags that do not count are named, with the reason; nothing that looks like a release is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreg.core.odd_tags import odd_tags
from dreg.core.version import parse_tag

NOT_A_VERSION = "is not a version, as 1.2.0 is"


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("wine-v1.0", f"`1.0` {NOT_A_VERSION}"),
        ("x-v2-foo", f"`2-foo` {NOT_A_VERSION}"),
        ("wine-v1.02.0", f"`1.02.0` {NOT_A_VERSION}"),
        ("wine-v1.0.0-", f"`1.0.0-` {NOT_A_VERSION}"),
        ("wine-v1.0.0/x", f"`1.0.0/x` {NOT_A_VERSION}"),
        ("x-v1-v1.0.0", "`x-v1` ends like a version, so it cannot name a dataset"),
        ("Wine-v1.0.0", "`Wine` cannot name a dataset: lower case letters, digits and single `-`"),
        ("a/wine-v1.0.0", "`a/wine` cannot name a dataset: lower case letters, digits and single `-`"),
        ("wine-v1.0.0+fix", "`1.0.0+fix` has build metadata, and releases have none"),
        ("wine-V1.0.0", "releases are tags NAME-v1.2.0, with a small v"),
        ("yank/wine", "it names no release, as yank/NAME-v1.2.0 does"),
        ("yank/wine-v1.0", "it names no release, as yank/NAME-v1.2.0 does"),
        ("unyank/wine-v9.0.0", "there is no release `wine-v9.0.0`"),
    ],
)  # fmt: skip
def test_why_a_tag_does_not_count(tag, why):
    (odd,) = odd_tags({tag: True, "wine-v1.0.0": True})
    assert (odd.tag, odd.why) == (tag, why)


@pytest.mark.parametrize(
    "tag", ["wine-v1.0.0", "x-v2-foo-v1.0.0", "wine-v1.0.0-rc.1", "yank/wine-v2.0.0", "v1.0.0", "nightly"]
)  # fmt: skip
def test_releases_yanks_and_tags_of_other_kinds_are_not_odd(tag):
    assert odd_tags({tag: True, "wine-v2.0.0": True}) == ()


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("wine-vfoo", "foo"), ("wine-v", ""), ("wine-vv1.0.0", "v1.0.0"), ("wine-red-vfoo", "foo"),
        ("wine-red-vfoo-vbar", "foo-vbar"), ("wine-red", None), ("wine", None), ("beer-vfoo", None),
        ("wine-red-new", None), ("wine-vin-blanc", None),
    ],
)  # fmt: skip
def test_of_a_dataset_also_what_does_not_begin_like_a_version(tag, version):
    odd = odd_tags({tag: True}, ("wine", "wine-red", "wine-vin"))
    assert [one.why for one in odd] == ([] if version is None else [f"`{version}` {NOT_A_VERSION}"])


def test_a_lightweight_tag_is_no_release_and_nothing_yanks_it():
    odd = odd_tags({"wine-v1.0.0": False, "yank/wine-v1.0.0": True})
    assert [one.tag for one in odd] == ["wine-v1.0.0", "yank/wine-v1.0.0"]


@given(st.text(max_size=6), st.text("0123456789.-+v/", max_size=12))
def test_what_looks_like_a_release_is_one_or_is_odd(name, version):
    tag = f"{name}x-v1{version}"
    assert (parse_tag(tag) is None) == bool(odd_tags({tag: True}))


@pytest.mark.parametrize("repo", [(), ("--repo", "registry.git")])
def test_list_names_them_on_stderr_and_in_json(hand_made, repo):
    hand_made.release("1.0.0")
    for tag in ("wine-v1.1", "wine-vfoo", "beer-vfoo", "x-v2-foo"):
        hand_made.tag(tag, None)
    hand_made.git("tag", "wine-v2.0.0")
    hand_made.git("push", "-q", "origin", "--tags")
    where = hand_made.home if repo else hand_made.path
    done = hand_made.dreg("list", *repo, "--json", cwd=where)
    assert done.code == 0
    assert [odd["tag"] for odd in done.json["odd_tags"]] == [
        "wine-v1.1", "wine-v2.0.0", "wine-vfoo", "x-v2-foo",
    ]  # fmt: skip
    assert [(d["name"], d["version"], d["releases"]) for d in done.json["datasets"]] == [
        ("wine", "1.0.0", 1)
    ]
    assert done.stderr == (
        f"note: `wine-v1.1` does not count: `1.1` {NOT_A_VERSION}\n"
        "note: `wine-v2.0.0` does not count: it is a lightweight tag, and releases are annotated ones\n"
        f"note: `wine-vfoo` does not count: `foo` {NOT_A_VERSION}\n"
        f"note: `x-v2-foo` does not count: `2-foo` {NOT_A_VERSION}\n"
    )
    assert "note:" not in hand_made.dreg("list", *repo, cwd=where).stdout
