"""MLflow's server, in the environment of its own that the Makefile makes."""

from __future__ import annotations

import signal
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from deploy.services.environment import inherited, port
from deploy.services.server import LOOPBACK, NotYet
from dreg.errors import Outside


class MLflow:
    """The tracking server, with runs in SQLite and artifacts in a folder."""

    name = "mlflow"
    variable = "MLFLOW_PORT"
    stop_by = signal.SIGTERM

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder / self.name
        self.port = port(environment, self.variable)
        self._environment = environment

    def prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)

    def command(self) -> list[str]:
        program = Path(sys.prefix) / "mlflow" / "bin" / "python"
        if not program.exists():
            raise Outside("MLflow's server is not installed", hint="make services installs it")
        data = self.folder / "data"
        return [
            str(program), "-m", "mlflow", "server", f"--host={LOOPBACK}", f"--port={self.port}", "--workers=1",
            f"--backend-store-uri=sqlite:///{data}/mlflow.db", f"--artifacts-destination={data}/artifacts",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        options = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        return {**inherited(self._environment), **options}

    def ask(self) -> str:
        url = f"http://{LOOPBACK}:{self.port}"
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return f"http://localhost:{self.port}"
        except OSError as error:
            raise NotYet(str(error)) from error
