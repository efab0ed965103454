"""A real MLflow server for tests, one per test process, and a local store beside it.

What a test did is forgotten after it: who uses a release is looked for among all runs that there are.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_ports

SERVER = Path(sys.prefix) / "mlflow" / "bin" / "python"
PATIENCE = 180  # seconds; the first start makes the database


@dataclass(frozen=True)
class Started:
    """The server, and the database that it keeps everything in, as a file."""

    url: str
    database: Path


@pytest.fixture(scope="session")
def mlflow_started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    if not SERVER.exists():
        pytest.skip("MLflow's server is not installed: make neighbours")
    folder = tmp_path_factory.mktemp("mlflow")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [
        str(SERVER), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"MLflow did not start:\n{(folder / 'log').read_text()[-3000:]}")
            time.sleep(0.2)
        yield Started(url, folder / "mlflow.db")
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)


@pytest.fixture
def mlflow_server(mlflow_started: Started) -> Iterator[str]:
    """The server's URL. It knows of nothing."""
    with closing(sqlite3.connect(":memory:")) as before:
        with closing(sqlite3.connect(mlflow_started.database)) as now:
            now.backup(before)
        yield mlflow_started.url
        with closing(sqlite3.connect(mlflow_started.database)) as now:
            before.backup(now)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(params=["folder", "server"])
def tracking(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A tracking store that MLflow is set to, local and over http."""
    import mlflow

    local = request.param == "folder"
    uri = (tmp_path / "mlruns").as_uri() if local else request.getfixturevalue("mlflow_server")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield uri
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri(None)
