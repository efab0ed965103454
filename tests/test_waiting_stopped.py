"""Who stops waiting for a submission is told that it goes on, and how to look after it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kubernetes_server import NAMESPACE
from tests.small_registry import NAME
from tests.test_submit import RUNNING, made

WAIT = 120  # seconds
DREG = str(Path(sys.executable).parent / "dreg")


@pytest.mark.parametrize("how", ["--wait", "--follow"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_the_waiting_and_not_the_run(registry, kubernetes, number, code, how):
    config = kubernetes.kubeconfig(registry.home)
    kubernetes.pod("toy-1-plan-1", {"workflows.argoproj.io/workflow": f"{NAME}-1"}, "hello")
    kubernetes.plays = [RUNNING] * 3000
    waiting = started(registry, config, "--namespace", NAMESPACE, how)
    assert waiting.stderr
    first = waiting.stderr.readline()
    assert f"workflow/{NAME}-1 is submitted" in first
    until = time.monotonic() + WAIT
    while not {("watch", "workflows"), ("get", "workflows")} & {*kubernetes.asked}:
        assert time.monotonic() < until, kubernetes.asked
        time.sleep(0.01)
    os.kill(waiting.pid, number)
    _, said = waiting.communicate(timeout=WAIT)
    assert waiting.returncode == code, said
    named = f"workflow/{NAME}-1 --namespace {NAMESPACE}"
    assert f"error: {number.name} ended the waiting for `workflow/{NAME}-1`, which goes on" in said
    assert f"hint: dreg submit status {named}; to end it: dreg submit cancel {named}" in said
    assert "Traceback" not in said
    (workflow,) = made(kubernetes)
    assert "shutdown" not in workflow["spec"]


def test_before_the_answer_to_a_submission_nobody_claims_that_it_is_there(registry, kubernetes):
    config = kubernetes.kubeconfig(registry.home)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(WAIT)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        config.write_text(config.read_text().replace(kubernetes.url, url))
        waiting = started(registry, config, "--wait")
        asking, _ = deaf.accept()
        assert asking.recv(4) == b"POST"
        os.kill(waiting.pid, signal.SIGTERM)
        _, said = waiting.communicate(timeout=WAIT)
    assert waiting.returncode == 143, said
    assert f"SIGTERM came before it was known whether `workflow/{NAME}-1` is submitted" in said
    assert f"hint: dreg submit status workflow/{NAME}-1" in said
    assert "goes on" not in said


def started(registry, config, *options):
    """`dreg submit`, on its own in a process."""
    return subprocess.Popen(
        [DREG, "submit", NAME, "--to", "argo", "--id", f"{NAME}-1", *options],
        cwd=registry.path, env={**registry.environment, "KUBECONFIG": str(config)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
