"""A relay before a real server: counts what comes down, and can fail as networks do."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

OVERLOADED = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Relay:
    """`faults` are taken one a connection: `busy`, `silent`, or after how many bytes it breaks."""

    upstream: int
    port: int = 0
    received: int = 0
    connections: int = 0
    faults: list[str | int] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            fault = self.faults.pop(0) if self.faults else None
        with client:
            if fault == "busy":
                client.recv(65536)
                client.sendall(OVERLOADED)
                return
            if fault == "silent":
                self.ended.wait(60)
                return
            with socket.create_connection(("127.0.0.1", self.upstream)) as server:
                up = threading.Thread(target=pump, args=(client, server, lambda n: True))
                up.start()
                seen = 0

                def counted(number: int) -> bool:
                    nonlocal seen
                    seen += number
                    with self._lock:
                        self.received += number
                    return not isinstance(fault, int) or seen < fault

                if not pump(server, client, counted):
                    reset = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                    client.shutdown(socket.SHUT_RDWR)
                server.close()


def pump(source: socket.socket, sink: socket.socket, passed) -> bool:
    """Whether all went through."""
    try:
        while data := source.recv(65536):
            if not passed(len(data)):
                return False
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    return True


@contextmanager
def relay(upstream: int, *faults: str | int) -> Iterator[Relay]:
    """A relay to the port `upstream` on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Relay(upstream, listening.getsockname()[1], faults=list(faults))

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=made.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield made
        finally:
            made.ended.set()
        listening.shutdown(socket.SHUT_RDWR)
