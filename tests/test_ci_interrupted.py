"""A run that is ended by a signal, as Ctrl-C, a cancelled job and a machine that goes send it: it says what it did."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from dreg.adapters.ending import PATIENCE
from dreg.ci.rendering import workflows
from dreg.core.ci.result_schema import result_schema
from tests.ci_jobs import ACTIONS, job, states
from tests.small_registry import NAME
from tests.test_ci_run import change, push

WAIT = 120.0  # seconds
DREG = str(Path(sys.executable).parent / "dreg")
WAITING = """\
import pathlib, signal, sys, time
{first}
pathlib.Path({started!r}).touch()
while not pathlib.Path({go!r}).exists():
    time.sleep(0.02)
{rest}
"""


class Running:
    """`dreg ci run` of a job, on its own in a process."""

    def __init__(self, registry, folder, *arguments, command=None, **environment):
        self.results = folder.parent / "results"
        self.summary = folder.parent / "summary.md"
        told = {**ACTIONS, "GITHUB_STEP_SUMMARY": str(self.summary), **environment}
        self.process = subprocess.Popen(
            command or [DREG, "ci", "run", "--out", str(self.results), *arguments],
            cwd=folder, env={**registry.environment, **told}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def ended_by(self, *numbers, once):
        """The result that it leaves when it gets these signals, the first as soon as the file `once` is there."""
        seen(once)
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(0.1)
        began = time.monotonic()
        try:
            self.said, self.noted = self.process.communicate(timeout=WAIT)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.took = time.monotonic() - began
        assert "Traceback" not in self.noted, self.noted
        assert sorted(path.name for path in self.results.iterdir()) == ["result.json"]
        result = json.loads((self.results / "result.json").read_text())
        jsonschema.validate(result, result_schema())
        return result


def seen(path, within=WAIT):
    until = time.monotonic() + within
    while not path.exists():
        assert time.monotonic() < until, f"{path} never came"
        time.sleep(0.02)


def of(result, name):
    return next(one for one in result["datasets"] if one["dataset"] == name)


@pytest.fixture
def waiting(registry):
    """A registry in which `other` is released and `toy` waits in its pipeline, deaf to the signals `deaf`."""

    def prepared(*deaf):
        started, go = registry.home / "started", registry.home / "go"
        registry.ok("new", "other", "--kind", "tabular")
        push(registry)
        job(registry, "first").run()
        registry.git("pull", "-q")
        script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
        first = "; ".join(f"signal.signal({int(number)}, signal.SIG_IGN)" for number in deaf)
        script.write_text(
            WAITING.format(first=first, started=str(started), go=str(go), rest=script.read_text())
        )
        change(registry)
        return started, go

    return prepared


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_what_was_done_and_what_was_not_is_told_and_the_next_run_takes_it_up(
    registry, waiting, number, code
):
    started, go = waiting()
    ran = job(registry, "second")
    running = Running(registry, ran.path)
    result = running.ended_by(number, once=started)
    assert running.process.returncode == result["exit_code"] == code
    assert states(result) == {"other": "unchanged", NAME: "failed"}
    assert of(result, NAME)["why"] == f"{number.name} ended the run while pipelines ran"
    assert result["error"]["fact"] == f"{number.name} ended the run, with 1 of 2 datasets done"
    assert f"error: {number.name} ended the run" in running.noted
    assert (
        f"hint: run the rest again, it takes up where this was: dreg ci run {NAME}" in running.noted
    )
    assert f"{number.name} ended the run while pipelines ran" in running.summary.read_text()
    assert registry.remote_tags() == ["other-v1.0.0", "toy-v1.0.0"]
    go.touch()
    assert states(ran.run()) == {"other": "unchanged", NAME: "changed"}


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]])
def test_a_stage_that_will_not_end_keeps_nobody_from_telling(registry, waiting, numbers):
    """GitHub kills 7.5 s after it asked; who asks twice has waited enough."""
    started, _ = waiting(signal.SIGINT, signal.SIGTERM)
    running = Running(registry, job(registry, "second").path)
    result = running.ended_by(*numbers, once=started)
    assert running.process.returncode == result["exit_code"] == 128 + numbers[0]
    assert states(result) == {"other": "unchanged", NAME: "failed"}
    assert running.took < (7.5 if len(numbers) == 1 else PATIENCE)
    until = time.monotonic() + WAIT
    while stages(registry):
        assert time.monotonic() < until, "its stage goes on without it"
        time.sleep(0.05)


def stages(registry):
    """Processes that work in the registry's folders."""
    inside = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(registry.home) in str((process / "cwd").readlink()):
                inside.append(process.name)
        except OSError:
            continue
    return inside


def test_what_was_in_the_midst_of_being_released_is_told_so_and_nothing_of_it_is_lost(registry):
    started = registry.home / "started"
    hook = registry.remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(started))}\nsleep 20\n")
    hook.chmod(0o755)
    ran = job(registry)
    running = Running(registry, ran.path)
    result = running.ended_by(signal.SIGTERM, once=started)
    assert of(result, NAME)["why"] == "SIGTERM ended the run while it was being released"
    assert result["exit_code"] == 143
    hook.unlink()
    assert job(registry, "again").run()["datasets"][0]["tag"] == "toy-v1.0.0"
    assert registry.remote_tags() == ["toy-v1.0.0"]


def test_before_there_is_a_registry_it_says_that_nothing_was_looked_at(registry):
    folder = registry.home / "pod"
    folder.mkdir()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"git://127.0.0.1:{server.getsockname()[1]}/registry.git"
        running = Running(registry, folder, "--repo", address)
        connection, _ = server.accept()
        result = running.ended_by(signal.SIGTERM, once=folder)
        connection.close()
    assert (result["exit_code"], result["datasets"], result["commit"]) == (143, [], None)
    assert result["error"]["fact"] == "SIGTERM ended the run before it looked at any dataset"


def test_an_address_that_has_no_registry_is_a_result_too(registry):
    folder = registry.home / "pod"
    folder.mkdir()
    done = registry.dreg("ci", "run", "--repo", "/nowhere", "--out", "out", folder=folder)
    result = json.loads((folder / "out" / "result.json").read_text())
    jsonschema.validate(result, result_schema())
    assert (done.code, result["exit_code"], result["datasets"]) == (3, 3, [])
    assert "nowhere" in str(result["error"])


def test_a_cancelled_step_is_asked_itself_and_not_only_the_shell_around_it(registry, waiting):
    """GitHub's runner signals the process that it started, which is a shell that waits for its command."""
    started, _ = waiting()
    steps = yaml.safe_load(workflows(own=False)[".github/workflows/run-data-pipelines.yaml"])
    (step,) = (s["run"] for s in steps["jobs"]["release"]["steps"] if "ci run" in s.get("run", ""))
    script = registry.home / "step.sh"
    script.write_text(step)
    ran = job(registry, "second")
    temporary = ran.path.parent / "temp"
    running = Running(
        registry, ran.path, command=["bash", "-e", str(script)], RUNNER_TEMP=str(temporary),
        PATH=f"{Path(DREG).parent}:{os.environ['PATH']}",
    )  # fmt: skip
    running.results = temporary / "result"
    result = running.ended_by(signal.SIGINT, once=started)
    assert (running.process.returncode, result["exit_code"]) == (130, 130)
    assert states(result) == {"other": "unchanged", NAME: "failed"}
