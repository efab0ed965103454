"""The `http` mirror: streamed, resumed where it broke off, retried when that can help."""

from __future__ import annotations

import hashlib
import http
import http.client
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
import urllib3

from dreg.adapters.sources.cache import CHUNK, Cache, check
from dreg.adapters.sources.unavailable import Mismatch, Unavailable
from dreg.core.sources import Source
from dreg.core.wording import numbered

CONNECT_SECONDS = 5.0  # a machine without internet learns it soon, and goes on to the next mirror
READ_SECONDS = 60.0
RETRIES = 3  # in a row, without a new byte
REQUESTS = 50  # in all: a server that hands out crumbs is not a mirror
BACKOFF_SECONDS = 0.5
LONGEST_PAUSE = 30.0
REDIRECTS = 10
AGAIN_LATER = (408, 425, 429, 500, 502, 503, 504)
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Interrupted(Exception):
    """A request failed in a way that the next may not.

    `reached` tells whether there was a connection, `pause` for how long the server wants to be
    left alone.
    """

    def __init__(self, why: str, *, reached: bool = True, pause: float = 0.0) -> None:
        super().__init__(why)
        self.reached = reached
        self.pause = pause


class Unreachable(Unavailable):
    """There is no connection to the host; another file of it needs no try."""


class Web:
    """The `http` mirrors of one run: they share connections, and what was learnt about hosts."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.max_redirects = REDIRECTS
        self.unreachable: dict[str, str] = {}

    def download(
        self, url: str, source: Source, cache: Cache, position: Callable[[int], None]
    ) -> None:
        """Have `url` give the source to the cache. Raises Unavailable saying why not."""
        part = cache.part(source.sha256)
        taken_over = part.exists() and part.stat().st_size > 0
        with self.asking(url):
            try:
                Download(self.session, url, source, cache, position).finish()
            except Mismatch:
                if not taken_over:
                    raise
                # The beginning was an earlier run's or another mirror's: a fair try without it.
                Download(self.session, url, source, cache, position).finish()
            finally:
                if part.exists() and part.stat().st_size == 0:
                    part.unlink()

    @contextmanager
    def asking(self, url: str) -> Iterator[None]:
        """Ask the host of `url`. Raises Unavailable at once where it could not be reached before."""
        host = urlsplit(url).netloc
        if host in self.unreachable:
            raise Unavailable(self.unreachable[host])
        try:
            yield
        except Unreachable as error:
            self.unreachable[host] = str(error)
            raise


class Download:
    """The beginning of a file, and the requests that make it grow."""

    def __init__(
        self,
        session: requests.Session,
        url: str,
        source: Source,
        cache: Cache,
        position: Callable[[int], None],
    ) -> None:
        self.session = session
        self.url = url
        self.source = source
        self.cache = cache
        self.position = position
        self.part = cache.part(source.sha256)
        self.file = self.part.open("a+b")
        self.done = 0
        self.digest = hashlib.sha256()
        self.validator: str | None = None
        self.ranges = True

    def finish(self) -> None:
        """Ask until all is there. What came stays for the next try, unless it turns out wrong."""
        with self.file:
            self.take_up()
            self.ask_until_complete()
            self.file.flush()
            try:
                check(self.digest.hexdigest(), self.source.sha256)
            except Mismatch:
                self.part.unlink()
                raise
            self.part.replace(self.cache.at(self.source.sha256))

    def ask_until_complete(self) -> None:
        fruitless = 0
        for _ in range(REQUESTS):
            if self.done == self.source.size:
                return
            before = self.done
            try:
                self.ask()
            except Interrupted as error:
                fruitless = 0 if self.done > before else fruitless + 1
                wait_after(error, fruitless)
        if self.done != self.source.size:
            raise Unavailable(f"it broke off {REQUESTS} times")

    def take_up(self) -> None:
        """Go on after what an earlier try left."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            self.digest.update(chunk)
            self.done += len(chunk)
        if self.done > self.source.size:
            self.start_over()

    def start_over(self) -> None:
        self.file.truncate(0)
        self.digest = hashlib.sha256()
        self.done = 0

    def ask(self) -> None:
        """One request, for what is missing. Raises Interrupted or Unavailable."""
        headers = {"Accept-Encoding": "identity"}  # the checksum is of the bytes as they are
        if self.done and self.ranges:
            headers["Range"] = f"bytes={self.done}-"
            if self.validator:
                headers["If-Range"] = self.validator
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        with (
            told_apart(),
            self.session.get(self.url, headers=headers, timeout=timeout, stream=True) as response,
        ):
            self.judge(response)
            # What has come is taken as it comes: a failure loses no more than is on its way.
            while chunk := response.raw.read1(CHUNK, decode_content=False):
                self.take(chunk)
        if self.done < self.source.size:
            raise Interrupted(
                f"it ended after {self.done:,} of {numbered(self.source.size, 'byte')}"
            )

    def judge(self, response: requests.Response) -> None:
        """See from the answer's head which bytes will come. Raises Interrupted or Unavailable."""
        status, sent = response.status_code, response.headers
        if status == http.HTTPStatus.PARTIAL_CONTENT:
            given = CONTENT_RANGE.fullmatch(sent.get("Content-Range", ""))
            if given is None or int(given[1]) != self.done:
                self.ranges = False
                self.start_over()
                raise Interrupted("it sends other ranges than asked for")
            total = given[2]
        elif status == http.HTTPStatus.OK:
            self.start_over()  # it ignores ranges, or the file changed since the last request
            total = sent.get("Content-Length", "*")
        elif status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self.done:
            self.start_over()
            raise Interrupted("it cannot go on where the download broke off")
        else:
            raise declined(response)
        if total.isdigit() and int(total) != self.source.size and "Content-Encoding" not in sent:
            raise Mismatch(f"it has {numbered(int(total), 'byte')}, not {self.source.size:,}")
        tag = sent.get("ETag", "")
        self.validator = None if tag.startswith("W/") else tag or sent.get("Last-Modified")

    def take(self, chunk: bytes) -> None:
        if self.done + len(chunk) > self.source.size:
            self.start_over()
            raise Mismatch(
                f"it has more than the {numbered(self.source.size, 'byte')} that are declared"
            )
        self.file.write(chunk)
        self.digest.update(chunk)
        self.done += len(chunk)
        self.position(self.done)


