"""The `http` mirror against a real server that misbehaves in the ways that servers do."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dreg.adapters.sources import Cache, Mirrors, http
from dreg.adapters.sources.first import fetched
from dreg.core.sources import Http, Source
from dreg.errors import Outside

CONTENT = bytes(range(256)) * 4096  # 1 MiB
Behaviour = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """Answers with the first behaviour in the server's list; the last one stays."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers))
        behaviours = self.server.behaviours
        (behaviours.pop(0) if len(behaviours) > 1 else behaviours[0])(self)

    def log_message(self, *_: object) -> None:
        pass

    @property
    def start(self) -> int:
        """The first byte that the client asks for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(body))} | given).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def part(self, content: bytes, end: int | None = None, **headers: str) -> None:
        """The range that was asked for; broken off at `end`."""
        total = len(content)
        about = {
            "Content-Length": str(total - self.start),
            "Content-Range": f"bytes {self.start}-{total - 1}/{total}",
            **headers,
        }
        self.answer(206 if "Range" in self.headers else 200, content[self.start : end], **about)
        if end is not None:
            self.hang_up()

    def hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """`behaviours` are used up one per request; `seen` are the headers of the requests."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Request)
        self.behaviours: list[Behaviour] = []
        self.seen: list[dict[str, str]] = []

    def url(self, path: str = "file.bin") -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def ranges(self) -> list[str]:
        return [headers.get("Range", "") for headers in self.seen]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and timeouts short enough for a test; no proxy between it and its server."""
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(http, "READ_SECONDS", 1.0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@dataclass
class Downloads:
    """A cache and a folder, and what the download told on the way."""

    folder: Path
    notes: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    @property
    def cache(self) -> Cache:
        return Cache(self.folder / "cache")

    def get(self, *urls: str, content: bytes = CONTENT, size: int | None = None) -> bytes:
        source = Source(
            path="file.bin",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content) if size is None else size,
            mirrors=tuple(Http(url) for url in urls),
        )
        mirrors = Mirrors(self.cache, self.notes.append)
        mirrors.place(source, self.folder / "raw", self.positions.append)
        return (self.folder / "raw" / "file.bin").read_bytes()

    def left(self, content: bytes = CONTENT) -> Path:
        """The beginning that a broken download leaves."""
        return self.cache.part(hashlib.sha256(content).hexdigest())


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path)


def whole(request: Request) -> None:
    request.part(CONTENT)


def half(request: Request) -> None:
    request.part(CONTENT, end=len(CONTENT) // 2)


def test_a_file_is_downloaded_with_progress_and_asked_for_as_it_is(server, downloads):
    server.behaviours = [whole]

    assert downloads.get(server.url()) == CONTENT

    assert downloads.positions[-1] == len(CONTENT)
    assert downloads.positions == sorted(downloads.positions)
    assert server.seen[0]["Accept-Encoding"] == "identity"
    assert downloads.notes == []
    assert [path.name for path in (downloads.folder / "raw").iterdir()] == ["file.bin"]


def test_a_second_time_no_request_is_made(server, downloads):
    server.behaviours = [whole]
    downloads.get(server.url())

    assert downloads.get(server.url()) == CONTENT

    assert len(server.seen) == 1


def test_a_damaged_file_in_the_cache_is_downloaded_again(server, downloads):
    server.behaviours = [whole]
    downloads.get(server.url())
    downloads.cache.at(hashlib.sha256(CONTENT).hexdigest()).write_bytes(b"rust")

    assert downloads.get(server.url()) == CONTENT

    assert len(server.seen) == 2


def test_a_download_that_breaks_off_goes_on_where_it_was(server, downloads):
    server.behaviours = [half, whole]

    assert downloads.get(server.url()) == CONTENT

    assert server.ranges() == ["", f"bytes={len(CONTENT) // 2}-"]
    assert downloads.notes == []


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(server, downloads):
    gone = lambda request: request.answer(410)  # noqa: E731
    server.behaviours = [half, gone]
    with pytest.raises(Outside):
        downloads.get(server.url())
    assert downloads.left().stat().st_size == len(CONTENT) // 2

    server.behaviours = [whole]
    assert downloads.get(server.url()) == CONTENT

    assert server.ranges()[-1] == f"bytes={len(CONTENT) // 2}-"
    assert not downloads.left().exists()


def test_the_next_mirror_goes_on_where_the_first_gave_up(server, downloads):
    gone = lambda request: request.answer(404)  # noqa: E731
    server.behaviours = [half, gone, whole]

    assert downloads.get(server.url("a"), server.url("b")) == CONTENT

    assert server.ranges()[-1] == f"bytes={len(CONTENT) // 2}-"
    assert downloads.notes == [f"file.bin: http {server.url('a')}: 404 Not Found"]


def test_if_the_file_changed_meanwhile_it_is_downloaded_from_the_start(server, downloads):
    """The server's tag of the first half is sent along; a server that sees another sends all."""
    old = bytes(len(CONTENT))
    server.behaviours = [
        lambda request: request.part(old, end=1000, ETag='"old"'),
        lambda request: request.answer(200, CONTENT, ETag='"new"'),
    ]

    assert downloads.get(server.url()) == CONTENT

    assert server.seen[1]["If-Range"] == '"old"'


