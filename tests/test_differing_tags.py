"""A tag in a clone that is not the one on the git remote: the git remote's counts."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.small_registry import NAME, SmallRegistry
from tests.test_release_manner import elsewhere

TAG = f"{NAME}-v1.0.0"


@pytest.fixture(scope="module")
def made(run_registry: SmallRegistry, tmp_path_factory: pytest.TempPathFactory) -> SmallRegistry:
    made = run_registry.copy(tmp_path_factory.mktemp("two"))
    other = elsewhere(made, commit=True)
    made.ok("release", NAME, "--no-push")
    other.drop_column("leaf_mm")
    other.release()
    made.git("fetch", "-q", "--no-tags", "origin")
    made.git("reset", "-q", "--hard", "origin/main")
    made.ok("run", NAME)
    return made


@pytest.fixture
def two(made: SmallRegistry, tmp_path: Path) -> SmallRegistry:
    """A clone that made 1.0.0 without pushing it and was then set back to a 1.0.0 of another's."""
    return made.copy(tmp_path)


def objects(two: SmallRegistry) -> tuple[str, str]:
    """The tag's object here and on the git remote."""
    ask = ("rev-parse", f"refs/tags/{TAG}")
    return two.git(*ask), two.git(*ask, folder=two.remote)


def exported_tag(two: SmallRegistry, file: str) -> str:
    with tarfile.open(two.path / file) as bundle:
        name = next(name for name in bundle.getnames() if name.endswith(".json"))
        return json.loads(bundle.extractfile(name).read())["tag_object"]


def test_it_keeps_no_release_from_being_made_and_stays(two):
    mine, theirs = objects(two)
    assert mine != theirs
    released = two.git("rev-parse", f"{TAG}^{{commit}}", folder=two.remote)
    done = two.ok("release", NAME, "--json")
    assert done.json["releases"][0]["state"] == "unchanged"
    assert done.json["releases"][0]["commit"] == released
    assert done.json["releases"][0]["manifest"] in two.git("cat-file", "tag", theirs)
    assert done.stderr.count(f"the tag `{TAG}` here is not the one on origin") == 1
    two.edit(f"pipelines/{NAME}/dataset.yaml", r"^  leaves:.*\n", "")
    assert two.release()["version"] == "2.0.0"
    assert objects(two) == (mine, theirs)


def test_what_is_exported_is_the_git_remote_s_and_one_never_pushed_is_told(two):
    mine, theirs = objects(two)
    done = two.ok("export", f"{NAME}@1.0.0", "-o", "there.tar")
    assert "never published" not in done.stderr
    assert exported_tag(two, "there.tar") == theirs
    two.ok("release", NAME)  # which doesn't forget that the tag was never pushed
    done = two.ok("export", f"{NAME}@1.0.0", "--repo", ".", "-o", "here.tar")
    assert f"warning: `{TAG}` was made with --no-push, and was never published" in done.stderr
    assert exported_tag(two, "here.tar") == mine


def test_it_is_the_one_here_that_is_to_go(two):
    done = two.dreg("fsck", "--remote", "--json")
    (problem,) = done.json["problems"]
    assert (done.code, problem["kind"]) == (1, "moved-tag")
    hint = done.stderr[done.stderr.index("hint: ") :]
    assert f"git tag -d {TAG}; git fetch --tags origin" in hint
    assert "git remote" not in hint
    two.git("tag", "-d", TAG)
    two.git("fetch", "-q", "--tags", "origin")
    assert len(set(objects(two))) == 1
    two.ok("fsck", "--remote")
    assert two.ok("release", NAME).stderr == ""


def test_what_is_yanked_is_the_git_remote_s(two):
    _, theirs = objects(two)
    assert two.ok("yank", f"{NAME}@1.0.0", "--reason", "a test", "--json").json["state"] == "yanked"
    commit = two.git("rev-parse", f"{theirs}^{{commit}}", folder=two.remote)
    assert two.git("rev-parse", f"yank/{TAG}^{{commit}}", folder=two.remote) == commit
