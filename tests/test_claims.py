"""Several dreg in one work tree: who changes a dataset has it alone, who reads never waits."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dreg.adapters.claims import Claims, claims_folder, patience
from dreg.errors import BadRequest, Outside
from tests.pipeline_registry import PipelineRegistry, stop

WAIT = 120.0
ME = f"{getpass.getuser()}@{socket.gethostname()}"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> PipelineRegistry:
    """Two datasets, and one that is made from the first; copied, never changed."""
    registry = PipelineRegistry.make(tmp_path_factory.mktemp("ran") / "registry", "alpha", "beta")
    registry.add("gamma", upstream=("alpha",), reads=("../../data/alpha/processed",))
    done = registry.dreg("run", "--all")
    assert done.code == 0, done.stderr
    registry.commit()
    return registry


@pytest.fixture
def registry(ran: PipelineRegistry, tmp_path: Path) -> PipelineRegistry:
    shutil.copytree(ran.root, tmp_path / "registry", symlinks=True)
    return PipelineRegistry(tmp_path / "registry")


@contextlib.contextmanager
def running(registry: PipelineRegistry, name: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run of the dataset that ends when the file is there."""
    begun, go = registry.root.parent / f"{name}-begun", registry.root.parent / f"{name}-go"
    path = f"pipelines/{name}/scripts/process.py"
    waiting = (
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
    )
    registry.write(path, waiting + registry.read(path))
    process = registry.start("run", name)
    try:
        until(begun.exists)
        yield process, go
    finally:
        stop(process)


def until(condition) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_second_run_of_a_dataset_waits_and_says_for_whom(registry):
    with running(registry, "alpha") as (first, go):
        second = registry.start("run", "alpha")
        said = second.stderr.readline()
        assert said.startswith(
            f"alpha | `alpha` is in use by {ME} (pid {first.pid}, `dreg run alpha`, "
        )
        waits = re.search(r"; waiting up to (\d+) s$", said)
        assert waits is not None
        assert 300 < int(waits[1]) <= 600
        go.touch()
        for process in (first, second):
            stdout, stderr = process.communicate(timeout=WAIT)
            assert process.returncode == 0, stderr
        assert "up to date" in stdout
    assert list(claims_folder(registry.root).iterdir()) == []


def test_who_does_not_wait_that_long_is_told_who_is_at_it(registry):
    with running(registry, "alpha") as (first, _):
        done = registry.dreg("run", "alpha", "--wait", "0")
        assert done.code == 3
        assert done.stderr.startswith(f"error: `alpha` is in use by {ME} (pid {first.pid}, ")
        assert done.stderr.endswith(
            "\nhint: run the command again when that has ended, or wait longer: --wait SECONDS\n"
        )
        done = registry.dreg("run", "alpha", "--json", "--quiet", DREG_WAIT="0.2")
        assert done.json["error"]["fact"].startswith("`alpha` is still in use after 0.2 s by ")
        assert done.stderr.startswith("error: ")


def test_reading_and_other_datasets_do_not_wait(registry):
    registry.replace("pipelines/beta/params.yaml", "factor: 2", "factor: 3")
    with running(registry, "alpha"):
        for command in (("status",), ("diff", "alpha"), ("list",), ("check", "beta")):
            done = registry.dreg(*command, DREG_WAIT="0")
            assert "in use" not in done.stderr
        assert registry.dreg("status", DREG_WAIT="0").code == 0
        assert registry.dreg("run", "beta", "--wait", "0").code == 0


def test_what_a_run_reads_is_not_changed_meanwhile(registry):
    registry.replace("pipelines/gamma/params.yaml", "factor: 2", "factor: 3")
    with running(registry, "gamma") as (first, go):
        registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
        done = registry.dreg("run", "alpha", "--wait", "0")
        assert done.code == 3
        assert f"`alpha` is in use by {ME} (pid {first.pid}, `dreg run gamma`, " in done.stderr
        go.touch()
        first.communicate(timeout=WAIT)
        assert first.returncode == 0
    assert registry.dreg("run", "alpha", "--wait", "0").code == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_claim_ends_with_its_process(registry, number):
    with running(registry, "alpha") as (first, go):
        first.send_signal(number)
        first.wait(WAIT)
        go.touch()
        done = registry.dreg("run", "alpha", "--wait", str(WAIT))
        assert done.code == 0, done.stderr
    assert list(claims_folder(registry.root).iterdir()) == []


def test_whoever_is_killed_while_others_wait_is_not_awaited_by_dvc(registry):
    """DVC notes who writes what, by process ids, and takes one that nobody has waited for yet for alive."""
    other = subprocess.Popen(["sleep", "600"])
    try:
        with claims(registry.root).of("alpha"):
            info = {"pid": other.pid, "cmd": "sleep 600"}
            written = {str(registry.root / "data" / "alpha" / "processed"): info}
            record = json.dumps({"write": written, "read": {}})
            registry.write(".dvc/tmp/rwlock", record)
            registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
            second = registry.start("run", "alpha")
            assert "is in use by" in second.stderr.readline()
            other.kill()
            os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        _, stderr = second.communicate(timeout=WAIT)
        assert second.returncode == 0, stderr
    finally:
        other.kill()
        other.wait()


def test_ctrl_c_ends_the_waiting(registry):
    with running(registry, "alpha"):
        second = registry.start("run", "alpha")
        assert "is in use by" in second.stderr.readline()
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=WAIT)
        assert second.returncode == 130


def test_time_to_wait_is_seconds(registry, monkeypatch):
    monkeypatch.delenv("DREG_WAIT", raising=False)
    assert patience(None) == 600
    for text in ("soon", "-1", "inf", "nan"):
        monkeypatch.setenv("DREG_WAIT", text)
        with pytest.raises(BadRequest):
            patience(None)
    assert registry.dreg("run", "alpha", DREG_WAIT="soon").code == 2


def claims(root: Path, doing: str = "test", wait: float = 0.0) -> Claims:
    return Claims(root, doing, wait, lambda line: None)


STARTER = """\
import os, subprocess, sys
from pathlib import Path
from dreg.adapters.claims import Claims
with Claims(Path(sys.argv[1]), "starter", 0, print).of("alpha") as handles:
    child = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    subprocess.Popen(child, pass_fds=handles, stdout=subprocess.DEVNULL)
    print("started", flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_child_that_has_the_handles_keeps_the_claim(tmp_path):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert starter.stdout.readline() == "started\n"
    assert starter.wait(WAIT) == -signal.SIGKILL
    with pytest.raises(Outside) as refused, claims(tmp_path).of("alpha"):
        pass
    assert "`starter`" in refused.value.fact
    starter.communicate(timeout=WAIT)
    with claims(tmp_path, wait=WAIT).of("alpha"):
        pass


def test_those_who_read_a_dataset_share_it(tmp_path):
    with (
        claims(tmp_path, "one").of("b", reading={"a"}),
        claims(tmp_path, "two").of("c", reading={"a"}),
    ):
        with pytest.raises(Outside) as refused, claims(tmp_path).of("a"):
            pass
        assert "`one`" in refused.value.fact
        assert "`two`" in refused.value.fact
    with claims(tmp_path).of("a"):
        pass
    assert list(claims_folder(tmp_path).iterdir()) == []


def test_many_at_once_are_never_two_at_one(tmp_path):
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with claims(tmp_path, wait=WAIT).of("a"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)
    assert list(claims_folder(tmp_path).iterdir()) == []
