"""A lightweight tag beside releases that dreg made counts nowhere: who made it could also move it."""

from __future__ import annotations

import pytest

from tests.small_registry import NAME, SmallRegistry

LIGHT = f"{NAME}-v99.0.0"


@pytest.fixture
def tagged(released_once: SmallRegistry) -> SmallRegistry:
    """Released as 1.0.0; then somebody pushed a lightweight tag."""
    light(released_once, LIGHT)
    return released_once


def light(registry: SmallRegistry, tag: str) -> None:
    registry.git("tag", tag)
    registry.git("push", "-q", "origin", tag)


def fetch(registry: SmallRegistry, request: str):
    folder = registry.home / "train"
    folder.mkdir(exist_ok=True)
    return registry.dreg("fetch", request, "--repo", str(registry.remote), "--json", folder=folder)


def test_the_next_version_is_above_the_last_release(tagged):
    assert tagged.ok("release", NAME).stdout.startswith("toy 1.0.0: nothing to release")
    tagged.drop_column("leaf_mm")
    assert tagged.release()["version"] == "2.0.0"


def test_there_is_nothing_to_yank_or_export(tagged):
    done = tagged.dreg("yank", f"{NAME}@99.0.0", "--reason", "x")
    assert done.code == 2 and f"`{NAME}` has no release 99.0.0" in done.stderr
    done = tagged.dreg("export", f"{NAME}@^99")
    assert done.code == 2 and f"`{LIGHT}` does not count" in done.stderr
    assert "is a lightweight tag" in tagged.dreg("export", f"{NAME}@99.0.0").stderr


@pytest.mark.parametrize("request_", [NAME, f"{NAME}@latest", f"{NAME}@>=1"])
def test_no_range_resolves_to_it(tagged, request_):
    (fetched,) = fetch(tagged, request_).json["datasets"]
    assert fetched["version"] == "1.0.0"


def test_a_range_with_nothing_else_says_why(tagged):
    done = fetch(tagged, f"{NAME}@^99")
    assert done.code == 2
    assert f"no release of `{NAME}` is in `^99`" in done.stderr
    assert f"`{LIGHT}` does not count: it is a lightweight tag" in done.stderr


def test_who_asks_for_just_that_gets_it_as_a_tag_without_a_manifest(tagged):
    (fetched,) = fetch(tagged, LIGHT).json["datasets"]
    assert (fetched["version"], fetched["manifest"]) == ("99.0.0", None)


def test_nothing_is_outdated_by_it(tagged):
    fetch(tagged, f"{NAME}@^1")
    done = tagged.ok("outdated", "--json", folder=tagged.home / "train").json
    assert [(d["update"], d["latest"]) for d in done["datasets"]] == [(None, None)]


def test_what_is_checked_out_is_no_release_by_it(tagged):
    tagged.git("commit", "-q", "--allow-empty", "-m", "later")
    tagged.git("push", "-q", "origin", "main")
    light(tagged, f"{NAME}-v98.0.0")
    (fetched,) = fetch(tagged, f"{NAME}@main").json["datasets"]
    assert fetched["version"].startswith("0.0.0+g")


def test_doctor_does_not_count_it(tagged):
    folder = tagged.home / "train"
    folder.mkdir()
    said = tagged.dreg("doctor", "--repo", str(tagged.remote), folder=folder)
    assert "1 release of 1 dataset\n" in said.stdout


@pytest.mark.parametrize("here", [True, False])
def test_its_name_is_taken(ready, here):
    light(ready, f"{NAME}-v1.0.0")
    if not here:
        ready.git("tag", "-d", f"{NAME}-v1.0.0")
    for arguments in (("--dry-run",), ()):
        done = ready.dreg("release", NAME, *arguments)
        assert (done.code, done.stdout) == (1, "")
        assert f"`{NAME}-v1.0.0`, and there is a lightweight tag of that name" in done.stderr
        assert f"git push origin :refs/tags/{NAME}-v1.0.0" in done.stderr
    assert ready.release("--initial", "2.0.0")["version"] == "2.0.0"


def test_without_a_git_remote_its_name_is_taken_as_well(ready):
    ready.git("remote", "remove", "origin")
    ready.git("tag", f"{NAME}-v1.0.0")
    before = ready.git("rev-parse", f"{NAME}-v1.0.0")
    done = ready.dreg("release", NAME)
    assert (done.code, done.stdout) == (1, "")
    assert f"hint: remove it: git tag -d {NAME}-v1.0.0;" in done.stderr
    assert ready.git("rev-parse", f"{NAME}-v1.0.0") == before