def test_a_weak_tag_promises_no_equal_bytes_and_is_not_sent(server, downloads):
    server.behaviours = [
        lambda request: request.part(CONTENT, end=1000, ETag='W/"about"'),
        whole,
    ]

    assert downloads.get(server.url()) == CONTENT

    assert "If-Range" not in server.seen[1]


def test_a_wrong_beginning_from_elsewhere_costs_no_mirror_its_chance(server, downloads):
    downloads.cache.folder.mkdir(parents=True)
    downloads.left().write_bytes(b"something else")
    server.behaviours = [whole]

    assert downloads.get(server.url()) == CONTENT

    assert server.ranges() == ["bytes=14-", ""]
    assert downloads.notes == []


def test_a_beginning_longer_than_the_file_is_thrown_away(server, downloads):
    downloads.cache.folder.mkdir(parents=True)
    downloads.left().write_bytes(CONTENT + b"more")
    server.behaviours = [whole]

    assert downloads.get(server.url()) == CONTENT

    assert server.ranges() == [""]


def test_a_complete_beginning_needs_no_request(server, downloads):
    downloads.cache.folder.mkdir(parents=True)
    downloads.left().write_bytes(CONTENT)
    server.behaviours = [lambda request: request.answer(500)]

    assert downloads.get(server.url()) == CONTENT

    assert server.seen == []


def test_a_server_that_ignores_ranges_sends_all_again(server, downloads):
    server.behaviours = [half, lambda request: request.answer(200, CONTENT)]

    assert downloads.get(server.url()) == CONTENT


def test_a_server_that_sends_another_range_than_asked_for_is_asked_without(server, downloads):
    shifted = f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"
    server.behaviours = [
        half,
        lambda request: request.answer(206, CONTENT[7:], Content_Range=shifted),
        whole,
    ]

    assert downloads.get(server.url()) == CONTENT

    assert server.ranges() == ["", f"bytes={len(CONTENT) // 2}-", ""]


def test_a_server_that_cannot_satisfy_a_range_is_asked_without(server, downloads):
    server.behaviours = [half, lambda request: request.answer(416), whole]

    assert downloads.get(server.url()) == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(server, downloads, status):
    server.behaviours = [lambda request: request.answer(status), whole]

    assert downloads.get(server.url()) == CONTENT


def test_a_server_that_stays_in_trouble_is_given_up(server, downloads):
    server.behaviours = [lambda request: request.answer(500)]

    with pytest.raises(Outside) as caught:
        downloads.get(server.url())

    assert caught.value.fact == "no mirror gave `file.bin`"
    assert caught.value.details == (f"http {server.url()}: 500 Internal Server Error (4 times)",)
    assert caught.value.exit_code == 3
    assert len(server.seen) == 4


def test_a_reset_connection_is_tried_again(server, downloads):
    server.behaviours = [Request.hang_up, whole]

    assert downloads.get(server.url()) == CONTENT


def test_a_server_that_falls_silent_is_asked_again(server, downloads, monkeypatch):
    monkeypatch.setattr(http, "READ_SECONDS", 1.0)
    silence = threading.Event()

    def fall_silent(request: Request) -> None:
        request.answer(200, CONTENT[:1000], Content_Length=str(len(CONTENT)))
        silence.wait(60)

    server.behaviours = [fall_silent, whole]

    assert downloads.get(server.url()) == CONTENT

    silence.set()
    assert server.ranges() == ["", "bytes=1000-"]


