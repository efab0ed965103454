"""`make services` and `make services-stop`: start all three, or stop them; again changes nothing."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from deploy.services import server as servers
from deploy.services.environment import PORTS
from deploy.services.mlflow import MLflow
from deploy.services.postgres import Postgres
from deploy.services.s3 import S3
from deploy.services.server import Server
from dreg.errors import DregError
from dreg.output import out, table

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".services"
VARIABLES = ROOT / ".env.docker"


def services(folder: Path, environment: Mapping[str, str]) -> list[Server]:
    """All three, the slowest to start first."""
    return [kind(folder, environment) for kind in (MLflow, S3, Postgres)]


def start(folder: Path, environment: Mapping[str, str]) -> None:
    """Return when each answers. What this call started it stops again where one does not, or somebody breaks it off."""
    wanted = services(folder, environment)
    with servers.claimed(folder):
        there = [server for server in wanted if servers.running(server)]
        missing = [server for server in wanted if server not in there]
        for server in there:
            servers.refuse_another_port(server)
        for server in missing:
            servers.refuse_taken(server)
        started: list[Server] = []
        try:
            for server in missing:
                started.append(server)
                servers.spawn(server)
            said = {server.name: servers.until_it_answers(server) for server in wanted}
        except BaseException:
            for server in started:
                servers.stop(server)
            raise
    rows = [
        (server.name, "started" if server in started else "ran", said[server.name], _shown(server))
        for server in wanted
    ]
    for line in table(("SERVICE", "STATE", "AT", "LOG"), rows):
        out.note(line)
    out.note("in every shell that is to use them (or eval what follows):")
    # Not the values: the file has them, and keys of one's own are printed nowhere.
    ports = " ".join(f"{name}={environment[name]}" for name in PORTS)
    print(f"export {ports}\nset -a; . {shlex.quote(str(VARIABLES))}; set +a")


def stop(folder: Path, environment: Mapping[str, str]) -> None:
    """Stop what runs; data and logs stay."""
    with servers.claimed(folder):
        for server in services(folder, environment):
            state = "stopped" if servers.stop(server) else "did not run"
            out.note(f"{server.name} {state}")


def _shown(server: Server) -> str:
    return os.path.relpath(servers.log(server))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.services", description=__doc__)
    parser.add_argument("what", choices=("start", "stop"))
    parser.add_argument("--state", type=Path, default=STATE, metavar="DIR", help="data and logs")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _break_off)
    try:
        {"start": start, "stop": stop}[given.what](given.state.absolute(), os.environ)
    except DregError as error:
        out.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _break_off(number: int, _: object) -> NoReturn:
    """As a Ctrl-C does: what was started is stopped again."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
