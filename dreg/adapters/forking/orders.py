"""Giving orders to a server that forks, and waiting for what it forked."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from dreg.adapters.forking.server import LENGTH, NUMBER, Order


class Server:
    """A server in `folder` that imports `modules`, in the `environment` that what it forks is to find."""

    def __init__(
        self, modules: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # -P: a folder of the registry that is called as a module must not be taken for it.
            command = [sys.executable, "-P", "-m", "dreg.adapters.forking.server"]
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), *modules],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,  # no session of its own: what one forks may join a group of another's
            )

    def end(self) -> None:
        """End it; nothing that it forked runs any more."""
        self.orders.close()
        self._process.kill()
        self._process.wait()


class Forked:
    """A process that was forked: `pid`, `poll` and `wait` as of a subprocess.Popen."""

    def __init__(self, conversation: socket.socket) -> None:
        """Raises OSError if there is no server any more."""
        self.conversation = conversation
        self._lock = threading.Lock()
        self.returncode: int | None = None
        told = conversation.recv(NUMBER.size, socket.MSG_WAITALL)
        if len(told) < NUMBER.size:
            raise ConnectionAbortedError("the server is gone")
        (self.pid,) = NUMBER.unpack(told)

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        with self._lock:
            if self.returncode is None and select.select([self.conversation], [], [], 0)[0]:
                told = self.conversation.recv(NUMBER.size, socket.MSG_WAITALL)
                if len(told) == NUMBER.size:
                    (self.returncode,) = NUMBER.unpack(told)
                else:  # nobody can tell any more how it ends
                    with contextlib.suppress(OSError):
                        os.kill(self.pid, signal.SIGKILL)
                    self.returncode = -signal.SIGKILL
        return self.returncode

    def wait(self) -> int:
        while (code := self.poll()) is None:
            select.select([self.conversation], [], [])
        return code


def forked(orders: socket.socket, order: Order, files: Sequence[int]) -> Forked:
    """Have the server at the other end of `orders` fork. `files` are open here, and get the order's numbers.

    Raises OSError if there is no server any more.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            socket.send_fds(orders, [b"."], [theirs.fileno()])
        socket.send_fds(ours, [b"."], files)
        text = json.dumps(asdict(order)).encode()
        ours.sendall(LENGTH.pack(len(text)) + text)
        return Forked(ours)
    except BaseException:
        ours.close()
        raise
