"""A server of this machine: started, asked until it answers, stopped.

Its folder has its data, `log`, and `lock`: a lock of the kernel's (flock) that the server inherits and so holds
as long as it lives. A pid that is left behind by a crash is never taken for that of another process.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dreg.errors import Outside, Refused

PATIENCE = 180.0  # seconds; MLflow's first start makes a database
LAST_WISHES = 20.0  # seconds to stop, before it is killed
OFTEN = 0.1
LOOPBACK = "127.0.0.1"
NOT_FOR_CLIENTS = range(20_000, 26_000)  # ports; Linux gives clients those from 32768 on


class NotYet(Exception):
    """It does not answer, for now."""


class Server(Protocol):
    """What is started: `variable` is where `port` comes from, `stop_by` the signal that ends it in order."""

    name: str
    folder: Path
    port: int
    variable: str
    stop_by: signal.Signals

    def prepare(self) -> None:
        """What has to be there before it starts; nothing where that is there."""

    def command(self) -> Sequence[str]: ...

    def environment(self) -> Mapping[str, str]: ...

    def ask(self) -> str:
        """Its healthcheck: what is there now, in words. Raises NotYet, and DregError where waiting is no use."""


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Start and stop are one at a time: who comes second waits, and sees what the first did."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def running(server: Server) -> bool:
    """Whether it runs, be it at the port that is meant now or not."""
    try:
        handle = os.open(server.folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def refuse_another_port(server: Server) -> None:
    """Raises Refused where it runs, but at another port than is asked for."""
    at = _said(server).get("port")
    if at != server.port:
        raise Refused(
            f"{server.name} runs already, at port {at}",
            hint=f"{server.variable}={at}, or first: make services-stop",
        )


def refuse_taken(server: Server) -> None:
    """Raises Refused where somebody else has its port."""
    if not _free(server.port):
        raise Refused(
            f"port {server.port} is taken, and {server.name} is to have it",
            hint=f"another one: {server.variable}={server.port + 100} make services",
        )


def spawn(server: Server) -> None:
    """Start it, with a session of its own: it outlives its caller, and a Ctrl-C there."""
    server.folder.mkdir(parents=True, exist_ok=True)
    server.folder.chmod(0o700)
    server.prepare()
    lock = os.open(server.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.ftruncate(lock, 0)
        with log(server).open("ab") as said:
            process = subprocess.Popen(
                server.command(), cwd=server.folder, env=dict(server.environment()), pass_fds=(lock,),
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        os.write(lock, json.dumps({"pid": process.pid, "port": server.port}).encode())
    finally:
        os.close(lock)


def until_it_answers(server: Server, go_on: Callable[[], None]) -> str:
    """What it says of itself, once it does. Raises Outside where it ends before, or takes too long, and
    what `go_on` raises between two tries.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        go_on()
        try:
            return server.ask()
        except NotYet as error:
            why = error
        if not running(server) or time.monotonic() > deadline:
            ended = "does not answer" if running(server) else "ended"
            raise Outside(
                f"{server.name} was started and {ended}",
                hint=f"see {log(server)}",
                details=_last_words(server) or [str(why)],
            )
        time.sleep(OFTEN)


def stop(server: Server) -> bool:
    """End it, in order if it can; whether it ran. Raises Outside where it cannot be ended."""
    if not running(server):
        return False
    said = _said(server)
    pid, at = said.get("pid"), said.get("port", server.port)
    for by, seconds in ((server.stop_by, LAST_WISHES), (signal.SIGKILL, 5.0)):
        if pid is None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, by)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not running(server) and _free(at):
                return True
            time.sleep(OFTEN / 2)
    raise Outside(
        f"{server.name} does not end", hint=f"see who has it: fuser -v {server.folder / 'lock'}"
    )


def log(server: Server) -> Path:
    return server.folder / "log"


def free_ports(number: int) -> list[int]:
    """Ports that nobody has now, and that no connection will be made from meanwhile."""
    chosen = secrets.SystemRandom().sample(NOT_FOR_CLIENTS, len(NOT_FOR_CLIENTS))
    return list(itertools.islice(filter(_free, chosen), number))


def _free(port: int) -> bool:
    with socket.socket() as tried:
        # Connections that have just ended take no port.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _said(server: Server) -> dict[str, int]:
    try:
        found = json.loads((server.folder / "lock").read_text())
    except ValueError:
        return {}  # whoever started it was killed just then
    return dict(found)


def _last_words(server: Server) -> list[str]:
    with contextlib.suppress(OSError):
        return log(server).read_text(errors="replace").strip().splitlines()[-5:]
    return []
