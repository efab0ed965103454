"""`dreg ci run --repo`: from a machine that has nothing but an address, as a pod has."""

from __future__ import annotations

import json

import pytest

from tests.ci_jobs import states
from tests.small_registry import NAME


@pytest.fixture
def pod(registry):
    """A folder without a registry, a place for temporary files, and a remote that outlives both."""
    folder = registry.home / "pod"
    (folder / "tmp").mkdir(parents=True)
    registry.environment.update(
        TMPDIR=str(folder / "tmp"), DREG_REMOTE=str(registry.home / "elsewhere")
    )
    (registry.home / "elsewhere").mkdir()
    return folder


def run(registry, pod, *arguments, code=0, command="run", **environment):
    done = registry.dreg("ci", command, *arguments, folder=pod, **environment)
    assert done.code == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert list((pod / "tmp").iterdir()) == [], "the clone goes with the run"
    return done


def test_a_registry_at_an_address_is_cloned_run_and_released(registry, pod):
    done = run(registry, pod, "--repo", "../registry.git", "--out", "out")
    assert "cloning ../registry.git" in done.stderr
    assert states(json.loads((pod / "out" / "result.json").read_text())) == {NAME: "changed"}
    assert registry.remote_tags() == ["toy-v1.0.0"]
    again = run(registry, pod, "--repo", "../registry.git", "--json")
    assert states(again.json) == {NAME: "unchanged"}


def test_where_no_registry_is_around_the_environment_names_it(registry, pod):
    where = {"DREG_REPO": str(registry.remote)}
    assert states(run(registry, pod, "--json", **where).json) == {NAME: "changed"}
    planned = run(registry, pod, "--json", command="plan", **where).json
    assert [one["name"] for one in planned["datasets"]] == [NAME]
    here = registry.ok("ci", "run", "--dry-run", DREG_REPO="/nowhere")
    assert "cloning" not in here.stderr


def test_what_a_pipeline_printed_stays_when_its_clone_is_gone(registry, pod):
    script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
    script.write_text("print('a clue')\nraise SystemExit('no luck')\n")
    registry.commit_all()
    registry.git("push", "-q")
    done = run(registry, pod, "--repo", str(registry.remote), "--out", "out", code=3)
    (one,) = json.loads((pod / "out" / "result.json").read_text())["datasets"]
    assert (one["state"], one["log"]) == ("failed", f"out/{NAME}.log")
    assert "a clue" in (pod / one["log"]).read_text()
    assert one["log"] in done.stderr
    run(registry, pod, "--repo", str(registry.remote), code=3)
    cached = registry.home / "cache" / "logs" / f"{NAME}.log"
    assert "a clue" in cached.read_text()


def test_a_branch_is_cloned_and_released_on(registry, pod):
    registry.git("switch", "-q", "-c", "next")
    registry.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: The next ones")
    registry.commit_all()
    registry.git("push", "-q", "origin", "next")
    before = registry.git("rev-parse", "main", folder=registry.remote)
    run(registry, pod, "--repo", str(registry.remote), "--branch", "next")
    released = registry.git("rev-parse", "toy-v1.0.0^{}", folder=registry.remote)
    assert registry.git("rev-parse", "next", folder=registry.remote) == released
    assert registry.git("rev-parse", "main", folder=registry.remote) == before


def test_a_folder_beside_the_registry_is_none_beside_its_clone(registry, pod):
    done = run(registry, pod, "--repo", str(registry.remote), code=2, DREG_REMOTE="")
    assert "`disk` is a folder beside the registry" in done.stderr
    assert "DREG_REMOTE" in done.stderr
    assert registry.remote_tags() == []


@pytest.mark.parametrize(
    ("repo", "code", "said"),
    [
        ("../empty.git", 2, "is no registry"),
        ("/nowhere", 3, "nowhere"),
        ("--upload-pack=touch pwned", 2, "not a repository URL that dreg opens"),
        ("ext::sh -c true", 2, "not a repository URL that dreg opens"),
    ],
)
def test_what_is_no_registry_is_told(registry, pod, repo, code, said):
    registry.git("init", "-q", "--bare", "empty.git", folder=".")
    done = run(registry, pod, f"--repo={repo}", code=code)
    assert said in done.stderr
    assert list(pod.rglob("pwned")) == []


def test_an_address_is_told_without_its_password(registry, pod):
    done = run(registry, pod, "--repo", "https://ada:hunter2@127.0.0.1:1/registry.git", code=3)
    assert "cloning https://127.0.0.1:1/registry.git" in done.stderr
    assert "hunter2" not in done.stderr
