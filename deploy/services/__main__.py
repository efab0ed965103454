"""`make services` and `make services-stop`: start all three, or stop them; again changes nothing."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

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


class BrokenOff(Exception):
    """Somebody wants it ended: with Ctrl-C, or SIGTERM."""


# A signal is noted, and looked at between the steps: raised wherever it comes, as Python would, it gets lost in
# callbacks, and between the start of a server and the note of its number nobody could stop that again.
_wanted: list[int] = []


def go_on() -> None:
    """Raises BrokenOff once somebody wants it ended."""
    if _wanted:
        raise BrokenOff


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
                go_on()
                started.append(server)
                servers.spawn(server)
            said = {server.name: servers.until_it_answers(server, go_on) for server in wanted}
            go_on()
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
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: _wanted.append(number))
    try:
        {"start": start, "stop": stop}[given.what](given.state.absolute(), os.environ)
    except BrokenOff:
        return 128 + _wanted[0]
    except DregError as error:
        out.error(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
