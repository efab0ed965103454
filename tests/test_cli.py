"""The command line as its users meet it: help, errors, exit codes, output modes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dreg import __version__
from dreg.cli import COMMANDS
from tests import forked

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS" in os.environ


def dreg(*arguments, folder=None, **environment):
    """Code, stdout and stderr of `dreg arguments`, as a process of its own."""
    wide = {"COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    return forked.dreg(arguments, cwd=folder, env={**os.environ, **wide, **environment})


def assert_snapshot(name, text):
    """`text` is what tests/snapshots has; UPDATE_SNAPSHOTS=1 writes it anew."""
    path = SNAPSHOTS / f"{name}.txt"
    if UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command):
    done = dreg(*command.split(), "--help")
    assert (done.code, done.stderr) == (0, "")
    assert_snapshot(f"help-{command or 'dreg'}", done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_and_the_shared_options(command):
    text = (SNAPSHOTS / f"help-{command}.txt").read_text()  # as `test_help` sees to
    if command in ("cache", "ci", "remote", "submit", "template", "vectors"):
        one = {"ci": "plan", "submit": "run"}.get(command, "list")
        text += dreg(command, one, "--help").stdout
    assert "Example:" in text
    for option in ("--json", "--quiet", "-C DIR", "--debug"):
        assert option in text


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["fetch", "wine", "--columns", ""], "--columns"),
        (["fetch", "wine", "--split", "train", "--split", ""], "--split"),
        (["fetch", "wine", "--path", " "], "--path"),
        (["fetch", "wine", "--repo="], "--repo"),
        (["fetch", "wine", "-o", ""], "-o"),
        (["fetch", "wine", "--remote", ""], "--remote"),
        (["fetch", "--path", "x", "--rev", ""], "--rev"),
        (["fetch", ""], "NAME[@RANGE]"),
        (["outdated", "--repo", ""], "--repo"),
        (["update", ""], "NAME"),
        (["trace", "wine", "--sample", ""], "--sample"),
        (["tree", "--repo", "", "--json"], "--repo"),
        (["new", "x", "--kind", "tabular", "--from", ""], "--from"),
        (["tree", "--remote", ""], "--remote"),
        (["cache", "prune", "--older-than", ""], "--older-than"),
    ],
)
def test_a_value_that_is_empty_is_never_taken_for_none(tmp_path, arguments, called):
    """A variable that is not set leaves one: all of it, or the latest, is not what was asked for."""
    done = dreg(*arguments, folder=tmp_path)
    assert done.code == 2
    said = done.stderr if "--json" not in arguments else done.json["error"]["fact"]
    assert f"`{called}` is empty" in said


def test_columns_that_are_commas_alone_are_none(tmp_path):
    done = dreg("fetch", "wine", "--columns", " , ", folder=tmp_path)
    assert (done.code, "`--columns  , ` names none" in done.stderr) == (2, True)


def test_version():
    command = [sys.executable, "-m", "dreg", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"dreg {__version__}\n"


def outside(tmp_path, *arguments):
    done = dreg(*arguments, folder=tmp_path)
    return f"exit {done.code}\n--- stdout\n{done.stdout}--- stderr\n{done.stderr}".replace(
        str(tmp_path), "FOLDER"
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("no-command", []),
        ("unknown-command", ["lst"]),
        ("unknown-option", ["list", "--colour"]),
        ("missing-argument", ["show"]),
        ("bad-choice", ["release", "--bump", "huge"]),
        ("no-folder", ["list", "-C", "nowhere"]),
        ("not-in-a-registry", ["list"]),
        ("not-in-a-registry-json", ["list", "--json"]),
        ("bad-name", ["show", "Wine"]),
        ("bad-range", ["show", "wine@one", "--repo", "."]),
        ("repo-is-no-repository", ["list", "--repo", "."]),
        ("repo-is-an-option", ["list", "--repo", "--upload-pack=id"]),
    ],
)
def test_errors(tmp_path, name, arguments):
    assert_snapshot(f"error-{name}", outside(tmp_path, *arguments))


def test_an_error_as_json_is_one_object(tmp_path):
    done = dreg("list", "--json", folder=tmp_path)
    assert done.code == 2
    error = json.loads(done.stdout)["error"]
    assert sorted(error) == ["details", "exit_code", "fact", "hint"]
    assert error["fact"] in done.stderr


def test_a_traceback_only_with_debug(tmp_path):
    assert "Traceback" not in dreg("list", folder=tmp_path).stderr
    assert "Traceback" in dreg("list", "--debug", folder=tmp_path).stderr


def test_what_a_plain_install_lacks_is_named(ready):
    code = "import sys; sys.modules['git'] = None; from dreg.cli import run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "release", "toy"],
        cwd=ready.path,
        env=ready.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith(
        "error: the Python module `git` is needed for this and not installed\n\n"
        "hint: pip install 'dreg[registry]'\n"
    )


def test_an_outer_option_means_the_same(tmp_path):
    assert dreg("-C", str(tmp_path), "list").stderr == dreg("list", "-C", str(tmp_path)).stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m dreg rules | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


@pytest.mark.parametrize(("no_color", "painted"), [(None, True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(tmp_path, no_color, painted):
    import pty

    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    if no_color:
        environment["NO_COLOR"] = no_color
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dreg", "list"],
        cwd=tmp_path,
        env=environment,
        stdout=theirs,
        stderr=theirs,
    )
    process.wait()
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "not inside a registry" in text
    assert ("\x1b[" in text) == painted


SLOWLY = """
import time
from dreg import output
output.PLAIN_PROGRESS_SECONDS = 0.05
with output.out.progress("pushing", 4_000_000, "bytes") as advance:
    for _ in range(4):
        time.sleep(0.06)
        advance(1_000_000)
