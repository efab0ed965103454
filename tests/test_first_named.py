"""`dreg new --source` of an address that does not end in a file's name: who serves it says what it is called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dreg.adapters.inferring.tables import TABLES
from dreg.core.receipt import check_placeable
from dreg.core.snapshot import File
from dreg.core.sources.called import called
from dreg.errors import BadRequest
from dreg.registry import Registry
from tests.garden import Garden
from tests.test_first_source import TREES

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server of one answer at every address; given its headers and bytes, its URL."""
    servers: list[ThreadingHTTPServer] = []

    def started(headers: Mapping[str, str], content: bytes = TREES.encode(), short: int = 0) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + short))
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()
                if short:
                    time.sleep(60)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"Content-Disposition": 'attachment; filename="my trees.csv"'}, "my-trees.csv"),
        ({"Content-Type": "text/csv; charset=utf-8"}, "download.csv"),
    ],
)
def test_who_serves_a_file_says_what_it_is_called(garden: Garden, serve: Serve, headers, name):
    garden.new("tabular", source=f"{serve(headers)}/download?id=7")
    assert garden.source.path == name
    assert garden.runs() == 60


def test_what_nobody_names_is_refused(garden: Garden, serve: Serve):
    url = serve({"Content-Type": "application/octet-stream"})
    with pytest.raises(BadRequest, match="`download` is no table by its name"):
        garden.new("tabular", source=f"{url}/download")
    with pytest.raises(BadRequest, match="the source has no file name"):
        garden.new("tabular", source=url)
    assert Registry(garden.root).names == ()


@pytest.mark.parametrize(
    ("address", "disposition", "type_", "name"),
    [
        ("/a.csv", 'attachment; filename="b.csv"', "text/csv", "a.csv"),
        ("/export.php", 'inline; filename="b.tsv"', "text/html", "b.tsv"),
        ("/a", "attachment; filename=b.xlsx", "text/csv", "a.csv"),
        ("/a", "attachment; filename=b.xlsx", "", "a"),
        ("/a", "attachment; filename=a.csv; filename*=UTF-8''b%C3%A9.parquet", "", "b-.parquet"),
        ("/v1.0", "", "application/vnd.apache.parquet", "v1.0.parquet"),
        ("/", "", "text/tab-separated-values", "data.tsv"),
        ("/a", "", "application/x-ndjson", "a.ndjson"),
        ("/a", "", "application/zip", "a"),
        ("/a", "attachment", "", "a"),
    ],
)
def test_an_address_counts_before_what_is_said_of_it(address, disposition, type_, name):
    headers = {"Content-Disposition": disposition, "Content-Type": type_}
    assert called([f"https://h{address}?x=.csv", ""], headers, TABLES) == name


def test_an_address_that_leads_to_another_is_called_as_that():
    assert called(["https://doi.org/10.1/x", "https://h/files/trees.csv?a"], {}, TABLES) == (
        "trees.csv"
    )


@pytest.mark.parametrize(
    "given",
    [
        "../../x.csv", "/etc/x.csv", "..\\..\\x.csv", "C:\\x.csv", "nul.csv", "COM1.csv", "con", "aux.tar.csv",
        "x\x00.csv", "x\x1b[31m.csv", "x\r\nSet-Cookie: a.csv", "-rf.csv", ".hidden.csv", "..csv", "..", ".",
        "x.csv.", "x.csv ", "a" * 5000 + ".csv", "x." + "b" * 5000, ".git", "цена.csv", "x\u202evsc.csv", "{{ 7*7 }}.csv",
        ".csv", "/", "\\", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ['attachment; filename="{}"', "attachment; filename*=UTF-8''{}", "{}", "x; filename={}"]
)
def test_a_malicious_name_is_harmless(given, form):
    headers = {"Content-Disposition": form.format(given), "Content-Type": "text/csv"}
    name = called(["https://h/download", "https://h/download"], headers, TABLES)
    assert name.endswith(".csv") and "/" not in name and not name.startswith((".", "-"))
    assert name.isascii() and name.isprintable() and len(name) <= 110
    check_placeable([File(f"raw/{name}", 1, "0" * 32)])


def test_a_file_here_that_no_windows_could_have_is_refused(garden: Garden):
    (garden.given / "nul.csv").write_text(TREES)
    with pytest.raises(BadRequest, match=r"is called `nul\.csv`, which is a device on Windows"):
        garden.new("tabular", garden.given / "nul.csv")


def started(garden: Garden, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dreg", "new", "trees", "--kind", "tabular", *arguments]
    environment = os.environ | {"TMPDIR": str(garden.given)}
    return subprocess.Popen(command, cwd=garden.root, env=environment, stderr=subprocess.PIPE)


def test_what_a_killed_download_left_goes_with_the_next(garden: Garden, serve: Serve):
    cache = garden.root.parent / "cache/sources"
    halted = started(garden, "--source", f"{serve({}, short=1)}/trees.csv")
    for _ in range(300):
        left = [path for path in files_below(cache) if path.stat().st_size or path.is_symlink()]
        if left or halted.poll() is not None:
            break
        time.sleep(0.05)
    halted.send_signal(signal.SIGKILL)
    halted.communicate()
    whole = started(garden, "--source", f"{serve({})}/trees.csv")
    assert whole.wait() == 0, whole.communicate()
    names = {path.name.partition(".")[0] for path in files_below(cache)}
    assert len(names) == 1, "the file, its lock and its note"
    assert list(garden.given.iterdir()) == []


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
