"""A real Ray head for tests: its job API on loopback, with a token. Its jobs find `dreg` on the PATH and S3's keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_ports

TOKEN = "a-token-of-more-than-thirty-two-letters-that-may-submit"


@dataclass(frozen=True)
class RayHead:
    """Where jobs are submitted. `environment` has what who submits needs."""

    address: str

    @property
    def environment(self) -> dict[str, str]:
        return {"RAY_API_SERVER_ADDRESS": self.address, "RAY_AUTH_TOKEN": TOKEN}


@contextmanager
def ray_head(environment: Mapping[str, str]) -> Iterator[RayHead]:
    """A head of this machine's processors, whose jobs have that environment."""
    ports = free_ports(6)
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # a short path: it has sockets
    binaries = Path(sys.executable).parent
    ours = {
        **environment, "PATH": f"{binaries}:{os.environ['PATH']}", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
    }  # fmt: skip
    names = ("port", "dashboard-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port",
             "metrics-export-port", "runtime-env-agent-port")  # fmt: skip
    command = [
        str(binaries / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
        "--dashboard-host=127.0.0.1", "--include-dashboard=true", "--num-cpus=2", "--object-store-memory=100000000",
        "--disable-usage-stats", f"--temp-dir={folder}",
        *(f"--{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]  # fmt: skip
    log = (folder / "head.log").open("wb")
    process = subprocess.Popen(
        command,
        env=ours,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{ports[1]}"
        wait_for(address, process, folder)
        yield RayHead(address)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(address: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    request = urllib.request.Request(
        f"{address}/api/jobs/", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(f"Ray did not start:\n{(folder / 'head.log').read_text()[-3000:]}")
