"""Releases at the same time: of one dataset or of many, from one clone or from several."""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import pushed
from tests.faults.worlds import Ran, World, Zygote
from tests.pipeline_registry import PipelineRegistry
from tests.small_registry import NAME

NAMES = [f"d{number}" for number in range(1, 9)]


def states(*done: Ran) -> list[str]:
    assert [ran.code for ran in done] == [0] * len(done), [ran.stderr for ran in done]
    return sorted(json.loads(ran.stdout)["releases"][0]["state"] for ran in done)


def test_one_dataset_twice_from_one_clone(world_of, zygote, fault):
    world = world_of("ran")
    with fault("two releases of one dataset at once"):
        release = ("release", NAME, "--json")
        done = zygote.run_all(world, [("registry", release)] * 2)
        assert states(*done) == ["released", "unchanged"]
        assert world.lies() == []
        assert world.git("rev-list", "HEAD..origin/main") == ""


def second_clone(world: World, zygote: Zygote) -> None:
    world.git("clone", "-q", "registry.git", "second", folder=".")
    done = zygote.run(world, "run", NAME, folder="second")
    assert done.code == 0, done.stderr


def test_one_dataset_twice_from_two_clones(world_of, zygote, fault):
    world = world_of("quick")
    (world.path / "pipelines" / NAME / "params.yaml").write_text(
        world.git("show", f"HEAD:pipelines/{NAME}/params.yaml") + "\n"
    )
    second_clone(world, zygote)
    with fault("two releases of one dataset at once"):
        release = ("release", NAME, "--json")
        done = zygote.run_all(world, [("registry", release), ("second", release)])
        assert states(*done) == ["released", "unchanged"]
        assert world.lies() == []


def test_one_dataset_with_different_data_from_two_clones(world_of, zygote, fault):
    world = world_of("quick")
    second_clone(world, zygote)
    assert zygote.run(world, "run", NAME).code == 0  # with another parameter than the second
    params = world.home / "second" / "pipelines" / NAME / "params.yaml"
    params.write_text(params.read_text().replace("rows: 5", "rows: 9"))
    assert zygote.run(world, "run", NAME, folder="second").code == 0
    with fault("two releases of one dataset at once"):
        release = ("release", NAME, "--json")
        done = zygote.run_all(world, [("registry", release), ("second", release)])
        assert sorted(ran.code for ran in done) == [0, 1], [ran.stderr for ran in done]
        (lost,) = (ran for ran in done if ran.code == 1)
        assert "stale" in lost.stderr
        assert world.git("tag", "--list", folder="registry.git") == f"{NAME}-v1.0.0"
        assert world.lies() == []


@pytest.fixture(scope="module")
def eight(tmp_path_factory) -> World:
    """A registry of eight datasets that have run."""
    home = tmp_path_factory.mktemp("eight")
    return pushed(PipelineRegistry.make(home / "registry", *NAMES), "--all")


def changed(world: World, folder: str, *names: str) -> None:
    """Something to release in these datasets, and nothing to run."""
    for name in names:
        (world.home / folder / "pipelines" / name / "NOTES.md").write_text(f"of {name}\n")


def test_eight_datasets_from_eight_clones(eight, zygote, fault, tmp_path):
    world = eight.copy(tmp_path / "eight")
    for name in NAMES:
        world.git("clone", "-q", "registry.git", name, folder=".")
        (world.home / name / ".dvc" / "cache").symlink_to(world.path / ".dvc" / "cache")
        changed(world, name, name)
    with fault("eight releases at once"):
        release = [(name, ("release", name, "--json")) for name in NAMES]
        done = zygote.run_all(world, release)
        assert states(*done) == ["released"] * 8
        tags = world.git("tag", "--list", folder="registry.git").split()
        assert tags == [f"{name}-v1.0.0" for name in NAMES]
        assert world.lies() == []


def test_eight_automated_jobs_at_once(eight, zygote, fault, tmp_path):
    world = eight.copy(tmp_path / "eight")
    for name in NAMES:
        world.git("clone", "-q", "--depth=1", f"file://{world.remote}", name, folder=".")
        world.git("checkout", "-q", "--detach", folder=name)
        (world.home / name / ".dvc" / "cache").symlink_to(world.path / ".dvc" / "cache")
    with fault("eight releases at once"):
        done = zygote.run_all(world, [(n, ("ci", "run", n, "--json")) for n in NAMES])
        assert [ran.code for ran in done] == [0] * 8, [ran.stderr for ran in done]
        states = [json.loads(ran.stdout)["datasets"][0]["state"] for ran in done]
        assert states == ["changed"] * 8
        tags = world.git("tag", "--list", folder="registry.git").split()
        assert tags == [f"{name}-v1.0.0" for name in NAMES]
        assert world.lies() == []


def test_eight_datasets_from_one_clone(eight, zygote, fault, tmp_path):
    world = eight.copy(tmp_path / "eight")
    with fault("eight releases at once"):
        changed(world, "registry", *NAMES)
        jobs = [("registry", ("release", name, "--json")) for name in NAMES]
        done = zygote.run_all(world, jobs)
        assert states(*done) == ["released"] * 8
        assert world.lies() == []
        assert world.git("status", "--porcelain") == ""
        assert world.git("rev-parse", "HEAD") == world.git(
            "rev-parse", "main", folder="registry.git"
        )
