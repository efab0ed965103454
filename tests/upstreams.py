"""The world as dreg's downloads see it: a proxy that answers for every host, over TLS with its own CA."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme

BLOB = re.compile(r"https://api\.github\.com/repos/[^/]+/[^/]+/git/blobs/(\w{40})")


class Request(BaseHTTPRequestHandler):
    """A request to the proxy, or one within the connection that it was asked to make."""

    protocol_version = "HTTP/1.1"
    server: World
    host = ""

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.host = self.path.removesuffix(":443")
        self.send_response(200)
        self.end_headers()
        try:
            self.connection = self.server.disguise(self.host).wrap_socket(
                self.connection, server_side=True
            )
        except (ssl.SSLError, OSError):  # who does not trust the CA hangs up
            self.close_connection = True
            return
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False  # although the tunnel was asked for in HTTP/1.0

    def do_GET(self) -> None:
        url = f"https://{self.host}{self.path}" if self.host else self.path
        content = self.server.content(url)
        with self.server.lock:
            (self.server.asked if content is not None else self.server.refused).append(url)
        body = content or b""
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class World(ThreadingHTTPServer):
    """`pages` are files by their URL, `blobs` contents on GitHub by git's hash of them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.pages: dict[str, Path | bytes] = {}
        self.blobs: dict[str, Path] = {}
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.lock = threading.Lock()
        self.ca = trustme.CA()
        self.disguises: dict[str, ssl.SSLContext] = {}

    def disguise(self, host: str) -> ssl.SSLContext:
        """What makes the proxy look like `host` to those who trust its CA."""
        with self.lock:
            if host not in self.disguises:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self.ca.issue_cert(host).configure_cert(context)
                self.disguises[host] = context
            return self.disguises[host]

    def content(self, url: str) -> bytes | None:
        found: Any = self.pages.get(url)
        if blob := BLOB.fullmatch(url):
            found = self.blobs.get(blob[1])
            if found is not None:
                encoded = base64.b64encode(found.read_bytes()).decode()
                return json.dumps(
                    {"sha": blob[1], "encoding": "base64", "content": encoded}
                ).encode()
        return found.read_bytes() if isinstance(found, Path) else found

    def hosts(self) -> set[str]:
        """Whom the world was asked for, in vain or not."""
        return {str(urlsplit(url).hostname) for url in self.asked + self.refused}

    def environment(self, folder: Path) -> dict[str, str]:
        """What a program needs to go through the proxy and trust it, its CA's certificate in `folder`."""
        certificate = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(certificate))
        proxy = f"http://127.0.0.1:{self.server_port}"
        # Ray asks the last two, which clouds give their machines, where it is.
        here = f"127.0.0.1,localhost,{socket.gethostname()},{own_address()},169.254.169.254,metadata.google.internal"
        named = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": here}
        return (
            named
            | {name.upper(): value for name, value in named.items()}
            | {"REQUESTS_CA_BUNDLE": str(certificate)}
        )


def own_address() -> str:
    """This machine's address, which Ray's processes use among themselves."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


@contextmanager
def world() -> Iterator[World]:
    with World() as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()
