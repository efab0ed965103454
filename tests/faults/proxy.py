"""A proxy on loopback, in front of the real S3 server, that does what networks and servers do."""

from __future__ import annotations

import http.client
import http.server
import itertools
import socket
import threading
import time
from collections.abc import Callable

# What becomes of a request: passed on; the connection ends before or after it was carried out, or
# in the middle of the answer; an error is answered; it takes long; it is said to be done and isn't.
PASS, DROP, DROP_ANSWER, HALF, LIE = "pass", "drop", "drop answer", "half", "lie"
Decide = Callable[[int, str, str], "str | int | float"]


class Faulty(http.server.ThreadingHTTPServer):
    """Passes requests on to `port`; `decide` is asked with number, method and path of each.

    It may answer a status (int: 500, 503), seconds to wait (float), or one of the words above.
    """

    daemon_threads = True

    def __init__(self, port: int, listen: int = 0) -> None:
        super().__init__(("127.0.0.1", listen), _Handler)
        self.behind = port
        self.decide: Decide = lambda number, method, path: PASS
        self.numbers = itertools.count(1)
        self.asked = 0
        self.harmed = 0
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no news."""

    def down(self) -> None:
        """Nothing listens any more."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Faulty
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # a body is sent without waiting for the headers to be acknowledged
    )

    def _carry(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        number = next(self.server.numbers)
        self.server.asked = max(self.server.asked, number)
        what = self.server.decide(number, self.command, self.path)
        if what != PASS:
            self.server.harmed += 1
        if what == DROP:
            return self._hang_up()
        if isinstance(what, float):
            time.sleep(what)
        elif isinstance(what, int):
            return self._answer(what, {}, b"<Error><Code>SlowDown</Code></Error>")
        elif what == LIE and self.command == "PUT":
            return self._answer(200, {"ETag": '"0"'}, b"")
        there = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        there.request(self.command, self.path, body, dict(self.headers.items()))
        answer = there.getresponse()
        data = answer.read()
        there.close()
        if what == DROP_ANSWER:
            return self._hang_up()
        headers = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in ("transfer-encoding", "connection", "date", "server")
        }
        return self._answer(answer.status, headers, data, half=what == HALF)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _carry

    def _answer(
        self, status: int, headers: dict[str, str], data: bytes, *, half: bool = False
    ) -> None:
        headers = {name.title(): value for name, value in headers.items()}
        if self.command != "HEAD":
            headers["Content-Length"] = str(len(data))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if half else data)
        if half:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        pass
