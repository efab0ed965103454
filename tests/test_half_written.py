"""What a killed process had half written goes; what a living one writes does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dreg.adapters import half_written as module
from dreg.adapters.half_written import LONG_AGO, half_written

WRITES = """
import sys, pathlib
from dreg.adapters.half_written import half_written
with half_written(pathlib.Path(sys.argv[1])) as (part, file):
    file.write(b"half")
    file.flush()
    print(part, flush=True)
    sys.stdin.read()
"""

SLOWLY = """
import sys, pathlib, time
from dreg.adapters import half_written
sys.addaudithook(lambda event, _: time.sleep(0.005) if event == sys.argv[1] else None)
folder = pathlib.Path(sys.argv[2])
"""
TIDIES = """
while True:
    half_written._tidied.clear()
    half_written.tidy(folder)
    time.sleep(0.01)  # else it always wins
"""
BEGINS = """
for number in range(20):
    with half_written.half_written(folder) as (part, file):
        time.sleep(0.005)
        part.rename(folder.parent / "done")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(module, "_tidied", set())  # as in a process that has just begun
    return tmp_path / "parts"


def writer(folder: Path) -> tuple[subprocess.Popen, Path]:
    """A process that writes, and what it writes to."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def write(folder: Path, name: str = "done") -> None:
    with half_written(folder) as (part, file):
        file.write(b"all")
        file.flush()
        part.rename(folder.parent / name)


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(folder):
    dead, left = writer(folder)
    alive, being_written = writer(folder)
    dead.kill()
    dead.communicate()
    assert left.is_file()
    write(folder)
    assert list(folder.iterdir()) == [being_written]
    alive.communicate()
    assert list(folder.iterdir()) == []
    assert (folder.parent / "done").read_bytes() == b"all"


def test_who_tidies_takes_nothing_that_was_just_begun(folder):
    # Two threads that write for the first time: one looks which files are dead as the other makes one.
    folder.mkdir()
    tidies = subprocess.Popen([sys.executable, "-c", SLOWLY + TIDIES, "os.remove", str(folder)])
    writes = subprocess.Popen([sys.executable, "-c", SLOWLY + BEGINS, "fcntl.flock", str(folder)])
    try:
        assert writes.wait(timeout=60) == 0
    finally:
        tidies.kill()
        tidies.wait()


def test_another_machine_has_a_day(folder):
    """Its locks may not be seen here."""
    folder.mkdir()
    for name, age in (("other-1", 0.0), ("other-2", LONG_AGO + 60)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    write(folder)
    assert [path.name for path in folder.iterdir()] == ["other-1"]


def test_without_locks_everybody_has_a_day(folder, monkeypatch):
    def no_locks(*arguments):
        raise OSError("no locks available")

    dead, left = writer(folder)
    dead.kill()
    dead.communicate()
    monkeypatch.setattr(module.fcntl, "flock", no_locks)
    write(folder)
    assert left.is_file()
    os.utime(left, (time.time() - LONG_AGO - 60,) * 2)
    module._tidied.clear()
    write(folder)
    assert not left.is_file()


def test_a_folder_that_was_removed_meanwhile_is_made_again(folder):
    write(folder)
    folder.rmdir()
    write(folder, "again")
    assert (folder.parent / "again").read_bytes() == b"all"
