"""Who stops waiting for a submission is told that it goes on, and how to look after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_registry import NAME
from tests.test_submit import RUNNING, made

DREG = str(Path(sys.executable).parent / "dreg")


@pytest.mark.parametrize("how", ["--wait", "--follow"])
def test_ctrl_c_ends_the_waiting_and_not_the_run(registry, kubernetes, how):
    config = kubernetes.kubeconfig(registry.home)
    kubernetes.pod("toy-1-plan-1", {"workflows.argoproj.io/workflow": f"{NAME}-1"}, "hello")
    kubernetes.plays = [RUNNING] * 3000
    waiting = subprocess.Popen(
        [DREG, "submit", NAME, "--to", "argo", "--id", f"{NAME}-1", how],
        cwd=registry.path, env={**registry.environment, "KUBECONFIG": str(config)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert waiting.stderr
    first = waiting.stderr.readline()
    assert f"workflow/{NAME}-1 is submitted" in first
    time.sleep(1)  # it waits by now
    os.kill(waiting.pid, signal.SIGINT)
    _, said = waiting.communicate(timeout=20)
    assert waiting.returncode == 130, said
    assert "goes on" in said
    assert f"dreg submit status workflow/{NAME}-1" in said
    assert "Traceback" not in said
    (workflow,) = made(kubernetes)
    assert "shutdown" not in workflow["spec"]