def declined(response: requests.Response) -> Interrupted | Unavailable:
    """Why an answer has no content: another request may help, or none will."""
    answer = f"{response.status_code} {response.reason or ''}".strip()
    if response.status_code in AGAIN_LATER:
        return Interrupted(answer, pause=_seconds(response.headers.get("Retry-After", "")))
    return Unavailable(answer)


def wait_after(error: Interrupted, fruitless: int) -> None:
    """Wait before the next of that many `fruitless` requests in a row. Raises Unavailable: no more."""
    if not error.reached and fruitless > 1:
        raise Unreachable(str(error)) from error
    if fruitless > RETRIES:
        raise Unavailable(f"{error} ({numbered(fruitless, 'time')})") from error
    pause = max(error.pause, BACKOFF_SECONDS * 2**fruitless)
    time.sleep(min(pause, LONGEST_PAUSE))


@contextmanager
def told_apart() -> Iterator[None]:
    """Failures of the connection as Interrupted, where another request may help, or Unavailable."""
    try:
        yield
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        raise Unavailable(f"its certificate is not trusted: {_reason(error)}") from error
    except requests.ConnectTimeout as error:
        raise Unreachable(f"no connection within {CONNECT_SECONDS:.0f} s") from error
    except requests.ConnectionError as error:
        never_reached = _is_caused_by(error, urllib3.exceptions.NewConnectionError)
        raise Interrupted(_reason(error), reached=not never_reached) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Interrupted(f"no byte within {READ_SECONDS:.0f} s") from error
    except urllib3.exceptions.HTTPError as error:
        raise Interrupted(_reason(error)) from error
    except requests.TooManyRedirects as error:
        raise Unavailable(f"more than {REDIRECTS} redirects") from error
    except requests.RequestException as error:
        raise Unavailable(_reason(error)) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what caused it; requests and urllib3 hand causes on in three ways."""
    seen: list[BaseException] = []
    ahead: list[object] = [error]
    while ahead:
        cause = ahead.pop()
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            ahead += [
                cause.__context__,
                cause.__cause__,
                getattr(cause, "reason", None),
                *cause.args,
            ]


def _is_caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _causes(error))


def _reason(error: BaseException) -> str:
    """The innermost cause in the system's own words: `Connection refused`."""
    for cause in reversed(list(_causes(error))):
        words = getattr(cause, "strerror", None)
        if isinstance(words, str) and words:
            return words
    if _is_caused_by(error, http.client.IncompleteRead):
        return "it broke off"
    return " ".join(str(error).split()) or type(error).__name__


def _seconds(retry_after: str) -> float:
    """A server's wish to be left alone for a while; its other form, a date, is not worth parsing."""
    return float(retry_after) if retry_after.isdigit() else 0.0
