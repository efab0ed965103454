"""Asking GitHub's REST API: pages, what has not changed since, and how often one may ask.

GITHUB_API_URL names another server than github.com's, as GitHub's own runners have it; GITHUB_TOKEN or
GH_TOKEN is sent to it alone. Answers are kept with their ETag: asking for what has not changed counts
for no rate limit.
"""

from __future__ import annotations

import hashlib
import http
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from dreg.adapters.cache import cache_place
from dreg.adapters.written import written
from dreg.core.wording import printable
from dreg.errors import Outside

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
TRIES = 3
LONGEST_WAIT = 30.0  # seconds; who is to wait longer is told so
LEAST_PAUSE = timedelta(minutes=1)  # that GitHub asks for where it names no time
LONGEST_MESSAGE = 300  # characters of what the server says
AGAIN_LATER = (500, 502, 503, 504)
NOT_THERE = (404, 410, 451)  # gone, or taken down by law
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")


class Absent(Outside):
    """The server has no such thing, or doesn't show it to us."""


class Declined(Outside):
    """The server answers, and does not let us ask: for now, or with this token. The hint says what helps."""


class Api:
    """The API of one server, for one run."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        self.token = next((os.environ[name] for name in TOKENS if os.environ.get(name)), None)
        self.session = requests.Session()
        self.session.headers.update(HEADERS)
        self.sleep = sleep

    def get(self, path: str) -> Any:
        """What is at `path`. Raises Absent, and Outside for all that keeps the server from saying."""
        return self.ask(f"{self.url}{path}")[0]

    def pages(self, path: str) -> Iterator[Any]:
        """The items of a list, page by page, as far as the server has a next one."""
        url: str | None = f"{self.url}{path}"
        while url:
            if urlsplit(url)[:2] != urlsplit(self.url)[:2]:
                raise self.odd(f"its next page is elsewhere: {url}")
            items, url = self.ask(url)
            if not isinstance(items, list):
                raise self.odd("its answer is no list")
            yield from items

    def change(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """What the server answers to a change. It is asked once: it may have done what it did not confirm."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self.request(method, f"{self.url}{path}", headers, body)
        if answer.status_code == http.HTTPStatus.FORBIDDEN:
            raise Outside(
                f"GitHub does not let this token change {path}",
                hint="the job's permissions have to say so, as in `pull-requests: write`",
            )
        if answer.status_code != http.HTTPStatus.CREATED:
            self.judge(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise self.odd("its answer is no JSON") from error

    def ask(self, url: str) -> tuple[Any, str | None]:
        """The answer at `url`, and where the next page is."""
        kept = self.kept(url)
        for again in range(TRIES):
            answer = self.send(url, kept.get("etag"))
            if answer.status_code not in AGAIN_LATER and not self.soon(answer):
                break
            if again < TRIES - 1:
                self.sleep(self.soon(answer) or 2.0**again)
        if answer.status_code == http.HTTPStatus.NOT_MODIFIED and kept:
            return kept["body"], kept["next"]
        self.judge(answer)
        try:
            body = answer.json()
        except ValueError as error:
            raise self.odd("its answer is no JSON") from error
        following = answer.links.get("next", {}).get("url")
        if etag := answer.headers.get("ETag"):
            self.keep(url, {"etag": etag, "body": body, "next": following})
        return body, following

    def send(self, url: str, etag: str | None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if etag:
            headers["If-None-Match"] = etag
        return self.request("GET", url, headers)

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Any = None
    ) -> requests.Response:
        """Raises Outside where there is no answer at all."""
        try:
            return self.session.request(
                method, url, headers=headers, json=body, timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
        except requests.RequestException as error:
            why = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
            raise Outside(
                f"GitHub at {self.url} cannot be asked: {why}",
                hint="go online, then try again; GITHUB_API_URL names another server",
            ) from error

    def judge(self, answer: requests.Response) -> None:
        """Raises Absent, Declined or Outside for an answer that is none."""
        status = answer.status_code
        if status == http.HTTPStatus.OK:
            return
        if status in NOT_THERE:
            raise Absent(
                f"GitHub has no {urlsplit(answer.url).path}",
                hint="check the name; what is private needs GITHUB_TOKEN",
            )
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise Declined(
                "GitHub does not accept the token",
                hint="renew GITHUB_TOKEN; public repositories can be read without one",
            )
        now, said = datetime.now(UTC), message(answer)
        more = "" if self.token else ", or set GITHUB_TOKEN, which may ask more often"
        if (until := resets_at(answer.headers, now)) is not None:
            minutes = max(1, round((until - now).total_seconds() / 60))
            kind = "with this token" if self.token else "without a token"
            raise Declined(
                f"GitHub answers no more requests {kind} until {until:%Y-%m-%d %H:%M} UTC, "
                f"in {minutes:,} min",
                hint=f"try again then{more}",
            )
        if status == http.HTTPStatus.TOO_MANY_REQUESTS or "rate limit" in said.lower():
            raise Declined(
                f"GitHub answers no more requests for now: {said or status}",
                hint=f"try again after {now + LEAST_PAUSE:%H:%M:%S} UTC{more}",
            )
        if status == http.HTTPStatus.FORBIDDEN:
            raise Declined(
                f"GitHub does not show {urlsplit(answer.url).path}: {said or status}",
                hint="check what GITHUB_TOKEN may read"
                if self.token
                else "set GITHUB_TOKEN to one that may read it",
            )
        raise self.odd(f"{status} {answer.reason or ''}".strip() + (f": {said}" if said else ""))

    def soon(self, answer: requests.Response) -> float:
        """For how many seconds the server wants to be left alone, if they are few; else 0."""
        if answer.status_code not in (403, 429):
            return 0.0
        wait = answer.headers.get("Retry-After", "")
        return float(wait) if wait.isdigit() and 0 < float(wait) <= LONGEST_WAIT else 0.0

    def odd(self, what: str) -> Outside:
        return Outside(f"GitHub at {self.url} answers oddly: {what}", hint="try again later")

    def kept(self, url: str) -> dict[str, Any]:
        """The last answer; empty if there is none that can be read."""
        try:
            kept = json.loads(self.place(url).read_bytes())
            return kept if {"etag", "body", "next"} <= kept.keys() else {}
        except (OSError, ValueError, AttributeError):
            return {}

    def keep(self, url: str, answer: Mapping[str, Any]) -> None:
        with written(self.place(url)) as file:
            file.write(json.dumps(answer).encode())

    def place(self, url: str) -> Path:
        # By who asks, too: one token may see what another doesn't.
        who = hashlib.sha256(f"{self.token or ''}\0{url}".encode()).hexdigest()
        return cache_place("github") / f"{who}.json"


def message(answer: requests.Response) -> str:
    """What the server says in words, on one line; empty if it says nothing."""
    try:
        told = answer.json()
    except ValueError:
        return ""
    said = told.get("message") if isinstance(told, dict) else None
    return printable(" ".join(said.split()))[:LONGEST_MESSAGE] if isinstance(said, str) else ""


def resets_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When requests are answered again, where that is why they aren't."""
    wait, reset = headers.get("Retry-After", ""), headers.get("X-RateLimit-Reset", "")
    if wait.isdigit():
        return datetime.fromtimestamp(now.timestamp() + int(wait), UTC)
    if headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
        return datetime.fromtimestamp(int(reset), UTC)
    return None
