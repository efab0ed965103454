"""What people set their git to, and push beside dreg's tags, neither stops dreg nor goes along with it."""

from __future__ import annotations

import subprocess

import pytest

from dreg.core.manifest import trailers
from dreg.core.receipt import check_placeable
from dreg.core.yank import check_reason
from dreg.errors import BadRequest, Refused
from tests.done import Done
from tests.hand_made import HandMade, file_of
from tests.small_registry import NAME, SmallRegistry
from tests.test_signed import sign_with, ssh_key


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    """One release of `wine`, in a clone and on its bare remote."""
    hand_made.release("1.0.0")
    return hand_made


def told(made: HandMade, *arguments: str) -> dict:
    done = made.dreg(*arguments, "--json", cwd=made.path, DREG_REPO="")
    assert done.code == 0, done.stderr
    return done.json


def refusal(done: Done, code: int) -> str:
    """What a command said that had to end so."""
    assert (done.code, done.stdout) == (code, ""), done.stderr
    assert "\nhint: " in done.stderr
    return done.stderr


def reference(made: HandMade, name: bytes, oid: str) -> None:
    """A reference with any bytes in its name, on the bare remote and in the clone."""
    for place in (made.bare, made.path):
        command = [b"git", b"update-ref", name, oid.encode()]
        subprocess.run(command, cwd=place, env=made.environment, check=True)


@pytest.mark.parametrize(
    "name",
    [
        "refs/tags/note\u2028x".encode(),
        "refs/heads/b\u0085x".encode(),
        b"refs/tags/caf\xe9",
        b"refs/heads/caf\xe9",
    ],
)
def test_names_with_other_ends_of_lines_or_in_no_utf_8(wine, name):
    reference(wine, name, wine.git("rev-parse", "HEAD"))
    assert [one["name"] for one in told(wine, "list")["datasets"]] == ["wine"]
    assert [one["name"] for one in told(wine, "list", "--repo", str(wine.bare))["datasets"]] == [
        "wine"
    ]
    assert told(wine, "gc", "--dry-run")["unneeded"] == []
    assert told(wine, "yank", "wine@1.0.0", "--reason", "bad")["state"] == "yanked"
    assert wine.dreg("status", cwd=wine.path, DREG_REPO="").code == 0


def test_a_message_with_any_character_that_git_takes(wine):
    wine.git("tag", "-a", "note", "-m", "x\x01\ny")
    wine.git("push", "-q", "origin", "note")
    assert [one["name"] for one in told(wine, "list")["datasets"]] == ["wine"]
    assert told(wine, "gc", "--dry-run")["unneeded"] == []


def test_git_that_shows_signatures_in_its_log(ready, tmp_path):
    sign_with(ready, ssh_key(tmp_path, "ada"), "commit.gpgSign", "log.showSignature")
    ready.commit_all()
    assert ready.release()["version"] == "1.0.0"
    assert ready.dreg("gc", "--dry-run").code == 0


def test_other_tags_of_the_user_do_not_go_along(ready):
    ready.git("config", "push.followTags", "true")
    ready.git("tag", "-a", "toy-v7.0.0", "-m", "mine")
    assert ready.dreg("release", NAME).code == 0, "which goes from what the git remote has"
    assert ready.remote_tags() == ["toy-v1.0.0"]


def test_what_arrived_at_one_of_two_push_urls_is_not_called_unreleased(ready):
    second = ready.home / "second.git"
    ready.git("clone", "-q", "--bare", "registry.git", str(second), folder=ready.home)
    hook = second / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho frozen >&2\nexit 1\n")
    hook.chmod(0o755)
    for url in (ready.remote, second):
        ready.git("remote", "set-url", "--add", "--push", "origin", str(url))
    said = refusal(ready.dreg("release", NAME), 3)
    assert "`toy-v1.0.0` was pushed, but not to every push URL of origin" in said
    hook.unlink()
    ready.ok("release", NAME)
    ready.git("push", "-q", "origin", "HEAD", "toy-v1.0.0")
    assert ready.git("tag", "--list", folder=second) == "toy-v1.0.0"


def test_a_branch_that_follows_another_one_is_told(ready):
    ready.git("switch", "-q", "-c", "work", "--track", "origin/main")
    said = ready.ok("release", NAME).stderr
    assert "`work` follows `origin/main`, and is released on a new branch `work` there" in said
    assert "to release on the other one: --branch main" in said


SIGNED = "\n-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize("signature", ["", SIGNED])
def test_words_that_are_no_signature_end_no_message(signature):
    message = "toy 1.1.0\n\n- as told in -----BEGIN NOTES----- of the wiki\n\nDreg-Samples: 3\nDreg-Reason: see -----BEGIN PGP SIGNATURE-----\n"
    assert trailers(message + signature.removeprefix("\n"))["Dreg-Samples"] == "3"


