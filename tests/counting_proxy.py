"""A proxy on loopback in front of the S3 server, which notes every request."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Recorder(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the S3 server as they are, and notes them."""

    server: Recording

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path))
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        there = http.client.HTTPConnection("127.0.0.1", self.server.port)
        there.request(self.command, self.path, body=sent, headers=dict(self.headers.items()))
        answer = there.getresponse()
        body = answer.read()
        there.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.altered(body))

    def altered(self, body: bytes) -> bytes:
        """What arrives; a test may have it damaged."""
        return body

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


class Recording(http.server.ThreadingHTTPServer):
    """Listens while the block lasts; `asked` has method and path of every request, in order."""

    def __init__(self, port: int, passing: type[Recorder] = Recorder) -> None:
        super().__init__(("127.0.0.1", 0), passing)
        self.port = port
        self.asked: list[tuple[str, str]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]


@contextmanager
def recording(port: int, passing: type[Recorder] = Recorder) -> Iterator[Recording]:
    """A proxy in front of the S3 server on `port`."""
    with Recording(port, passing) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        yield proxy
        proxy.shutdown()
