"""A server that speaks GitHub's API of one pull request's comments, and keeps them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

TOKEN = "a-token-that-may-comment"
BOT = "github-actions[bot]"
LONGEST = 65_536
PULLS = re.compile(r"/repos/acme/registry/pulls/(\d+)")
LISTED = re.compile(r"/repos/acme/registry/issues/(\d+)/comments")
ONE = re.compile(r"/repos/acme/registry/issues/comments/(\d+)")


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PullRequest

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        pull = self.server
        if (match := PULLS.fullmatch(path)) and int(match[1]) == pull.number:
            self.answer(200, {"number": pull.number, "head": {"sha": pull.head}})
        elif (match := LISTED.fullmatch(path)) and int(match[1]) == pull.number:
            self.answer(200, list(pull.comments.values()))
        else:
            self.answer(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        if LISTED.fullmatch(urlsplit(self.path).path):
            self.change(None)
        else:
            self.answer(404, {"message": "Not Found"})

    def do_PATCH(self) -> None:
        match = ONE.fullmatch(urlsplit(self.path).path)
        if match and int(match[1]) in self.server.comments:
            self.change(int(match[1]))
        else:
            self.answer(404, {"message": "Not Found"})

    def change(self, number: int | None) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(403, {"message": "Resource not accessible by integration"})
        elif len(body) > LONGEST:
            self.answer(422, {"message": "body is too long (maximum is 65536 characters)"})
        else:
            made = self.server.keep(body, BOT, number)
            self.answer(201 if number is None else 200, made)

    def answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class PullRequest(ThreadingHTTPServer):
    """Pull request 7 of acme/registry, at commit `head`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.number = 7
        self.head = ""
        self.comments: dict[int, dict[str, Any]] = {}

    def keep(self, body: str, author: str, number: int | None = None) -> dict[str, Any]:
        number = number or len(self.comments) + 1
        url = f"https://github.com/acme/registry/pull/7#issuecomment-{number}"
        self.comments[number] = {
            "id": number,
            "body": body,
            "user": {"login": author},
            "html_url": url,
        }
        return self.comments[number]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "acme/registry",
            "GITHUB_TOKEN": TOKEN,
        }


@pytest.fixture
def pull_request() -> Iterator[PullRequest]:
    server = PullRequest()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
