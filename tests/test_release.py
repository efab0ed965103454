"""Releasing: what is published, what is refused, and what a crash leaves."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from dreg.core.manifest import Manifest, manifest_digest, manifest_key, trailers
from dreg.core.remotes import object_key
from tests import forked
from tests.small_registry import NAME


def tag_message(registry, tag, folder=None):
    return registry.git("cat-file", "tag", tag, folder=folder or registry.remote)


def manifest_of(registry, tag):
    digest = manifest_digest(tag_message(registry, tag).partition("\n\n")[2])
    return Manifest.parse((registry.store / manifest_key(digest)).read_bytes(), digest)


def state(registry):
    """Everything a release could change: references, index, tree, objects on the remote."""
    objects = sorted(
        str(p.relative_to(registry.store)) for p in registry.store.rglob("*") if p.is_file()
    )
    return {
        "refs": registry.git("for-each-ref", "refs/heads", "refs/tags"),
        "remote refs": registry.git("for-each-ref", folder=registry.remote),
        "status": registry.git("status", "--porcelain"),
        "head": registry.git("rev-parse", "HEAD"),
        "objects": objects,
    }


def refused(registry, *arguments, code=1, **environment):
    """The stderr of a command that must end with `code`, print no answer, and change nothing."""
    before = state(registry)
    done = registry.dreg(*arguments, **environment)
    assert (done.code, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert state(registry) == before
    return done.stderr


def test_the_first_release_is_1_0_0_and_every_byte_is_on_the_remote(ready):
    done = ready.ok("release", NAME)
    assert "released toy 1.0.0" in done.stdout
    assert ready.remote_tags() == ["toy-v1.0.0"]
    manifest = manifest_of(ready, "toy-v1.0.0")
    paths = [file.path for file in manifest.snapshot.files]
    assert paths == [
        "metadata.json",
        "processed/train.csv",
        "processed/train.parquet",
        "processed/val.csv",
        "processed/val.parquet",
        "raw/seedlings.csv",
        "samples.parquet",
    ]
    for file in manifest.snapshot.files:
        if file.in_git:
            content = subprocess.run(
                ["git", "show", f"toy-v1.0.0:data/{NAME}/{file.path}"],
                cwd=ready.remote, capture_output=True, check=True,
            ).stdout  # fmt: skip
        else:
            content = (ready.store / object_key(file.md5)).read_bytes()
        assert len(content) == file.size
        assert hashlib.sha256(content).hexdigest() == file.sha256
    for folder in manifest.directories.values():
        assert (ready.store / object_key(folder)).is_file()


def test_the_clone_follows_what_was_released(ready):
    ready.ok("release", NAME)
    assert ready.git("status", "--porcelain") == ""
    tip = ready.git("rev-parse", "main", folder=ready.remote)
    assert ready.git("rev-parse", "HEAD") == tip == ready.git("rev-parse", "toy-v1.0.0^{commit}")
    assert ready.git("rev-parse", "origin/main") == tip
    changed = ready.git("show", "--name-only", "--format=", "HEAD").splitlines()
    assert all(path.startswith((f"pipelines/{NAME}/", f"data/{NAME}/")) for path in changed)


def test_plain_dvc_can_pull_a_release(ready, tmp_path):
    ready.ok("release", NAME)
    ready.git("clone", "-q", "registry.git", "plain", folder=tmp_path)
    pulled = forked.dvc("pull", "--quiet", cwd=tmp_path / "plain", env=ready.environment)
    assert pulled.code == 0, pulled.stderr
    for name in ("processed/train.parquet", "processed/val.csv", "raw/seedlings.csv"):
        pulled = tmp_path / "plain" / "data" / NAME / name
        assert pulled.read_bytes() == (ready.path / "data" / NAME / name).read_bytes()


def test_git_show_of_the_tag_reads_well(released_once):
    released_once.drop_column("leaf_mm")
    released_once.release()
    message = tag_message(released_once, "toy-v2.0.0").partition("\n\n")[2]
    assert message.startswith("toy 2.0.0\n\nA major release, since 1.0.0:\n\n- column `leaf_mm`")
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Dreg-Bump: major\n" in parsed
    assert "Dreg-Previous: toy-v1.0.0\n" in parsed


def test_removing_a_column_is_major(ready):
    assert ready.release()["version"] == "1.0.0"
    ready.drop_column("leaf_mm")
    released = ready.release()
    assert (released["version"], released["bump"]) == ("2.0.0", "major")
    assert any(finding["rule"] == "column-removed" for finding in released["findings"])


def test_nothing_changed_is_nothing_to_release(released_once):
    before = state(released_once)
    done = released_once.ok("release", NAME)
    assert done.stdout == "toy 1.0.0: nothing to release, the tree is this release\n"
    assert state(released_once) == before
    assert released_once.ok("release").stdout == (
        "nothing to release: no dataset has changed since its last release\n"
    )


def test_a_contract_that_promises_otherwise_is_released(released_once):
    released_once.edit("pipelines/toy/dataset.yaml", r"range: \[0, 500\]", "range: [0, 900]")
    candidate = released_once.release("--prerelease", "rc")
    assert candidate["version"] == "1.0.1-rc.1"
    released_once.edit("pipelines/toy/dataset.yaml", r'owner: ""', 'owner: "b@example.com"')
    assert released_once.release("--prerelease", "rc")["version"] == "1.0.1-rc.2"
    released = released_once.release()
    assert released["version"] == "1.0.1"
    assert {finding["rule"] for finding in released["findings"]} == {"contract-changed"}
    assert (
        r"promised the range \[0.0, 900.0]"
        in (released_once.path / "data/toy/CHANGELOG.md").read_text()
    )
    assert released_once.release()["bump"] == "none"


def test_a_yanked_promise_comes_back_as_another_one_only(released_once):
    released_once.edit("pipelines/toy/dataset.yaml", r"range: \[0, 500\]", "range: [0, 900]")
    released_once.release()
    released_once.ok("yank", "toy@1.0.1", "--reason", "no plant is that high")
    refused = released_once.dreg("release", "toy")
    assert refused.code == 1
    assert "has the data of `toy` 1.0.1, which is yanked" in refused.stderr
    released_once.edit("pipelines/toy/dataset.yaml", r"range: \[0, 900\]", "range: [0, 600]")
    assert released_once.release()["version"] == "1.0.2"


def test_the_plan_of_a_dry_run_is_what_is_then_done(ready):
    before = state(ready)
    (planned,) = ready.ok("release", NAME, "--dry-run", "--json").json["releases"]
    assert state(ready) == before
    (released,) = ready.ok("release", NAME, "--json").json["releases"]
    assert planned["state"] == "planned"
    assert released["state"] == "released"
    for key in (
        "version",
        "bump",
        "tag",
        "manifest",
        "files",
        "size",
        "objects_pushed",
        "findings",
        "changelog",
    ):
        assert planned[key] == released[key]


def test_without_a_name_every_changed_dataset_is_released(ready):
    ready.ok("new", "other", "--kind", "tabular")
    ready.ok("run", "other")
    ready.release()
    done = ready.ok("release", "--json").json
    assert [(r["dataset"], r["version"]) for r in done["releases"]] == [("other", "1.0.0")]


def test_one_that_is_refused_does_not_keep_the_others_from_their_release(ready):
    ready.ok("new", "other", "--kind", "tabular")
    ready.ok("run", "other")
    ready.edit(f"pipelines/{NAME}/params.yaml", "validation_share: .*", "validation_share: 0.5")
    done = ready.dreg("release", NAME, "other")
    assert done.code == 1
    assert "released other 1.0.0" in done.stdout
    assert "hint: dreg run toy" in done.stderr
    assert ready.remote_tags() == ["other-v1.0.0"]


def test_a_bump_may_be_raised_and_not_lowered(released_once):
    released_once.drop_column("leaf_mm")
    released_once.ok("run", NAME)
    said = refused(released_once, "release", NAME, "--bump", "minor")
    assert "`--bump minor` is lower than what changed in `toy`: major" in said
    assert "column-removed" in said
    released_once.git("checkout", "-q", ".")
    released_once.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Seedlings")
    released_once.ok("run", NAME)
    (released,) = released_once.ok("release", NAME, "--bump", "major", "--json").json["releases"]
    assert released["version"] == "2.0.0"


def test_a_dataset_is_declared_stable_by_name_whatever_changed(ready):
    ready.release("--initial", "0.1.0")
    ready.drop_column("leaf_mm")
    assert ready.release("--prerelease", "rc")["version"] == "0.2.0-rc.1"
    assert ready.release()["version"] == "0.2.0"
    assert ready.ok("release", "--bump", "major").stdout.startswith("nothing to release")
    assert ready.ok("release", NAME, "--bump", "minor").stdout.startswith("toy 0.2.0: nothing to")
    first = ready.release("--bump", "major", "--prerelease", "rc")
    assert first["version"] == "1.0.0-rc.1"
    assert ready.release("--bump", "major", "--prerelease", "rc")["state"] == "unchanged"

    stable = ready.release("--bump", "major")
    assert (stable["version"], stable["previous"], stable["bump"]) == ("1.0.0", "0.2.0", "major")
    assert stable["objects_pushed"] == 0
    assert "- declared stable: " in tag_message(ready, "toy-v1.0.0")
    assert "### Changed\n\n- declared stable: " in changelog(ready)
    data = [ready.git("rev-parse", f"toy-v{v}:data/toy/metadata.json") for v in ("0.2.0", "1.0.0")]
    assert data[0] == data[1]
    again = ready.ok("release", NAME, "--bump", "major")
    assert again.stdout == "toy 1.0.0: nothing to release, the tree is this release\n"


def test_lowering_the_bump_is_recorded_with_its_reason(released_once):
    released_once.drop_column("leaf_mm")
    released = released_once.release("--bump", "minor", "--reason", "nobody reads\nit")
    assert (released["version"], released["bump"]) == ("1.1.0", "minor")
    assert released["exceptions"] == ["minor instead of major: nobody reads it"]
    message = tag_message(released_once, "toy-v1.1.0").partition("\n\n")[2]
    assert "\nExceptions:\n\n- minor instead of major: nobody reads it\n\n" in message
    assert trailers(message)["Dreg-Reason"] == "nobody reads it"
    assert "### Exceptions\n\n- minor instead of major: nobody reads it\n" in changelog(
        released_once
    )


# The sample is small: with other columns its rows are split otherwise, and a class may be missing.
FEW_ROWS = ("--allow", "min_samples_per_class", "--reason", "few rows")


def test_no_release_lowers_its_own_price(released_once):
    contract = released_once.path / "pipelines" / NAME / "dataset.yaml"
    overrides = "".join(
        f"- {{rule: {rule}, price: minor, reason: nobody reads it}}\n"
        for rule in ("column-removed", "evaluation-split-changed")  # rows are split by content
    )
    contract.write_text(f"{contract.read_text()}overrides:\n{overrides}")
    released_once.drop_column("leaf_mm")
    released_once.ok("run", NAME)
    done = released_once.ok("release", NAME, "--json", *FEW_ROWS)
    assert done.json["releases"][0]["version"] == "2.0.0"
    assert "count from the next release on" in done.stderr
    released_once.drop_column("height_mm")
    assert released_once.release(*FEW_ROWS)["version"] == "2.1.0"
    told = "column `height_mm` is gone (column-removed, minor instead of major: nobody reads it)"
    assert told in tag_message(released_once, "toy-v2.1.0")
    assert f"\n- {told}\n" in changelog(released_once).partition("### Removed")[2]


def test_a_gate_refuses_until_a_person_lets_it_pass(ready):
    contract = ready.path / "pipelines" / NAME / "dataset.yaml"
    contract.write_text(f"{contract.read_text()}  min_samples: {{val: 1000}}\n")
    assert "min_samples: split `val` has " in ready.ok("run", NAME).stdout
    said = refused(ready, "release", NAME)
    assert "error: `toy` does not pass its gates\n  min_samples: split `val` has " in said
    assert 'dreg release toy --allow min_samples --reason "..."' in said
    assert "lacks a reason" in refused(ready, "release", NAME, "--allow", "min_samples", code=2)
    done = ready.ok(
        "release", NAME, "--json", "--reason", "a start",
        "--allow", "min_samples", "--allow", "max_drift",
    )  # fmt: skip
    assert "`toy` passes its gate `max_drift`: there is nothing to allow\n" in done.stderr
    (exception,) = done.json["releases"][0]["exceptions"]
    assert exception.startswith("min_samples: split `val` has ")
    assert exception.endswith(", at least 1,000 are asked for (allowed: a start)")
    message = tag_message(ready, "toy-v1.0.0").partition("\n\n")[2]
    assert f"\nExceptions:\n\n- {exception}\n\nDreg-Dataset: toy\n" in message
    assert trailers(message)["Dreg-Allowed"] == "min_samples"
    assert trailers(message)["Dreg-Reason"] == "a start"
    assert f"### Exceptions\n\n- {exception}\n" in changelog(ready)


def test_a_first_version_and_prereleases_before_it(ready):
    first = ready.release("--initial", "0.1.0", "--prerelease", "rc")
    assert (first["version"], first["previous"]) == ("0.1.0-rc.1", None)
    again = ready.release("--prerelease", "rc")
    assert (again["state"], again["version"]) == ("unchanged", "0.1.0-rc.1")
    ready.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Seedlings")
    assert ready.release("--prerelease", "rc")["version"] == "0.1.0-rc.2"
    assert "the first will be 0.1.0" in ready.ok("diff", NAME).stdout
    final = ready.release()
    assert (final["version"], final["previous"]) == ("0.1.0", None)
    assert "has a first release already" in refused(
        ready, "release", NAME, "--initial", "1.0.0", code=2
    )


def test_the_same_data_may_be_promoted_from_one_kind_of_prerelease_to_the_next(ready):
    ready.release("--prerelease", "beta")
    assert ready.release("--prerelease", "beta")["state"] == "unchanged"
    assert ready.release("--prerelease", "rc")["version"] == "1.0.0-rc.1"


def test_a_reason_for_nothing_is_not_recorded(ready):
    ready.release("--allow", "min_samples", "--reason", "just because")
    assert "Dreg-Reason" not in trailers(tag_message(ready, "toy-v1.0.0"))
    assert "just because" not in tag_message(ready, "toy-v1.0.0") + changelog(ready)


def test_a_final_release_is_compared_with_the_last_final_one(released_once):
    released_once.drop_column("leaf_mm")
    assert released_once.release("--prerelease", "beta")["version"] == "2.0.0-beta.1"
    assert released_once.ok("show", f"{NAME}@latest", "--json").json["version"] == "1.0.0"
    released = released_once.release()
    assert (released["version"], released["previous"]) == ("2.0.0", "1.0.0")
    assert tag_message(released_once, "toy-v2.0.0").endswith("\nDreg-Previous: toy-v1.0.0")


def test_unchanged_objects_are_not_pushed_again(released_once):
    released_once.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Seedlings")
    assert released_once.release()["objects_pushed"] == 0


def test_changes_outside_the_datasets_are_refused(ready):
    (ready.path / "README.md").write_text("changed\n")
    said = refused(ready, "release", NAME)
    assert "uncommitted changes outside the datasets" in said
    assert "README.md" in said


def test_staged_work_on_another_dataset_stays_staged(ready):
    ready.ok("new", "other", "--kind", "tabular")
    ready.git("add", "pipelines/other")
    ready.ok("release", NAME)
    staged = ready.git("diff", "--cached", "--name-only").splitlines()
    assert staged
    assert all(path.startswith("pipelines/other/") for path in staged)


def test_a_pipeline_that_was_never_run_is_refused(registry):
    assert "hint: dreg run toy" in refused(registry, "release", NAME)


def test_a_pipeline_that_changed_since_its_run_is_refused(ready):
    ready.edit(f"pipelines/{NAME}/params.yaml", "validation_share: .*", "validation_share: 0.5")
    said = refused(ready, "release", NAME)
    assert "process" in said
    assert "hint: dreg run toy" in said


def test_data_edited_by_hand_is_refused(ready):
    file = ready.path / "data" / NAME / "processed" / "train.csv"
    file.unlink()
    file.write_text("mine\n")
    assert "hint: dreg run toy" in refused(ready, "release", NAME)
    assert file.read_text() == "mine\n"


def test_a_broken_contract_is_refused_with_every_violation(ready):
    ready.edit(f"pipelines/{NAME}/dataset.yaml", r"range: \[0, 100\]", "range: [0, 1]")
    ready.edit(f"pipelines/{NAME}/dataset.yaml", r"range: \[0, 500\]", "range: [0, 1]")
    ready.ok("run", NAME)
    said = refused(ready, "release", NAME)
    assert "does not keep its contract" in said
    assert "leaves" in said
    assert "height_mm" in said


def test_a_detached_head_at_the_tip_is_what_ci_checks_out(ready):
    ready.git("checkout", "-q", "--detach")
    ready.ok("release", NAME)
    assert ready.remote_tags() == ["toy-v1.0.0"]
    tip = ready.git("rev-parse", "main", folder=ready.remote)
    assert ready.git("rev-parse", "HEAD") == tip


def test_a_detached_head_elsewhere_is_refused(ready):
    ready.git("checkout", "-q", "--detach")
    ready.git("commit", "-q", "--allow-empty", "-m", "on no branch")
    said = refused(ready, "release", NAME)
    assert "HEAD is detached" in said
    assert "--branch NAME" in said


def test_a_shallow_clone_without_tags_knows_the_last_release(released_once, tmp_path):
    released_once.git(
        "clone",
        "-q",
        "--depth=1",
        "--no-tags",
        f"file://{released_once.remote}",
        "ci",
        folder=tmp_path,
    )
    shallow = type(released_once)(released_once.home, released_once.environment)
    ci = tmp_path / "ci"
    shallow.ok("run", NAME, folder=ci)
    done = shallow.ok("release", NAME, "--json", folder=ci).json["releases"]
    assert [(r["state"], r["version"]) for r in done] == [("unchanged", "1.0.0")]
    contract = ci / "pipelines" / NAME / "dataset.yaml"
    contract.write_text(contract.read_text().replace('title: "Toy"', 'title: "Seedlings"'))
    shallow.ok("run", NAME, folder=ci)
    shallow.ok("release", NAME, folder=ci)
    assert released_once.remote_tags() == ["toy-v1.0.0", "toy-v1.0.1"]


def test_branches_that_diverged_are_refused(ready, tmp_path):
    push_from_elsewhere(ready, tmp_path, "README.md")
    ready.git("commit", "-q", "--allow-empty", "-m", "mine")
    said = refused(ready, "release", NAME)
    assert "`main` and `origin/main` have diverged" in said
    assert "git pull --rebase" in said


def test_the_hint_for_a_stale_clone_works(released_once, tmp_path):
    released_once.git("clone", "-q", "registry.git", "second", folder=tmp_path)
    second = tmp_path / "second"
    params = second / "pipelines" / NAME / "params.yaml"
    contract = released_once.path / "pipelines" / NAME / "dataset.yaml"
    params.write_text(params.read_text().replace("share: 0.25", "share: 0.5"))
    released_once.ok("run", NAME, folder=second)
    released_once.ok("release", NAME, folder=second)
    contract.write_text(contract.read_text().replace('title: "Toy"', 'title: "Seedlings"'))
    released_once.ok("run", NAME)
    hint = refused(released_once, "release", NAME).partition("hint: ")[2]
    for command in hint.partition("; then")[0].split("; "):
        program, *arguments = command.split()
        (released_once.git if program == "git" else released_once.ok)(*arguments)
    released_once.ok("release", NAME)
    assert len(released_once.remote_tags()) == 3
    assert "Seedlings" in released_once.git("show", "origin/main:pipelines/toy/dataset.yaml")


def test_a_clone_that_is_behind_releases_on_the_tip(ready, tmp_path):
    tip = push_from_elsewhere(ready, tmp_path, "README.md")
    ready.ok("release", NAME)
    assert ready.git("rev-parse", "main~1", folder=ready.remote) == tip
    assert (ready.path / "README.md").read_text() == "from elsewhere\n"
    assert ready.git("status", "--porcelain") == ""


def test_a_dataset_that_changed_elsewhere_is_stale(ready, tmp_path):
    push_from_elsewhere(ready, tmp_path, f"pipelines/{NAME}/params.yaml")
    assert "stale: `toy` was changed on `origin/main`" in refused(ready, "release", NAME)


def push_from_elsewhere(registry, tmp_path, path):
    registry.git("clone", "-q", "registry.git", "elsewhere", folder=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / path).write_text("from elsewhere\n")
    registry.git("commit", "-q", "-a", "-m", "elsewhere", folder=elsewhere)
    registry.git("push", "-q", folder=elsewhere)
    return registry.git("rev-parse", "HEAD", folder=elsewhere)


def test_without_a_git_remote_the_release_stays_here(ready):
    ready.git("remote", "remove", "origin")
    (released,) = ready.ok("release", NAME, "--json").json["releases"]
    assert released["pushed_to"] is None
    assert ready.git("tag", "--list") == "toy-v1.0.0"
    assert ready.git("status", "--porcelain") == ""


def test_a_git_server_that_declines_leaves_no_tag(ready):
    hook = ready.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    done = ready.dreg("release", NAME)
    assert done.code == 1
    assert "main is protected" in done.stderr
    assert ready.remote_tags() == []
    assert ready.git("tag", "--list") == ""
    hook.unlink()
    assert ready.ok("release", NAME, "--json").json["releases"][0]["version"] == "1.0.0"


def test_an_unreachable_object_store_is_outside_and_nothing_is_visible(ready):
    said = refused(
        ready, "release", NAME, code=3,
        DREG_REMOTE="local", AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="top-secret",
    )  # fmt: skip
    assert "127.0.0.1:9" in said
    assert "top-secret" not in said


def test_no_credentials_is_outside_and_says_what_is_looked_for(ready, tmp_path):
    environment = {
        "DREG_REMOTE": "local", "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
    }  # fmt: skip
    said = refused(ready, "release", NAME, code=3, **environment)
    assert "AWS_ACCESS_KEY_ID" in said


def test_a_damaged_cache_is_found_before_anything_is_pushed(ready):
    lock = (ready.path / "pipelines" / NAME / "dvc.lock").read_text()
    assert "md5" in lock
    cached = next((ready.path / ".dvc" / "cache").rglob("*"), None)
    assert cached is not None
    for file in (ready.path / ".dvc" / "cache" / "files").rglob("*"):
        if file.is_file() and not file.name.endswith(".dir") and b"height_mm" in file.read_bytes():
            file.chmod(0o644)
            file.write_bytes(file.read_bytes().replace(b"basil", b"bazil"))
    said = refused(ready, "release", NAME, code=3)
    assert "is damaged" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_outside_and_the_next_try_succeeds(ready):
    ready.store.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(ready.store)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        done = ready.dreg("release", NAME)
        assert (done.code, done.stdout) == (3, "")
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        assert ready.remote_tags() == []
    finally:
        subprocess.run(["umount", str(ready.store)], check=True)
    ready.ok("release", NAME)
    assert ready.remote_tags() == ["toy-v1.0.0"]


@pytest.mark.parametrize("notes", ["", "# Ours\n\n## Unreleased\n\nMine.\n"])
def test_killed_after_the_push_the_same_command_finishes(ready, tmp_path, notes):
    if notes:
        (ready.path / "data" / NAME / "CHANGELOG.md").write_text(notes)
    pid = tmp_path / "pid"
    hook = ready.remote / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\nkill -9 $(cat {pid})\n")
    hook.chmod(0o755)
    process = subprocess.Popen(
        ["sh", "-c", f'echo $$ > {pid}; exec {sys.executable} -m dreg release {NAME}'],
        cwd=ready.path, env=ready.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert ready.remote_tags() == ["toy-v1.0.0"]
    hook.unlink()
    done = ready.ok("release", NAME)
    assert "nothing to release" in done.stdout
    assert ready.git("status", "--porcelain") == ""
    tip = ready.git("rev-parse", "main", folder=ready.remote)
    assert ready.git("rev-parse", "HEAD") == tip
    assert ready.git("tag", "--list") == "toy-v1.0.0"
    assert "## 1.0.0 - 20" in changelog(ready)
    assert ("Mine." in changelog(ready)) == bool(notes)


def test_two_datasets_released_at_once_from_two_clones_both_land(ready, tmp_path):
    ready.ok("new", "other", "--kind", "tabular")
    ready.ok("run", "other")
    ready.git("add", "pipelines/other", "data/other")
    ready.git("commit", "-q", "-m", "other")
    ready.git("push", "-q")
    second = tmp_path / "second"
    ready.git("clone", "-q", "registry.git", "second", folder=tmp_path)
    ready.ok("run", "other", folder=second)
    results = {}

    def go(name, folder):
        results[name] = ready.dreg("release", name, "--json", folder=folder)

    jobs = [
        threading.Thread(target=go, args=(NAME, ready.path)),
        threading.Thread(target=go, args=("other", second)),
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [done.code for done in results.values()] == [0, 0], [d.stderr for d in results.values()]
    assert ready.remote_tags() == ["other-v1.0.0", "toy-v1.0.0"]
    for tag in ready.remote_tags():
        assert ready.git("merge-base", tag, "main", folder=ready.remote)


def test_the_answer_as_json_has_the_documented_fields(ready):
    (released,) = json.loads(ready.ok("release", NAME, "--json", "--quiet").stdout)["releases"]
    assert sorted(released) == [
        "bump", "changelog", "commit", "dataset", "exceptions", "files", "findings", "manifest", "objects_pushed", "previous",
        "pushed_to", "pushes", "samples", "size", "state", "tag", "unpushed", "version",
    ]  # fmt: skip


def changelog(registry, at=None):
    path = f"data/{NAME}/CHANGELOG.md"
    return registry.git("show", f"{at}:{path}") if at else (registry.path / path).read_text()


def test_the_changelog_is_part_of_the_release(ready):
    released = ready.release()
    assert released["changelog"].startswith("## 1.0.0 - 20")
    ready.drop_column("leaf_mm")
    second = ready.release()
    text = changelog(ready)
    assert text == changelog(ready, "toy-v2.0.0") + "\n"
    assert "### Removed\n\n- **Breaking:** column `leaf_mm` is gone (column-removed)\n" in text
    assert text.endswith(f"{second['changelog']}\n\n{released['changelog']}\n")


def test_a_dry_run_prints_the_entry_and_writes_none(ready):
    said = ready.ok("release", NAME, "--dry-run").stdout
    assert "  changelog, in data/toy/CHANGELOG.md:\n    ## 1.0.0 - 20" in said
    assert "\n    ### Samples\n\n    - `train`: " in said
    pushed = said.partition(" to push\n")[2].partition("\n  manifest")[0].split("\n")
    names = [line.split()[0] for line in pushed]
    assert {"processed/train.csv", "processed/", "raw/", "samples.parquet"} <= set(names)
    assert f"objects   {len(names)} to push" in said
    assert not (ready.path / "data" / NAME / "CHANGELOG.md").exists()


def test_what_people_wrote_in_the_changelog_is_released_and_kept(released_once):
    file = released_once.path / "data" / NAME / "CHANGELOG.md"
    file.write_text(file.read_text().replace("\n## 1.0.0", "\n## Unreleased\n\nMine.\n\n## 1.0.0"))
    released_once.drop_column("leaf_mm")
    released_once.release()
    assert "## Unreleased\n\n## 2.0.0 - 20" in changelog(released_once)
    assert "\n\nMine.\n\n### Changed\n\n- **Breaking:** " in changelog(released_once, "toy-v2.0.0")
    assert released_once.git("status", "--porcelain") == ""


def test_a_push_that_fails_leaves_the_changelog_alone(ready):
    hook = ready.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert ready.dreg("release", NAME).code == 1
    assert not (ready.path / "data" / NAME / "CHANGELOG.md").exists()


def test_a_changelog_that_is_no_text_is_named(ready):
    (ready.path / "data" / NAME / "CHANGELOG.md").write_bytes(b"\xff\xfe")
    said = refused(ready, "release", NAME, code=2)
    assert "`data/toy/CHANGELOG.md` is not UTF-8 text" in said


def test_versions_are_linked_where_the_git_host_has_pages(ready):
    """The bare remote is reached as if by ssh to the host."""
    ssh = ready.home / "ssh"
    ssh.write_text(
        f"#!/bin/sh\nfor last; do :; done\nexec sh -c \"${{last%% *}} '{ready.remote}'\"\n"
    )
    ssh.chmod(0o755)
    ready.environment.update(GIT_SSH=str(ssh), GIT_SSH_VARIANT="ssh")
    ready.git("remote", "set-url", "origin", "git@github.com:o/r.git")
    first = ready.release()["changelog"]
    assert first.startswith("## [1.0.0] - ")
    assert first.endswith("\n\n[1.0.0]: https://github.com/o/r/tree/toy-v1.0.0")
    ready.drop_column("leaf_mm")
    assert ready.release()["changelog"].endswith(
        "\n\n[2.0.0]: https://github.com/o/r/compare/toy-v1.0.0...toy-v2.0.0"
    )


def test_a_tag_without_a_profile_does_not_block_the_next_release(ready):
    ready.git("tag", "-a", "-m", "by hand", "toy-v1.0.0")
    ready.git("push", "-q", "origin", "toy-v1.0.0")
    (released,) = ready.ok("release", NAME, "--json").json["releases"]
    assert (released["previous"], released["version"]) == ("1.0.0", "2.0.0")
    assert [finding["rule"] for finding in released["findings"]] == ["unmeasured"]


def test_bytes_that_go_where_consumers_do_not_look_are_warned_of(ready, tmp_path):
    done = ready.ok("release", NAME, DREG_REMOTE=str(tmp_path / "elsewhere"))
    assert "warning: the bytes go to" in done.stderr
    assert "consumers need DREG_REMOTE" in done.stderr
    assert "warning" not in ready.ok("release", NAME, "--dry-run").stderr


def test_a_folder_of_releases_that_is_not_mounted_is_no_new_one(released_once):
    released_once.drop_column("height_mm")
    released_once.ok("run", NAME)
    away = released_once.store.rename(released_once.home / "away")
    done = released_once.dreg("release", NAME)
    assert done.code == 3
    assert f"is not there, and `{NAME}-v1.0.0` was released before" in done.stderr
    assert "mount it" in done.stderr
    assert not released_once.store.exists()
    released_once.store.mkdir()
    done = released_once.dreg("release", NAME)
    assert done.code == 0, done.stderr
    assert f"`{NAME}-v1.0.0` is not on the remote" in done.stderr
    assert away.is_dir()
