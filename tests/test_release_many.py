"""`dreg release` of many datasets: those that are as they were released are told together, and rightly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from bench.scale import RELEASES, Synthetic, md5, profile
from dreg.adapters.claims import Claims
from dreg.adapters.dvc.pipeline import Pipeline
from dreg.core.choices import Choices
from dreg.registry import Registry
from dreg.release.manner import Manner
from dreg.release.releasing import release
from dreg.release.unchanged import MANY, surely_unchanged
from dreg.yank.yanking import yank
from tests import forked
from tests.ci_jobs import states

NUMBER = MANY + 2
LAST = f"1.{RELEASES - 1}.0"
NAMES = [f"d{number:04d}" for number in range(NUMBER)]
ALL = Choices(named=False)
DRY = Manner(dry_run=True)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A registry of so many datasets with 20 releases each; nothing is new."""
    home = tmp_path_factory.mktemp("many")
    Synthetic(home, NUMBER).make()
    return home


@dataclass(frozen=True)
class Many:
    home: Path

    @property
    def path(self):
        return self.home / "registry"

    @property
    def registry(self):
        return Registry(self.path)

    def git(self, *arguments, folder="registry"):
        done = subprocess.run(
            ["git", *arguments], cwd=self.home / folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "by hand")

    def unchanged(self, choices=ALL, manner=DRY):
        """Names of those that are surely so."""
        registry = self.registry
        return set(surely_unchanged(registry, registry.datasets(), choices, manner))

    def dreg(self, *arguments, **environment):
        more = {"DREG_CACHE": str(self.home / "cache"), **environment}
        return forked.dreg(arguments, cwd=self.path, env={**os.environ, **more})


@pytest.fixture
def many(made, tmp_path):
    home = tmp_path / "many"
    shutil.copytree(made, home, symlinks=True)
    found = Many(home)
    found.git("remote", "set-url", "origin", str(home / "registry.git"))
    return found


def test_each_is_told_as_its_own_plan_tells_it(many):
    together = surely_unchanged(many.registry, many.registry.datasets(), ALL, DRY)
    assert sorted(together) == NAMES
    for name in (NAMES[0], NAMES[-1]):
        (alone,) = release(many.registry, [name], manner=DRY).releases
        assert together[name] == alone
        assert (alone.state, str(alone.version)) == ("unchanged", LAST)