"""


def test_progress_is_plain_lines_where_nobody_watches():
    done = subprocess.run(
        [sys.executable, "-c", SLOWLY], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert "pushing: 1.0 MB of 4.0 MB\n" in done.stderr
    assert "\x1b" not in done.stderr


OF_FILES = SLOWLY.replace('"bytes")', '"bytes", 4000)').replace("1_000_000)", "1_000_000, 1000)")


def test_progress_counts_files_beside_bytes():
    done = subprocess.run(
        [sys.executable, "-c", OF_FILES], capture_output=True, text=True, check=True
    )
    first, second, *_ = done.stderr.splitlines()
    assert first == "pushing: 4,000 files, 4.0 MB"
    assert second == "pushing: 1,000 of 4,000 files, 1.0 MB of 4.0 MB"
    # A busy machine may skip any state of the bar but the last.
    assert "4,000 of 4,000 files" in on_terminal(OF_FILES)


def test_progress_is_a_bar_on_a_terminal():
    text = on_terminal(SLOWLY)
    assert "pushing" in text
    assert "\x1b[" in text
    assert "4.0 MB\n" not in text


def on_terminal(script: str) -> str:
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=theirs, stderr=theirs
    )
    process.wait()
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    return text


STILL_READING = """
import io, sys, time
import pyarrow as pa
import pyarrow.csv

class Slow(io.RawIOBase):
    def readable(self):
        return True

    def read(self, size=-1):
        time.sleep(0.05)
        return b"a\\n1\\n" * 10

source = pa.PythonFile(Slow(), mode="r")
reader = pyarrow.csv.open_csv(source, pyarrow.csv.ReadOptions(block_size=40))
sys.argv = ["dreg", "--version"]
from dreg.__main__ import main
main()
"""


def test_threads_of_arrow_that_are_still_reading_do_not_abort_the_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STILL_READING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dreg ")


def test_what_is_to_be_done_at_the_end_is_done() -> None:
    code = (
        "import atexit, sys, threading, time\n"
        "threading.Thread(target=lambda: (threading.main_thread().join(), time.sleep(0.1), print('a thread'))).start()\n"
        "atexit.register(print, 'at exit')\n"
        "sys.argv = ['dreg', '--version']\n"
        "from dreg.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == ["a thread", "at exit"]
