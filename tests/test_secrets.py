"""No command tells a password or a key: not in answers, errors or tracebacks, not in what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreg.cli import run
from tests.done import Done
from tests.git_server import PASSWORD, USER, serving
from tests.s3_server import SECRET
from tests.small_registry import NAME, SmallRegistry

TOKEN = "session-token-never-shown"


@pytest.fixture
def told(ready: SmallRegistry, s3):
    """A registry whose git remote has a password in its URL and whose bytes are on S3; and all it said."""
    said: list[tuple[tuple[str, ...], Done]] = []
    with serving(ready.home) as address:
        ready.git("config", "http.receivepack", "true", folder=ready.remote)
        url = f"http://{USER}:{PASSWORD}@{address}/registry.git"
        ready.git("remote", "set-url", "origin", url)
        environment = {**s3.environment, "DREG_REMOTE": s3.url, "AWS_ENDPOINT_URL": s3.endpoint}

        def run(*arguments: str, folder: Path | None = None, **more: str) -> Done:
            done = ready.dreg(*arguments, folder=folder, **{**environment, **more})
            said.append((arguments, done))
            return done

        yield ready, url, run, said


def refuse_secrets(text: str, where: object) -> None:
    for secret in (PASSWORD, SECRET, TOKEN):
        assert secret not in text, where


def test_no_command_tells_a_secret(told, tmp_path):
    registry, url, run, said = told
    train = tmp_path / "train"
    train.mkdir()
    registry.store.mkdir()  # nothing is in it: `remote check` wants a folder where releases are
    assert run("release", NAME, "--json").code == 0, said[-1]
    for arguments in (
        ("release", NAME), ("status",), ("list",), ("show", NAME), ("show", NAME, "--provenance"),
        ("diff", NAME), ("check", NAME), ("list", "--repo", url), ("show", NAME, "--repo", url),
        ("fsck", "--remote"), ("gc", "--json"), ("export", NAME, "-o", "b.tar"),
        ("export", NAME, "--repo", url, "-o", "c.tar"), ("import", "b.tar", "--json"),
        ("yank", f"{NAME}@1.0.0", "--reason", "x", "--json"), ("unyank", f"{NAME}@1.0.0", "--json"),
        ("remote", "list"), ("remote", "check", "disk"),
    ):  # fmt: skip
        assert run(*arguments, "--debug").code == 0, said[-1]
    assert run("fetch", NAME, "--repo", url, folder=train).code == 0, said[-1]
    # And when something is wrong.
    wrong = url.replace(PASSWORD, f"{PASSWORD}x")
    away = url.replace("127.0.0.1", "127.0.0.2")
    for bad in (wrong, away, url.replace("registry.git", "nowhere.git"), f"ext::{url}"):
        for command in (("fetch", NAME), ("export", NAME)):
            assert run(*command, "--repo", bad, "--debug", folder=train).code in (1, 2, 3)
    registry.git("remote", "set-url", "origin", wrong)
    for command in (
        ("release", NAME), ("fsck", "--remote"), ("gc",), ("yank", f"{NAME}@1.0.0", "--reason", "y"),
        ("export", NAME),
    ):  # fmt: skip
        run(*command, "--debug", "--json")
    registry.git("remote", "set-url", "origin", url)
    for more in (
        {"AWS_SECRET_ACCESS_KEY": f"{SECRET}x"}, {"AWS_SESSION_TOKEN": TOKEN},
        {"AWS_ENDPOINT_URL": f"http://{USER}:{PASSWORD}@127.0.0.2:1"},
        {"DREG_REMOTE": f"http://{USER}:{PASSWORD}@127.0.0.2:1/x"},
    ):  # fmt: skip
        for command in (
            ("fsck", "--remote"),
            ("gc",),
            ("remote", "check", "minio"),
            ("export", NAME),
        ):
            run(*command, "--debug", **more)
    assert len(said) > 35
    for arguments, done in said:
        refuse_secrets(done.stdout + done.stderr, (arguments, done))
    written = [train, registry.path / "data", registry.path / "pipelines", registry.home / "cache"]
    (written_manifest,) = [d for _, d in said if '"releases"' in d.stdout][:1]
    assert written_manifest.json["releases"][0]["pushed_to"].startswith("http://127.0.0.1")
    for folder in written:
        for path in folder.rglob("*"):
            if path.is_file():
                refuse_secrets(path.read_bytes().decode(errors="replace"), path)
    for file in ("b.tar", "c.tar"):
        refuse_secrets((registry.path / file).read_bytes().decode(errors="replace"), file)
    objects = registry.git(
        "cat-file", "--batch-all-objects", "--batch-check", folder=registry.remote
    )
    for line in objects.splitlines():
        oid, kind, _ = line.split()
        if kind != "tree":
            refuse_secrets(registry.git("cat-file", kind, oid, folder=registry.remote), line)


def test_a_folder_that_the_shell_names_is_no_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path))
    monkeypatch.setenv("DB_PWD", "correct-horse")
    assert run(["init", "correct-horse"]) == 0
    assert f"{tmp_path}/(withheld)" in capsys.readouterr().out