def test_an_answer_of_unknown_length_that_breaks_off_is_gone_on_with(server, downloads):
    def in_chunks(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"3E8\r\n" + CONTENT[:1000] + b"\r\n" + b"3E8\r\n" + CONTENT[1000:1500])
        request.hang_up()

    server.behaviours = [in_chunks, whole]

    assert downloads.get(server.url()) == CONTENT

    assert server.ranges() == ["", "bytes=1500-"]


def test_a_server_that_hands_out_crumbs_is_given_up(server, downloads):
    server.behaviours = [lambda request: request.part(CONTENT, end=request.start + 1)]

    with pytest.raises(Outside) as caught:
        downloads.get(server.url())

    assert caught.value.details == (f"http {server.url()}: it broke off 50 times",)


def test_wrong_bytes_are_refused_and_nothing_of_them_is_left(server, downloads):
    server.behaviours = [lambda request: request.part(bytes(len(CONTENT))), whole]

    assert downloads.get(server.url("bad"), server.url("good")) == CONTENT

    [note] = downloads.notes
    assert note.startswith(f"file.bin: http {server.url('bad')}: its bytes don't match: sha256 ")
    assert server.ranges() == ["", ""]


def test_a_file_of_another_size_is_refused_before_it_is_downloaded(server, downloads):
    server.behaviours = [lambda request: request.answer(200, b"<html>gone</html>")]

    with pytest.raises(Outside) as caught:
        downloads.get(server.url())

    assert caught.value.details == (f"http {server.url()}: it has 17 bytes, not 1,048,576",)


def test_a_server_that_never_stops_sending_is_stopped_at_the_declared_size(server, downloads):
    def endless(request: Request) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        try:
            while True:
                request.wfile.write(bytes(1 << 16))
        except OSError:
            request.close_connection = True

    server.behaviours = [endless]

    with pytest.raises(Outside) as caught:
        downloads.get(server.url())

    [reason] = caught.value.details
    assert reason.endswith("it has more than the 1,048,576 bytes that are declared")
    assert not downloads.left().exists()


def test_redirects_are_followed_but_not_for_ever_and_not_out_of_the_web(server, downloads):
    to = lambda url: lambda request: request.answer(302, Location=url)  # noqa: E731
    server.behaviours = [to(server.url("there")), whole]
    assert downloads.get(server.url()) == CONTENT

    other = b"another file"
    server.behaviours = [to(server.url())]
    with pytest.raises(Outside) as caught:
        downloads.get(server.url(), content=other)
    assert caught.value.details == (f"http {server.url()}: more than 10 redirects",)

    server.behaviours = [to("file:///etc/hostname")]
    with pytest.raises(Outside) as caught:
        downloads.get(server.url(), content=other)
    assert "No connection adapters" in caught.value.details[0]


def test_without_a_network_a_host_is_given_up_at_once_and_for_all_its_files(downloads):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file.bin"
        with pytest.raises(Outside) as caught:
            downloads.get(url, url.replace("file.bin", "again.bin"), "http://nowhere.invalid/f")

    refused, again, unknown = caught.value.details
    assert refused == f"http {url}: Connection refused"
    assert again.endswith("again.bin: Connection refused")
    assert unknown.startswith("http http://nowhere.invalid/f: ")
    assert caught.value.hint == (
        "go online, or name another mirror in params.yaml: `- local: PATH` is below DREG_MIRROR"
    )


def test_two_runs_at_once_download_a_file_once(server, downloads):
    server.behaviours = [whole]
    results: list[bytes] = []
    runs = [
        threading.Thread(target=lambda: results.append(downloads.get(server.url())))
        for _ in range(4)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert results == [CONTENT] * 4
    assert len(server.seen) == 1


def test_an_empty_file_is_a_file(server, downloads):
    assert downloads.get(server.url(), content=b"") == b""


def chunks_that_break_off(request: Request) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"400\r\n" + CONTENT[:100])
    request.hang_up()


@pytest.mark.parametrize(
    ("behaviour", "why", "way"),
    [
        (chunks_that_break_off, "it broke off", "try it again; "),
        (lambda request: request.answer(429), "429 Too Many Requests", "try it again; "),
        (lambda request: request.answer(403), "403 Forbidden", "check the address; "),
    ],
)
def test_why_a_file_could_not_be_had_for_the_first_time(server, downloads, behaviour, why, way):
    server.behaviours = [behaviour]
    with pytest.raises(Outside) as caught:
        fetched(server.url(), downloads.cache)
    assert caught.value.fact == f"`{server.url()}` cannot be fetched: {why}"
    assert caught.value.hint.startswith(way)
