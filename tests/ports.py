"""Ports of loopback for servers that have to be told theirs, and for nobody."""

from __future__ import annotations

import random
import socket

# Below those that systems give to clients, so that no connection is made from one meanwhile; above those
# that `make services` takes for itself.
PORTS = range(26_000, 32_768)
_taken: list[socket.socket] = []


def free_ports(number: int) -> list[int]:
    """Ports nobody listens on; until this process ends no other test here is given them.

    A name of a socket says whose they are: it goes with the process, however that ends.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        name = socket.socket(socket.AF_UNIX)
        with socket.socket() as listener:
            try:
                name.bind(f"\0dreg-tests-port-{port}")
                listener.bind(("127.0.0.1", port))
            except OSError:
                name.close()
                continue
        _taken.append(name)
        found.append(port)
        if len(found) == number:
            return found
    raise AssertionError("no port is free")
