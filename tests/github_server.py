"""A server that speaks GitHub's API as far as dreg asks it: pages, ETags, rate limits, blobs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

TOKEN = "a-good-token"


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repository:
    readme: bytes | None
    licence: str | None = "Apache-2.0"
    fork: bool = False
    private: bool = False
    commits: int = 1  # that changed the README
    path: str = "README.md"

    @property
    def commit(self) -> str:
        return hashlib.sha1(f"{self.commits} {self.readme!r}".encode()).hexdigest()


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GitHub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        github = self.server
        given = self.headers.get("Authorization")
        if given not in (None, f"Bearer {TOKEN}"):
            self.answer(401, {"message": "Bad credentials"})
            return
        if github.troubles:
            status, headers = github.troubles.pop(0)
            self.answer(status, {"message": github.says}, **headers)
            return
        body, following = github.body(self.path)
        etag = f'W/"{hashlib.sha256(json.dumps(body).encode()).hexdigest()}"'
        if self.headers.get("If-None-Match") == etag:
            self.answer(304, None, ETag=etag)  # counts for nothing
            return
        left = github.left.get(given)
        if left is not None:
            if left == 0:
                reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(github.reset)}
                self.answer(403, {"message": "API rate limit exceeded"}, **reset)
                return
            github.left[given] = left - 1
        more = (
            {"Link": f'<{following}>; rel="next", <{github.url}/x>; rel="last"'}
            if following
            else {}
        )
        self.answer(404 if body is None else 200, body, ETag=etag, **more)

    def answer(self, status: int, body: Any, **headers: str) -> None:
        self.server.seen.append((status, self.path, self.headers.get("Authorization")))
        content = b"" if body is None and status == 304 else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class GitHub(ThreadingHTTPServer):
    """One organisation, `acme`, and its repositories by name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.next_url = self.url
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.page = 100
        self.is_organisation = True
        self.left: dict[str | None, int] = {}  # requests that are still answered, by Authorization
        self.reset = int(time.time()) + 1920
        self.troubles: list[tuple[int, dict[str, str]]] = []  # what the next requests get instead
        self.says = "trouble"  # with that
        self.seen: list[tuple[int, str, str | None]] = []

    def add(self, name: str, readme: bytes | None, **more: Any) -> None:
        self.repositories[name] = Repository(readme, **more)
        if readme is not None:
            self.blobs[git_hash(readme)] = readme

    def change(self, name: str, readme: bytes | None) -> None:
        self.repositories[name].commits += 1
        self.repositories[name].readme = readme
        if readme is not None:
            self.blobs[git_hash(readme)] = readme

    def asked(self) -> list[int]:
        """The statuses of the answers since this was last asked."""
        statuses = [status for status, _, _ in self.seen]
        self.seen.clear()
        return statuses

    def body(self, path: str) -> tuple[Any, str | None]:
        url = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        owner = "orgs" if self.is_organisation else "users"
        if url.path == f"/{owner}/acme/repos":
            return self.listed(url.path, query)
        found = re.fullmatch(r"/repos/acme/([^/]+)/(readme|commits|git/blobs/(\w+))", url.path)
        if not found or found[1] not in self.repositories:
            return None, None
        repository = self.repositories[found[1]]
        if found[3]:
            content = self.blobs.get(found[3])
            return (None if content is None else encoded(content, sha=found[3])), None
        if repository.readme is None:
            return None, None
        if found[2] == "readme":
            return encoded(
                repository.readme, path=repository.path, sha=git_hash(repository.readme)
            ), None
        return [{"sha": repository.commit}], None

    def listed(self, path: str, query: dict[str, str]) -> tuple[Any, str | None]:
        size = min(int(query.get("per_page", 30)), self.page)
        page = int(query.get("page", 1))
        told = [
            {
                "full_name": f"acme/{name}",
                "fork": repository.fork,
                "private": repository.private,
                "license": repository.licence and {"spdx_id": repository.licence},
            }
            for name, repository in self.repositories.items()
        ]
        more = f"{self.next_url}{path}?per_page={size}&page={page + 1}"
        start = (page - 1) * size
        return told[start : start + size], more if len(told) > start + size else None


def encoded(content: bytes, **more: str) -> dict[str, Any]:
    return {"encoding": "base64", "content": base64.encodebytes(content).decode(), **more}


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """The server, which GITHUB_API_URL names; no token is set."""
    server = GitHub()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.shutdown()
    server.server_close()