def test_no_reason_has_a_line_that_other_readers_see_as_two():
    message = "toy 1.1.0\n\nDreg-Samples: 3\nDreg-Reason: x\u2028Dreg-Samples: 4\n"
    assert trailers(message)["Dreg-Samples"] == "3"


def test_a_reason_that_git_would_take_for_a_signature(wine):
    with pytest.raises(BadRequest, match="begins as a signature"):
        check_reason("-----BEGIN PGP SIGNATURE----- hi")


def test_a_release_for_a_reason_with_dashes_has_its_manifest(ready: SmallRegistry):
    ready.release()
    ready.drop_column("leaf_mm")
    ready.ok("run", NAME)
    reason = "columns are told in -----BEGIN NOTES----- of the wiki"
    ready.ok("release", NAME, "--bump", "minor", "--reason", reason)
    assert ready.ok("fsck", "--remote", "--json").json["problems"] == []


def test_build_metadata_is_no_other_release(wine):
    wine.git("tag", "-a", "wine-v1.0.0+hotfix", "-m", "by hand", "wine-v1.0.0")
    wine.git("push", "-q", "origin", "wine-v1.0.0+hotfix")
    for command in (("fetch", "wine@1.0.0+hotfix"), ("yank", "wine@1.0.0+hotfix", "--reason", "x")):
        said = refusal(wine.dreg(*command, cwd=wine.path, DREG_REPO=""), 2)
        assert "has build metadata, and releases have none" in said
    noted = wine.dreg("fsck", cwd=wine.path, DREG_REPO="").stderr
    assert "`wine-v1.0.0+hotfix` does not count: `1.0.0+hotfix` has build metadata" in noted


def test_a_yank_that_was_only_here_gives_way_to_the_pushed_one(wine):
    wine.git("tag", "-a", "yank/wine-v1.0.0", "-m", "mine", "wine-v1.0.0")
    before = wine.git("rev-parse", "yank/wine-v1.0.0")
    done = wine.dreg(
        "yank", "wine@1.0.0", "--reason", "real", "--json", cwd=wine.path, DREG_REPO=""
    )
    assert (done.code, done.json["state"], done.json["yank"]["reason"]) == (0, "yanked", "real")
    assert f"is now the pushed one; it was {before}" in done.stderr


def test_a_dataset_is_no_release_of_one_whose_name_it_begins_with(ready):
    ready.ok("new", f"{NAME}-verb", "--kind", "tabular")
    ready.ok("run", f"{NAME}-verb")
    ready.commit_all()
    ready.ok("release", f"{NAME}-verb")
    said = refusal(ready.dreg("fsck", NAME, f"{NAME}-verb", "--remote"), 2)
    assert f"`{NAME}` was never released" in said


def test_a_lock_left_on_the_git_server_is_no_race(ready):
    (ready.remote / "refs" / "heads" / "main.lock").touch()
    said = refusal(ready.dreg("release", NAME), 3)
    assert "error: origin could not move `main`, `toy-v1.0.0`, though nobody else did" in said
    assert "somebody else pushed first" not in said
    (ready.remote / "refs" / "heads" / "main.lock").unlink()
    ready.ok("release", NAME)


def test_no_release_in_the_middle_of_a_merge(ready):
    for branch, text in (("x", "one"), ("main", "two")):
        ready.git("switch", "-q", *(["-c"] if branch == "x" else []), branch)
        (ready.path / "pipelines" / "notes.txt").write_text(text)
        ready.git("add", "pipelines/notes.txt")
        ready.git("commit", "-q", "-m", text, "pipelines/notes.txt")
    ready.git("push", "-q", "origin", "main")
    subprocess.run(["git", "merge", "-q", "x"], cwd=ready.path, env=ready.environment, check=False)
    said = refusal(ready.dreg("release", NAME), 1)
    assert "a merge is in progress here" in said
    assert ready.remote_tags() == []
    ready.git("merge", "--abort")
    ready.ok("release", NAME)


def test_a_stale_clone_without_changes_is_told_nothing_of_a_stash(ready, tmp_path):
    ready.release()
    (tmp_path / "two").mkdir()
    other = ready.copy(tmp_path / "two")
    other.git("remote", "set-url", "origin", str(ready.remote))
    (other.path / ".dvc/config.local").write_text(
        f"[core]\n    remote = disk\n['remote \"disk\"']\n    url = {ready.store}\n"
    )
    other.drop_column("leaf_mm")
    other.commit_all()
    other.release()
    said = refusal(ready.dreg("release", NAME), 1)
    assert "stale" in said
    assert "hint: git pull; dreg run toy; then release again" in said
    ready.git("pull", "-q")


def test_one_name_written_in_two_ways_is_told_so():
    files = [file_of(path, b"x") for path in ("caf\u00e9", "cafe\u0301")]
    with pytest.raises(
        Refused, match=r"'caf\\xe9' and 'cafe\\u0301', which are one name in Unicode"
    ):
        check_placeable(files)
