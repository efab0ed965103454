"""`dreg ci plan`: which datasets a push or a pull request touches."""

from __future__ import annotations

import re

import pytest

from dreg.core.ci.touched import Reach, gone, jobs, touched
from tests.ci_jobs import job
from tests.small_registry import NAME


@pytest.fixture
def three(registry):
    """`toy`, `child` made from it, and `other`, pushed and never run."""
    for name in ("child", "other"):
        registry.ok("new", name, "--kind", "tabular")
    registry.edit("pipelines/child/dataset.yaml", "^title: .*", "title: Child\nupstream: [toy]")
    registry.commit_all()
    registry.git("push", "-q")
    return registry


def plan(registry, *arguments):
    return registry.ok("ci", "plan", "--json", *arguments).json


def why(planned):
    return {one["name"]: one["why"] for one in planned["datasets"]}


def edited(registry, path):
    """A commit that adds a line to a file."""
    file = registry.path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text() if file.exists() else ""
    file.write_text(f"{before}# more\n")
    registry.commit_all()


@pytest.mark.parametrize(
    ("path", "datasets"),
    [
        ("pipelines/other/params.yaml", {"other": ["parameters"]}),
        ("pipelines/other/dataset.yaml", {"other": ["contract"]}),
        ("pipelines/other/sources.yaml", {"other": ["sources"]}),
        ("pipelines/other/scripts/process.py", {"other": ["pipeline"]}),
        ("data/other/CHANGELOG.md", {"other": ["data"]}),
        ("pipelines/toy/params.yaml", {"child": ["made from toy"], "toy": ["parameters"]}),
        ("pipelines/toy-2/notes.md", {}),
        ("README.md", {}),
        (
            "requirements.txt",
            {name: ["environment: requirements.txt"] for name in ("child", "other", "toy")},
        ),
        (".dvc/config", {name: ["where the bytes are"] for name in ("child", "other", "toy")}),
    ],
)
def test_what_a_change_touches(three, path, datasets):
    edited(three, path)
    assert why(plan(three, "--changed-since", "origin/main")) == datasets


def test_a_file_that_a_stage_reads_touches_its_dataset(three):
    three.edit(
        "pipelines/other/dvc.yaml", r"^    deps:\n", "    deps:\n      - ../../shared/words.txt\n"
    )
    three.commit_all()
    three.git("push", "-q")
    edited(three, "shared/words.txt")
    assert why(plan(three, "--changed-since", "origin/main")) == {
        "other": ["reads shared/words.txt"]
    }


def test_what_the_base_did_meanwhile_does_not_count(three):
    three.git("switch", "-q", "-c", "topic")
    edited(three, "pipelines/other/params.yaml")
    three.git("switch", "-q", "main")
    edited(three, "pipelines/toy/params.yaml")
    three.git("push", "-q")
    three.git("switch", "-q", "topic")
    assert list(why(plan(three, "--changed-since", "origin/main"))) == ["other"]


def test_nothing_touched_is_an_empty_matrix_and_the_workflow_is_told(three):
    ran = job(three)
    done = ran.dreg("ci", "plan", "--changed-since", "HEAD")
    assert (done.code, done.stdout) == (0, "no dataset is touched\n")
    assert ran.outputs == {"matrix": {"include": []}, "any": False}


def test_what_is_made_from_another_is_in_its_job_behind_it(three):
    ran = job(three)
    planned = ran.dreg("ci", "plan", "--json").json
    matrix = {
        "include": [{"number": 0, "datasets": "toy child"}, {"number": 1, "datasets": "other"}]
    }
    assert planned["matrix"] == matrix
    assert ran.outputs == {"matrix": matrix, "any": True}
    assert planned["since"] is None
    named = ran.dreg("ci", "plan", "--json", "--jobs", "1", DREG_DATASETS="other toy").json
    assert named["matrix"] == {"include": [{"number": 0, "datasets": "toy other"}]}


def test_a_branch_that_is_new_touches_everything_there_is(three):
    planned = plan(three, "--changed-since", "0" * 40)
    assert sorted(why(planned)) == ["child", "other", "toy"]
    assert planned["since"] is None


def test_a_commit_that_the_checkout_lacks_is_got_from_the_remote(three):
    before = three.git("rev-parse", "main", folder=three.remote)
    three.git("config", "uploadpack.allowAnySHA1InWant", "true", folder=three.remote)
    edited(three, "pipelines/other/params.yaml")
    three.git("push", "-q")
    done = job(three).dreg("ci", "plan", "--json", "--changed-since", before)
    assert why(done.json) == {"other": ["parameters"]}


