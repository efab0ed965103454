"""What the operating system refuses is told as a fact, with a command that helps."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dreg.adapters.git.process import failure
from dreg.adapters.os_errors import IN_WORDS, LOOP, in_disguise, in_words_of_git, is_full, outside
from tests.small_registry import NAME


def failed(registry, *arguments: str, folder: Path | None = None) -> str:
    """The stderr of a command that must fail by what is outside."""
    done = registry.dreg(*arguments, folder=folder)
    assert (done.code, done.stdout) == (3, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """The folder, mounted over itself so that nobody can write to it."""
    mount = ["mount", "--bind", str(place), str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_remote_that_is_read_only(ready):
    ready.store.mkdir()
    with read_only(ready.store):
        said = failed(ready, "release", NAME)
    assert f"error: the file system is read-only at `{ready.store}" in said
    assert f"hint: mount it for writing (findmnt -T {ready.store} says which it is)" in said
    assert ready.remote_tags() == []
    ready.ok("release", NAME)


@pytest.mark.parametrize("place", ["clone", "git remote"])
def test_a_repository_that_is_read_only(ready, place):
    with read_only(ready.path / ".git" if place == "clone" else ready.remote):
        said = failed(ready, "release", NAME)
    if place == "clone":
        assert f"error: the file system is read-only at `{ready.path}/.git/dreg-scratch-" in said
        assert f"hint: mount it for writing (findmnt -T {ready.path}/.git says which it is)" in said
    else:
        assert "error: the git server could not keep what was pushed; nothing was changed" in said
    assert ready.remote_tags() == []
    ready.ok("release", NAME)


def test_a_folder_where_a_file_is_expected(ready):
    profile = ready.path / "data" / NAME / "metadata.json"
    profile.unlink()
    profile.mkdir()
    said = failed(ready, "check", NAME)
    assert f"error: a folder is where a file is expected at `{profile}`" in said
    assert f"hint: move it away: mv {profile} {profile}.old; then run the command again" in said


@pytest.mark.parametrize("place", ["a" * 300, "loop/x"])
def test_places_that_cannot_be(released_once, place):
    (released_once.home / "loop").symlink_to("loop")
    said = failed(
        released_once,
        "fetch",
        NAME,
        "--repo",
        str(released_once.remote),
        "-o",
        place,
        folder=released_once.home,
    )
    assert "--debug" not in said
    assert "; then run the command again" in said


def test_a_file_where_a_folder_is_expected(released_once):
    said = failed(released_once, "export", NAME, "-o", "README.md/bundle.tar")
    assert "error: something else is there already at `README.md`\n" in said
    assert "hint: move it away: mv README.md README.md.old; then run the command again" in said


def test_a_file_where_dreg_keeps_its_own(ready):
    tmp = ready.path / ".dvc" / "tmp"
    subprocess.run(["rm", "-r", str(tmp)], check=True)
    tmp.write_text("")
    said = failed(ready, "run", NAME, "--force")
    assert "--debug" not in said


@pytest.mark.parametrize("number", sorted(IN_WORDS))
def test_each_has_a_fact_and_a_command(number):
    error = outside(OSError(number, os.strerror(number), "/data/my files"))
    assert not error.fact.startswith(os.strerror(number))
    assert "--debug" not in error.hint
    assert "{" not in error.hint
    assert error.hint.endswith("; then run the command again")
    assert outside(OSError(number, os.strerror(number))).fact in error.fact
    by_git = in_words_of_git(
        f"warning: x\nerror: cannot open '/data/x': {os.strerror(number)}\nfatal: y"
    )
    assert by_git is None or (by_git.errno, by_git.filename) == (number, "/data/x")


def test_the_hint_names_what_is_there(tmp_path):
    gone = str(tmp_path / "no" / "such")
    assert outside(OSError(errno.ENOSPC, "No space left on device", gone)).hint == (
        f"free some space: df -h {tmp_path}; then run the command again"
    )
    assert "df -h; then" in outside(OSError(errno.ENOSPC, "No space left on device")).hint


def test_what_a_server_refuses_is_not_what_the_system_refuses():
    refused = failure(
        ["fetch"], "git@example.com: Permission denied (publickey).\nfatal: Could not read"
    )
    assert refused.fact == "the git server refused access"
    assert failure(["fetch"], "fatal: could not open 'x' for writing: Permission denied").fact == (
        "permission denied"
    )


def test_what_a_library_says_besides_is_told_too():
    error = outside(OSError(errno.ENOSPC, "wrote 4096 of 8192 bytes"))
    assert error.fact == "the disk is full: wrote 4096 of 8192 bytes"


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("can't start new thread"), RuntimeError(f"{LOOP}'/a/b'")]
)
def test_what_python_raises_in_its_stead_is_known(error):
    known = in_disguise(error)
    assert known is not None
    assert known.errno in IN_WORDS
    assert (known.filename == "/a/b") == ("loop" in str(error))


def test_another_runtime_error_is_none_of_the_systems():
    assert in_disguise(RuntimeError("generator raised StopIteration")) is None


def test_a_path_is_quoted_for_the_shell():
    error = outside(OSError(errno.EACCES, os.strerror(errno.EACCES), "/data/my files"))
    assert "ls -ld /;" in error.hint
    error = outside(OSError(errno.EISDIR, os.strerror(errno.EISDIR), "/data/my files"))
    assert "mv '/data/my files' '/data/my files'.old;" in error.hint


def test_what_nobody_foresaw_is_told_as_the_system_says_it():
    error = outside(OSError(errno.EXDEV, os.strerror(errno.EXDEV), "/x"))
    assert error.fact == "invalid cross-device link at `/x`"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_quota_that_is_used_up_is_a_full_disk(number):
    assert is_full(OSError(number, os.strerror(number)))
    assert not is_full(OSError(errno.EIO, "Input/output error"))
    assert not is_full(ValueError("28"))
