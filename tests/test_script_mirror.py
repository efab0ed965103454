"""The `script` mirror: what a script of the pipeline makes of a file at a URL, checked like any other."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
import yaml

from dreg.adapters.sources import Cache, Mirrors
from dreg.core.sources import Http, Local, Script, Source, parse_sources
from dreg.errors import BadRequest, Outside
from tests.test_sources_http import Request, Server, patience, server

__all__ = ["patience", "server"]

TABLE = b"name;colour\nash;grey\nbeech;red\n"
NAMES = b"ash\nbeech\n"
SHORTER = """
import sys
for line in sys.stdin.read().splitlines()[1:]:
    print(line.split(";")[0])
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder a stage runs in, with a script that leaves the names of a table."""
    folder = tmp_path / "pipelines/trees"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts/names.py").write_text(SHORTER)
    monkeypatch.chdir(folder)
    return folder


class Download:
    """A cache, and what was told on the way."""

    def __init__(self, home: Path) -> None:
        self.raw = home / "raw"
        self.cache = Cache(home / "cache")
        self.notes: list[str] = []

    def get(self, *mirrors: Script | Http | Local) -> bytes:
        source = Source("names.txt", hashlib.sha256(NAMES).hexdigest(), len(NAMES), mirrors)
        Mirrors(self.cache, self.notes.append).place(source, self.raw)
        return (self.raw / "names.txt").read_bytes()

    def fails(self, *mirrors: Script | Http | Local) -> Outside:
        with pytest.raises(Outside) as caught:
            self.get(*mirrors)
        return caught.value


@pytest.fixture
def download(tmp_path: Path, pipeline: Path) -> Download:
    return Download(tmp_path)


def table(request: Request) -> None:
    request.answer(200, TABLE)


def cut(request: Request) -> None:
    request.answer(200, TABLE[:20], Content_Length=str(len(TABLE)))
    request.hang_up()


def longer_and_cut(request: Request) -> None:
    request.answer(200, TABLE * 2, Content_Length=str(len(TABLE) * 3))
    request.hang_up()


def busy(request: Request) -> None:
    request.answer(503)


def absent(request: Request) -> None:
    request.answer(404)


def names_of(server: Server, path: str = "scripts/names.py") -> Script:
    return Script(path, server.url("trees.csv"))


def test_it_is_declared_with_a_path_and_a_url():
    text = f"""
    names.txt:
      sha256: {hashlib.sha256(NAMES).hexdigest()}
      size: {len(NAMES)}
      mirrors:
        - script: {{path: scripts/names.py, url: https://example.org/trees.csv}}
    """
    [found] = parse_sources(yaml.safe_load(text))
    assert found.mirrors == (Script("scripts/names.py", "https://example.org/trees.csv"),)


@pytest.mark.parametrize(
    ("given", "fact"),
    [
        ({"path": "names.py"}, "lacks `url` for a script mirror"),
        ({"path": "../names.py", "url": "https://a.org/x"}, "has an unusable path for a script"),
        ({"path": "names.py", "url": "file:///etc/passwd"}, "has the http mirror `file:///etc/passwd`"),
        ({"path": "names.py", "url": "https://ada:secret@a.org/x"}, "with a password in its address"),
    ],
)  # fmt: skip
def test_a_mistake_in_it_is_told(given, fact):
    listed = {"sha256": "0" * 64, "size": 1, "mirrors": [{"script": given}]}
    with pytest.raises(BadRequest) as caught:
        parse_sources({"names.txt": listed})
    assert fact in caught.value.fact
    assert "secret" not in str(caught.value)


def test_the_script_makes_the_source_of_what_is_published(server, download):
    server.behaviours = [table]
    assert download.get(names_of(server)) == NAMES
    assert download.cache.served_by(hashlib.sha256(NAMES).hexdigest()) == "script"
    assert list(download.cache.folder.glob("tmp*")) == []


def test_it_is_told_which_source_to_make(server, download, pipeline):
    (pipeline / "scripts/names.py").write_text("import sys\nraise SystemExit(sys.argv[1:])\n")
    server.behaviours = [table]
    error = download.fails(names_of(server))
    assert error.details[0].endswith("it ended with 1: ['names.txt']")


def test_a_server_that_is_busy_or_breaks_off_is_asked_again(server, download):
    server.behaviours = [busy, cut, longer_and_cut, table]
    assert download.get(names_of(server)) == NAMES


def test_what_it_says_on_the_way_is_no_part_of_the_file(server, download, pipeline):
    (pipeline / "scripts/names.py").write_text(f"{SHORTER}\nprint('2 trees', file=sys.stderr)\n")
    server.behaviours = [table]
    assert download.get(names_of(server)) == NAMES


def test_a_script_that_fails_is_told_with_its_error_and_the_next_mirror_is_tried(
    server, download, pipeline, monkeypatch, tmp_path
):
    (pipeline / "scripts/names.py").write_text("print('ash')\nraise KeyError('colour')\n")
    (tmp_path / "kept.txt").write_bytes(NAMES)
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path))
    server.behaviours = [table]
    assert download.get(names_of(server), Local("kept.txt")) == NAMES
    [note] = download.notes
    assert note.endswith("trees.csv: it ended with 1: KeyError: 'colour'")


def test_what_upstream_changed_is_another_file_and_how_to_see_it_is_told(server, download):
    server.behaviours = [lambda request: request.answer(200, TABLE.replace(b"ash", b"elm"))]
    error = download.fails(names_of(server))
    assert "what it made is another file: its bytes don't match" in error.details[0]
    assert error.hint.endswith(
        f"curl -L '{server.url('trees.csv')}' | python scripts/names.py names.txt | sha256sum"
    )


@pytest.mark.parametrize(
    ("behaviour", "why"), [(absent, "404 Not Found"), (cut, "it broke off (4 times)")]
)
def test_why_there_was_nothing_to_read(server, download, behaviour, why):
    server.behaviours = [behaviour]
    assert why in download.fails(names_of(server)).details[0]


def test_a_script_that_is_not_there_is_told_before_anything_is_asked(server, download):
    server.behaviours = [table]
    error = download.fails(names_of(server, "scripts/absent.py"))
    assert error.details[0].endswith("there is no such script")
    assert server.seen == []


@pytest.mark.parametrize("script_first", [True, False])
def test_a_host_that_could_not_be_reached_is_not_asked_again(download, tmp_path, script_first):
    gone = Server()
    gone.server_close()
    late: list[Server] = []

    def note(_: str) -> None:  # after the first mirror failed the server is there, too late
        if not late:
            late.append(Server(gone.server_port))
            late[0].behaviours = [table]
            threading.Thread(target=late[0].serve_forever, args=(0.01,), daemon=True).start()

    mirrors = [names_of(gone), Http(gone.url("names.txt"))]
    source = Source("names.txt", "0" * 64, 1, tuple(mirrors if script_first else mirrors[::-1]))
    with pytest.raises(Outside) as caught:
        Mirrors(download.cache, note).place(source, tmp_path)
    late[0].shutdown()
    late[0].server_close()
    assert late[0].seen == []
    assert all(detail.endswith("Connection refused") for detail in caught.value.details)