def test_a_commit_that_a_push_by_force_took_away_is_told_with_what_helps(three):
    edited(three, "pipelines/other/params.yaml")
    three.git("push", "-q")
    before = three.git("rev-parse", "HEAD")
    three.git("reset", "-q", "--hard", "HEAD~1")
    edited(three, "pipelines/toy/params.yaml")
    three.git("push", "-q", "--force")
    three.git("gc", "-q", "--prune=now", folder=three.remote)
    ran = job(three)
    for command in (("plan", "--changed-since"), ("review", "--base")):
        done = ran.dreg("ci", *command, before)
        assert (done.code, done.stdout) == (2, "")
        assert f"error: there is no commit `{before}` here, and `origin` gives none" in done.stderr
        (hint,) = re.findall("hint: (.*)", done.stderr)
        assert "push by force" in hint
        assert "git fetch" not in hint, "it was tried"
    assert "with nothing, which is every dataset: dreg ci plan" in hint
    assert ran.dreg("ci", "plan", "--json").json["any"] is True


def test_a_commit_that_nobody_can_be_asked_for_is_no_bad_request(three):
    ran = job(three)
    three.git("remote", "set-url", "origin", "git://127.0.0.1:9/registry.git", folder=ran.path)
    done = ran.dreg("ci", "plan", "--changed-since", "f" * 40)
    assert (done.code, "the git server cannot be reached" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    "revision", ["nowhere", "-x", "--output=pwned", "$(touch pwned)", "f" * 40]
)
def test_a_revision_that_is_nowhere_is_a_bad_request(three, revision):
    done = three.dreg("ci", "plan", f"--changed-since={revision}")
    assert (done.code, done.stdout) == (2, "")
    assert f"there is no commit `{revision}` here" in done.stderr
    assert not list(three.home.rglob("pwned"))


def test_a_dataset_that_is_gone_is_told_and_not_run(three):
    three.git("rm", "-r", "-q", "pipelines/other")
    three.commit_all()
    planned = plan(three, "--changed-since", "origin/main")
    assert (planned["gone"], planned["datasets"], planned["any"]) == (["other"], [], False)


@pytest.mark.parametrize(
    "name", ['x"; touch pwned; echo "', "a b", "two\nlines", "<img src=x>", "$(id)"]
)
def test_names_that_can_be_no_datasets_are_left_out_and_told(three, name):
    folder = three.path / "pipelines" / name
    folder.mkdir()
    for file in (three.path / "pipelines" / NAME).glob("*.yaml"):
        (folder / file.name).write_bytes(file.read_bytes())
    three.commit_all()
    done = three.ok("ci", "plan", "--json", "--changed-since", "origin/main")
    assert done.json["matrix"] == {"include": []}
    assert "is left out" in done.stderr


def test_touched_is_told_along_a_whole_chain():
    chain = {"a": Reach(), "b": Reach(upstream=frozenset("a")), "c": Reach(upstream=frozenset("b"))}
    found = touched(["data/a/x"], chain)
    assert found == {"a": ("data",), "b": ("made from a",), "c": ("made from b",)}
    assert touched([], chain) == {}
    circle = {"a": Reach(upstream=frozenset("b")), "b": Reach(upstream=frozenset("a"))}
    assert set(touched(["pipelines/a/x"], circle)) == {"a", "b"}


def test_a_folder_that_a_stage_reads_counts_with_all_that_is_in_it():
    reaches = {"a": Reach(frozenset(["lib"])), "b": Reach(frozenset(["library/x"]))}
    assert touched(["lib/deep/x.py"], reaches) == {"a": ("reads lib/deep/x.py",)}


def test_gone_is_what_has_lost_its_pipeline():
    changed = ["pipelines/a/dvc.yaml", "pipelines/b/dvc.yaml", "pipelines/c/x/dvc.yaml", "dvc.yaml"]
    assert gone(changed, ["a"]) == ("b",)


def test_jobs_are_no_more_than_asked_for_and_as_even_as_they_can_be():
    names = [f"d{number}" for number in range(10)]
    assert [len(one) for one in jobs(names, {}, 4)] == [3, 3, 2, 2]
    assert jobs(names, {"d9": ["d0"]}, 100)[0] == ["d0", "d9"]
    assert len(jobs(names, {}, 100)) == 10
    assert jobs(names, {name: ["d0"] for name in names}, 8) == [names]
    assert sorted(name for one in jobs(names, {}, 3) for name in one) == names


def test_a_clone_that_has_its_history_keeps_it(three):
    """A commit that is only on the git remote is fetched, and no more is forgotten for it."""
    three.git("clone", "-q", str(three.remote), "other", folder=three.home)
    three.git("commit", "-q", "--allow-empty", "-m", "newer", folder="other")
    three.git("push", "-q", folder="other")
    ahead = three.git("rev-parse", "HEAD", folder="other")
    plan(three, "--changed-since", ahead)
    assert three.git("rev-parse", "--is-shallow-repository") == "false"
    three.git("pull", "-q", "--ff-only")
