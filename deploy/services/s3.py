"""SeaweedFS: an S3 server that knows one key, with the bucket of the remote `local`."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.services.environment import inherited, port, value
from deploy.services.server import LOOPBACK, NotYet, free_ports
from dreg.errors import Outside

# Parts of the one process that only itself talks to.
INNER = ("master", "volume", "filer", "admin")


class S3:
    """The server with its bucket."""

    name = "s3"
    variable = "S3_PORT"
    stop_by = signal.SIGTERM

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder / self.name
        self.port = port(environment, self.variable)
        self.bucket = value(environment, "S3_BUCKET")
        self._key = value(environment, "AWS_ACCESS_KEY_ID")
        self._secret = value(environment, "AWS_SECRET_ACCESS_KEY")
        self._environment = environment

    def prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)

    def command(self) -> list[str]:
        beside = Path(sys.executable).parent / "weed"
        program = str(beside) if beside.exists() else shutil.which("weed")
        if program is None:
            raise Outside("SeaweedFS is not installed", hint="make services installs it")
        command = [
            program, "-logtostderr=true", "mini", f"-dir={self.folder / 'data'}", f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}", f"-s3.port={self.port}", f"-bucket={self.bucket}", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
        ]  # fmt: skip
        ports = iter(free_ports(2 * len(INNER) + 1))
        command += [f"-{part}.port={next(ports)}" for part in INNER]
        return command + [f"-{part}.port.grpc={next(ports)}" for part in (*INNER, "s3")]

    def environment(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": self._key, "AWS_SECRET_ACCESS_KEY": self._secret}
        return {**inherited(self._environment), **keys}

    def ask(self) -> str:
        """Whether the bucket can be listed with the key."""
        import obstore
        from obstore.store import S3Store

        store = S3Store(
            self.bucket,
            endpoint=f"http://{LOOPBACK}:{self.port}",
            access_key_id=self._key,
            secret_access_key=self._secret,
            region="us-east-1",
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )
        try:
            obstore.list_with_delimiter(store)
        except Exception as error:  # obstore's errors have no ancestor of their own
            raise NotYet(str(error)) from error
        return f"http://localhost:{self.port}, bucket `{self.bucket}`"
