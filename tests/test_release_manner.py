"""How a release is made: asked first, kept here, found to be made already."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from dreg.core.manifest import trailers
from tests.small_registry import NAME, SmallRegistry
from tests.test_release import manifest_of, refused, state


def elsewhere(registry: SmallRegistry, *, commit: bool) -> SmallRegistry:
    """A clone in which the same pipeline was run too."""
    home = registry.home / "elsewhere"
    home.mkdir()
    other = SmallRegistry(home, registry.environment)
    registry.git("clone", "-q", "registry.git", str(other.path), folder=registry.home)
    other.git("remote", "set-url", "origin", str(registry.remote))
    store = "[core]\n    remote = disk\n['remote \"disk\"']\n    url = {}\n"
    (other.path / ".dvc/config.local").write_text(store.format(registry.store))
    other.ok("run", NAME)
    if commit:
        other.commit_all()
    return other


def on_a_terminal(registry, answer, *arguments):
    """Exit code, stdout, and what the person saw."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dreg", *arguments],
        cwd=registry.path,
        env={**registry.environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    seen = b""
    while True:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # the terminal's other end is closed
            break
    os.close(ours)
    stdout, _ = process.communicate()
    return process.returncode, stdout, seen.decode().replace("\r\n", "\n")


def test_on_a_terminal_the_plan_is_shown_and_no_means_no(ready):
    before = state(ready)
    code, stdout, seen = on_a_terminal(ready, "n\n", "release", NAME)
    assert (code, stdout) == (1, "")
    assert "would release toy 1.0.0 (first release)" in seen
    assert "release toy 1.0.0? [y/N]" in seen
    assert "was not released, as you said" in seen
    assert state(ready) == before


def test_yes_is_asked_for_or_given_beforehand(ready):
    code, stdout, _ = on_a_terminal(ready, "y\n", "release", NAME)
    assert code == 0
    assert "released toy 1.0.0" in stdout
    ready.drop_column("leaf_mm")
    ready.ok("run", NAME)
    code, _, seen = on_a_terminal(ready, "", "release", NAME, "--yes")
    assert code == 0
    assert "[y/N]" not in seen
    assert ready.remote_tags() == ["toy-v1.0.0", "toy-v2.0.0"]


def test_not_pushed_the_bytes_are_there_and_commit_and_tag_are_here(ready):
    before = ready.git("for-each-ref", folder=ready.remote)
    done = ready.ok("release", NAME, "--no-push")
    assert "tag       toy-v1.0.0, only in this repository" in done.stdout
    assert "push it   dreg release toy" in done.stdout
    assert ready.git("for-each-ref", folder=ready.remote) == before
    assert ready.git("rev-parse", "toy-v1.0.0^{commit}") == ready.git("rev-parse", "HEAD")
    assert ready.git("status", "--porcelain") == ""
    # Whoever pushes it with plain git publishes a release that can be fetched.
    ready.git("push", "-q", "--follow-tags", "origin", "main")
    manifest_of(ready, "toy-v1.0.0")
    ready.ok("fsck", NAME, "--remote")
    assert "nothing to release" in ready.ok("release", NAME).stdout


def test_the_next_release_pushes_what_was_not(ready):
    (made,) = ready.ok("release", NAME, "--no-push", "--json").json["releases"]
    said = refused(ready, "release", NAME, "--no-push")
    assert "was made here and never pushed, and waits for that" in said
    (done,) = ready.ok("release", NAME, "--json").json["releases"]
    for key in (
        "state",
        "version",
        "tag",
        "bump",
        "manifest",
        "commit",
        "samples",
        "files",
        "size",
    ):
        assert done[key] == made[key], key
    assert (made["unpushed"], done["unpushed"]) == (True, False)
    tip = ready.git("rev-parse", "main", folder=ready.remote)
    assert (
        tip == made["commit"] == ready.git("rev-parse", "toy-v1.0.0^{commit}", folder=ready.remote)
    )
    assert ready.git("for-each-ref", "refs/dreg") == ""
    assert "nothing to release" in ready.ok("release", NAME).stdout


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_was_released_before_there_was_a_git_remote_is_pushed_once_there_is(ready, by_hand):
    ready.git("remote", "remove", "origin")
    (made,) = ready.ok("release", NAME, "--json").json["releases"]
    ready.git("remote", "add", "origin", "../registry.git")
    if by_hand:  # as `git push` does, which leaves tags here
        ready.git("push", "-q", "origin", "main")
    (done,) = ready.ok("release", NAME, "--json").json["releases"]
    assert (done["tag"], done["commit"], done["state"]) == (made["tag"], made["commit"], "released")
    assert ready.remote_tags() == ["toy-v1.0.0"]
    assert ready.git("for-each-ref", "refs/dreg") == ""
    assert "nothing to release" in ready.ok("release", NAME).stdout


@pytest.mark.parametrize("command", [("run", NAME, "--push"), ("remote", "check")])
def test_a_folder_that_is_not_mounted_is_not_made_anew(released_once, command):
    away = released_once.store.rename(released_once.home / "away")
    released_once.edit(f"pipelines/{NAME}/params.yaml", "0.25", "0.4")
    done = released_once.dreg(*command)
    assert done.code == 3
    assert "is not there, and `toy-v1.0.0` was released before" in done.stderr
    assert not released_once.store.exists()
    away.rename(released_once.store)
    released_once.ok(*command)


def test_what_is_pushed_later_is_announced_to_who_collects_garbage(ready):
    ready.ok("release", NAME, "--no-push")
    hook = ready.remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\nls '{ready.store}/dreg/announced' > '{ready.home}/announced'\n")
    hook.chmod(0o755)
    ready.ok("release", NAME)
    (announced,) = (ready.home / "announced").read_text().split()
    assert announced.startswith(manifest_digest_of(ready))
    assert not list((ready.store / "dreg" / "announced").glob("*"))


def manifest_digest_of(registry: SmallRegistry) -> str:
    return trailers(registry.git("tag", "-l", "--format=%(contents)", "toy-v1.0.0"))[
        "Dreg-Manifest"
    ].removeprefix("sha256:")


def test_what_was_not_pushed_can_be_dropped(ready):
    ready.ok("release", NAME, "--no-push")
    ready.git("tag", "-d", "toy-v1.0.0")
    (done,) = ready.ok("release", NAME, "--json").json["releases"]
    assert (done["version"], done["state"]) == ("1.0.0", "released")
    assert ready.remote_tags() == ["toy-v1.0.0"]


def test_a_tag_that_was_deleted_elsewhere_does_not_come_back(released_once):
    released_once.git("tag", "-d", "toy-v1.0.0", folder=released_once.remote)
    assert "here that is not on origin" in released_once.dreg("release", NAME).stderr
    assert released_once.remote_tags() == []


def test_what_was_not_pushed_is_not_pushed_without_its_bytes(ready):
    ready.ok("release", NAME, "--no-push")
    next(path for path in ready.store.rglob("files/md5/*/*") if path.is_file()).unlink()
    said = refused(ready, "release", NAME, code=3)
    assert "what `toy-v1.0.0` needs is not on" in said
    assert ready.remote_tags() == []


def test_the_same_content_released_from_another_clone_is_that_release(ready):
    other = elsewhere(ready, commit=False)
    first = ready.ok("release", NAME, "--json").json["releases"][0]
    done = other.ok("release", NAME, "--json")
    (found,) = done.json["releases"]
    assert (found["state"], found["version"]) == ("unchanged", "1.0.0")
    assert found["manifest"] == first["manifest"]
    assert other.git("rev-parse", "HEAD") == first["commit"]
    assert other.git("status", "--porcelain") == ""


def test_also_when_it_was_committed_there_and_made_somewhere_else(ready):
    other = elsewhere(ready, commit=False)
    record = other.path / f"pipelines/{NAME}/provenance.json"
    record.write_text(record.read_text().replace('"linux-', '"another-'))
    other.commit_all()
    first = ready.ok("release", NAME, "--json").json["releases"][0]
    before = other.git("for-each-ref", "refs/heads")
    (found,) = other.ok("release", NAME, "--json").json["releases"]
    assert (found["state"], found["manifest"]) == ("unchanged", first["manifest"])
    assert other.git("for-each-ref", "refs/heads") == before
    assert len(list((ready.store / "dreg/manifests").rglob("*.json"))) == 1


def test_of_all_datasets_those_that_were_never_run_are_told(ready):
    ready.ok("new", "fresh", "--kind", "tabular")
    ready.commit_all()
    ready.git("push", "-q")
    said = ready.ok("release").stdout
    assert said.startswith("released toy 1.0.0") and said.endswith(
        "\n\nfresh was never run: dreg run fresh\n"
    )
    assert ready.ok("release").stdout == (
        "nothing to release: no dataset that was run has changed since its last release\n"
        "fresh was never run: dreg run fresh\n"
    )
    assert ready.ok("release", "--json").json["never_run"] == ["fresh"]


def test_one_that_fails_does_not_hide_those_that_were_never_run(ready):
    ready.ok("new", "fresh", "--kind", "tabular")
    ready.edit(f"pipelines/{NAME}/params.yaml", r"^", "# changed\nmore: 1\n")
    (ready.path / "pipelines" / NAME / "dataset.yaml").write_text("7")
    ready.commit_all()
    done = ready.dreg("release")
    assert done.code != 0 and done.stdout == ""
    assert "fresh was never run: dreg run fresh" in done.stderr


@pytest.mark.parametrize("branch", ["no space", "--upload-pack=x"])
def test_a_branch_that_cannot_be_is_refused_also_with_nothing_to_release(registry, branch):
    done = registry.dreg("release", "--branch", branch)
    assert (done.code, done.stdout) == (2, "")
    assert f"`{branch}` cannot name a branch" in done.stderr


def test_a_branch_that_is_nowhere_is_a_slip(ready):
    for arguments in ((), (NAME,), (NAME, "--dry-run")):
        done = ready.dreg("release", *arguments, "--branch", "mian")
        assert (done.code, done.stdout) == (2, "")
        assert "there is no branch `mian`, here or on origin" in done.stderr
    ready.git("branch", "data")
    ready.ok("release", NAME, "--branch", "data")
    tips = ready.git("rev-parse", "data", "main", folder=ready.remote).split()
    assert tips[0] != tips[1]
    done = ready.dreg("release", NAME, "--branch", "mian")
    assert (done.code, done.stdout) == (2, "")
