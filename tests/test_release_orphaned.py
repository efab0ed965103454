"""A release is killed alone while git pushes for it: git goes on, and whoever releases next lets it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

from tests.small_registry import NAME

WAIT = 120  # seconds
# Before the references are locked: what is to be pushed is noted, and who comes second has the first go on.
ARRIVED = """#!/bin/sh
if [ -e {started} ]; then touch {go}; cat > /dev/null; else cat > {pushed}; fi
"""
# While they are locked.
LOCKED = """#!/bin/sh
if [ "$1" = prepared ] && [ ! -e {started} ]; then
    touch {started}
    until [ -e {go} ]; do sleep 0.05; done
fi
"""


def test_what_a_living_git_has_locked_stays_locked(ready, tmp_path):
    files = {name: tmp_path / name for name in ("started", "go", "pushed")}
    for name, text in (("pre-receive", ARRIVED), ("reference-transaction", LOCKED)):
        hook = ready.remote / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(text.format(**files))
        hook.chmod(0o755)
    killed = subprocess.Popen(
        [sys.executable, "-m", "dreg", "release", NAME], cwd=ready.path, env=ready.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + WAIT
        while not files["started"].exists():
            assert killed.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        os.kill(killed.pid, signal.SIGKILL)  # and not the git that it started
        killed.wait()
        done = ready.dreg("release", NAME)
        assert done.code == 0, done.stderr
        pushed = {line.split()[2]: line.split()[1] for line in files["pushed"].open()}
        assert sorted(pushed) == ["refs/heads/main", f"refs/tags/{NAME}-v1.0.0"]
        for reference, oid in pushed.items():
            assert ready.git("rev-parse", reference, folder="registry.git") == oid
            assert ready.git("rev-parse", reference) == oid
        for git in (ready.remote, ready.path / ".git"):
            assert [*git.rglob("*.lock"), *git.glob("dreg-scratch-*")] == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)