def test_git_is_asked_as_often_among_more(many, tmp_path):
    """Every process of git's leaves a line, whoever starts it."""
    counting, said = tmp_path / "bin", tmp_path / "said"
    counting.mkdir()
    (counting / "git").write_text(f'#!/bin/sh\necho >> {said}\nexec {shutil.which("git")} "$@"\n')
    (counting / "git").chmod(0o755)
    asked = {}
    for datasets in (NUMBER, 2 * NUMBER):
        if datasets > NUMBER:
            more = Synthetic(tmp_path / "more", datasets)
            more.home.mkdir()
            more.make()
            many = Many(more.home)
        said.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "dreg", "release", "--dry-run", "--json"], cwd=many.path,
            env={**os.environ, "PATH": f"{counting}:{os.environ['PATH']}"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert '"releases": []' in done.stdout
        asked[datasets] = len(said.read_text().splitlines())
    assert asked[NUMBER] == asked[2 * NUMBER] < 3 * NUMBER


def test_the_one_that_changed_is_the_one_that_is_released(many):
    changed = many.path / "data" / NAMES[2] / "metadata.json"
    contract = many.path / "pipelines" / NAMES[2] / "dataset.yaml"
    contract.write_text(contract.read_text().replace("a few numbers", "other numbers"))
    assert many.unchanged() == set(NAMES) - {NAMES[2]}
    done = many.dreg("release", "--dry-run")
    assert done.code == 1
    assert f"`{NAMES[2]}` is not up to date" in done.stderr
    assert changed.exists()


def test_an_automated_run_of_them_tells_each_and_pushes_nothing(many):
    before = many.git("for-each-ref", folder="registry.git")
    done = many.dreg("ci", "run", "--json")
    assert done.code == 0, done.stderr
    assert states(done.json) == dict.fromkeys(NAMES, "unchanged")
    assert {one["version"] for one in done.json["datasets"]} == {LAST}
    assert many.git("for-each-ref", folder="registry.git") == before


def test_tags_that_a_checkout_lacks_are_got_at_once(many):
    for tag in many.git("tag", "--list").split():
        if tag.startswith(NAMES[0]):
            many.git("tag", "-d", tag)
    assert many.unchanged() == set(NAMES)
    assert many.git("tag", "--list", f"{NAMES[0]}-*") == f"{NAMES[0]}-v{LAST}"


def test_a_job_that_has_one_commit_and_no_tags_knows_it_too(many):
    job = many.home / "job"
    job.mkdir()
    many.git("init", "-q", folder="job")
    many.git("remote", "add", "origin", f"file://{many.home}/registry.git", folder="job")
    many.git("fetch", "-q", "--no-tags", "--depth=1", "origin", "main", folder="job")
    many.git("checkout", "-q", "--detach", "FETCH_HEAD", folder="job")
    registry = Registry(job)
    assert sorted(surely_unchanged(registry, registry.datasets(), ALL, DRY)) == NAMES


# Who is not surely unchanged


def an_uncommitted_change(many, name):
    (many.path / "data" / name / "metadata.json").write_bytes(profile(name, 99))


def a_commit_that_is_not_released(many, name):
    (many.path / "pipelines" / name / "more.py").write_text("x = 1\n")
    many.commit()


def a_file_that_git_does_not_know(many, name):
    (many.path / "pipelines" / name / "more.py").write_text("x = 1\n")


def a_change_that_somebody_else_pushed(many, name):
    before = many.git("rev-parse", "HEAD")
    a_commit_that_is_not_released(many, name)
    many.git("push", "-q", "origin", "main")
    many.git("reset", "-q", "--hard", before)


def a_yank(many, name):
    yank(many.registry, f"{name}@{LAST}", reason="wrong")


def a_prerelease_behind_it(many, name):
    tag = f"{name}-v2.0.0-rc.1"
    many.git("tag", "-a", "-m", "an announcement", tag)
    many.git("push", "-q", "origin", tag)


def another_tag_of_that_name_here(many, name):
    many.git("tag", "-f", "-a", "-m", "mine", f"{name}-v{LAST}", f"{name}-v{LAST}^{{}}")


def an_upstream(many, name):
    """Released with it, so that nothing but the other dataset could have changed."""
    contract = many.path / "pipelines" / name / "dataset.yaml"
    before = contract.read_bytes()
    after = before + f"upstream: [{NAMES[-1]}]\n".encode()
    contract.write_bytes(after)
    lock = contract.with_name("dvc.lock")
    text = lock.read_text().replace(md5(before), md5(after))
    lock.write_text(text.replace(f"size: {len(before)}\n", f"size: {len(after)}\n", 1))
    many.commit()
    many.git("push", "-q", "origin", "main")
    many.git("tag", "-a", "-m", "next", f"{name}-v3.0.0")
    many.git("push", "-q", "origin", f"{name}-v3.0.0")


@pytest.mark.parametrize(
    "befalls",
    [
        an_uncommitted_change, a_commit_that_is_not_released, a_file_that_git_does_not_know, a_yank,
        a_prerelease_behind_it, another_tag_of_that_name_here, an_upstream,
    ],
)  # fmt: skip
def test_who_is_not_surely_unchanged_gets_a_plan(many, befalls):
    befalls(many, NAMES[1])
    assert many.unchanged() == set(NAMES) - {NAMES[1]}


def test_behind_a_tip_everybody_gets_a_plan(many):
    a_change_that_somebody_else_pushed(many, NAMES[1])
    assert many.unchanged() == set()


def test_a_change_outside_of_datasets_is_for_the_plans_to_refuse(many):
    (many.path / ".gitignore").write_text("other\n")
    assert many.unchanged() == set()
    assert "uncommitted changes outside the datasets" in many.dreg("release").stderr


def test_who_asks_for_more_than_what_changed_gets_plans(many):
    for choices in (Choices(), Choices(named=False, prerelease="rc")):
        assert many.unchanged(choices) == set()
    assert many.unchanged(manner=Manner(dry_run=True, branch="main")) == set()


def test_one_that_another_dreg_is_at_is_left_to_its_plan(many):
    claims = Claims(many.path, "dreg run", 0.0, print)
    found = []
    with claims.of(NAMES[1]):
        for manner in (DRY, Manner()):
            asking = threading.Thread(
                target=lambda m=manner: found.append(many.unchanged(manner=m))
            )
            asking.start()
            asking.join()
    assert found == [set(NAMES), set(NAMES) - {NAMES[1]}]


def test_what_owners_write_is_parsed_once(many, monkeypatch):
    parsed = Counter()
    load = yaml.load

    def counting(text, **options):
        parsed[text] += 1
        return load(text, **options)

    for number, name in enumerate(NAMES):  # no two alike
        for file in ("dataset.yaml", "dvc.yaml"):
            path = many.path / "pipelines" / name / file
            path.write_text(f"# {number} {file}\n{path.read_text()}")
    monkeypatch.setattr(yaml, "load", counting)
    for name in NAMES:
        dataset = many.registry.dataset(name)
        assert dataset.contract() == dataset.contract()
        assert Pipeline(many.path, name).stages == Pipeline(many.path, name).stages
    assert set(parsed.values()) == {1}
    assert len(parsed) == 2 * NUMBER
    path = many.path / "pipelines" / NAMES[0] / "dataset.yaml"
    path.write_text(path.read_text().replace("Dataset", "Numbers"))
    assert many.registry.dataset(NAMES[0]).contract().title == f"Numbers {NAMES[0]}"
