"""Fetches that are killed, run at the same time, or find what a killed one left."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dreg.adapters.placing import Staging, inspect
from dreg.core.receipt import Receipt
from tests.hand_made import METADATA, WINE, HandMade, file_of, tree

PLACED = {**WINE, "metadata.json": METADATA}
TRAIN, VAL = WINE.values()


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    hand_made.release("1.0.0")
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


def start(made: HandMade, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        made.command("fetch", *arguments),
        cwd=made.train,
        env={**os.environ, **made.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stalled(made: HandMade, data: bytes) -> Path:
    """Make reading one object wait for ever: a pipe that nobody writes to."""
    path = made.object_path(data)
    path.unlink()
    os.mkfifo(path)
    return path


def opened(pipe: Path) -> int:
    """The writing end of the pipe, once it is read from."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads
            assert time.monotonic() < deadline, "the object is not read"
            time.sleep(0.01)


def until(condition, what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_what_a_killed_fetch_finished_is_not_downloaded_again(wine):
    pipe = stalled(wine, VAL)
    process = start(wine, "wine")
    staged = wine.train / "data" / ".wine.dreg-new"
    until((staged / "processed" / "train.csv").exists, "the other file did not arrive")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (wine.train / "data" / "wine").exists()
    assert not (wine.train / "dreg.lock").exists()
    pipe.unlink()
    pipe.write_bytes(VAL)
    assert wine.fetch("wine")["downloaded"] == len(VAL)
    assert tree(wine.train / "data" / "wine") == PLACED
    assert [path.name for path in (wine.train / "data").iterdir()] == ["wine"]


def test_what_a_killed_fetch_left_is_trusted_by_checksum_only(wine):
    staged = wine.train / "data" / ".wine.dreg-new"
    (staged / "processed").mkdir(parents=True)
    (staged / "empty" / "folder").mkdir(parents=True)
    (staged / "processed" / "train.csv").write_bytes(TRAIN[:-1] + b"!")
    (staged / "processed" / "val.csv").write_bytes(VAL)
    (staged / "processed" / ".dreg-1-2").write_bytes(b"half a fi")
    (staged / "gone.csv").write_bytes(b"of another release")
    assert wine.fetch("wine")["downloaded"] == len(TRAIN)
    folder = wine.train / "data" / "wine"
    assert tree(folder) == PLACED
    assert not (folder / "empty").exists()


def test_what_a_killed_fetch_left_beside_a_folder_in_place_goes(wine):
    wine.fetch("wine")
    staged = wine.train / "data" / ".wine.dreg-new"
    (staged / "processed").mkdir(parents=True)
    (staged / "processed" / "val.csv").write_bytes(VAL)
    assert not wine.fetch("wine")["changed"]
    assert [path.name for path in (wine.train / "data").iterdir()] == ["wine"]


def test_left_files_that_are_also_the_old_folders_are_not_taken(wine):
    wine.fetch("wine")
    folder = wine.train / "data" / "wine"
    staged = wine.train / "data" / ".wine.dreg-new"
    (staged / "processed").mkdir(parents=True)
    os.link(folder / "processed" / "train.csv", staged / "processed" / "train.csv")
    (folder / "notes.txt").write_text("mine")
    backup = Path(wine.fetch("--force")["backup"])
    (backup / "processed" / "train.csv").write_text("edited in the backup")
    assert tree(folder) == PLACED


@pytest.mark.slow
def test_killed_at_any_moment_the_folder_is_the_old_or_the_new_release(wine):
    one = {f"processed/{i}.txt": f"one {i % 50}".encode() for i in range(150)}
    two = {f"processed/{i}.txt": f"two {i % 60}".encode() for i in range(30, 180)}
    wine.release("1.1.0", one)
    wine.release("1.2.0", two)
    trees = {
        "1.1.0": {**one, "metadata.json": METADATA},
        "1.2.0": {**two, "metadata.json": METADATA},
    }
    wine.fetch("wine@1.1.0")
    started = time.monotonic()
    start(wine, "wine@1.2.0").communicate()
    usual = time.monotonic() - started
    rng, folder, killed = random.Random(0), wine.train / "data" / "wine", 0
    for turn in range(12):
        version = ("1.1.0", "1.2.0")[turn % 2]
        process = start(wine, f"wine@{version}")
        started = time.monotonic()
        try:
            process.communicate(timeout=rng.uniform(0.3, 1.0) * usual)
            usual = time.monotonic() - started  # the machine is quicker than it was
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1
        assert tree(folder) in trees.values()
        assert inspect(folder).complete is not None
        assert wine.fetch(f"wine@{version}")["version"] == version
        assert tree(folder) == trees[version]
        assert [path.name for path in (wine.train / "data").iterdir()] == ["wine"]
    assert killed


def test_an_interrupt_leaves_the_old_release(wine):
    wine.fetch("wine@1.0.0")
    wine.release("1.1.0", {**WINE, "processed/new.csv": b"new\n"})
    pipe = stalled(wine, b"new\n")
    process = start(wine, "wine@1.1.0")
    staged = wine.train / "data" / ".wine.dreg-new"
    until((staged / "metadata.json").exists, "nothing was staged")
    writer = opened(pipe)
    process.send_signal(signal.SIGINT)
    os.close(writer)  # what is being read ends, as a network read times out
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert tree(wine.train / "data" / "wine") == PLACED
    assert wine.fetch()["changed"] is False


def test_two_fetches_of_one_folder_wait_for_each_other(wine):
    pipe = stalled(wine, VAL)
    first = start(wine, "wine")
    staged = wine.train / "data" / ".wine.dreg-new"
    until((staged / "processed" / "train.csv").exists, "the first did not start")
    second = start(wine, "wine")
    assert second.stderr is not None
    assert second.stderr.readline() == "wine@latest is wine-v1.0.0\n"
    assert second.stderr.readline() == "another dreg is filling data/wine; waiting\n"
    writer = opened(pipe)
    os.write(writer, VAL)
    os.close(writer)
    said = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert said[0].startswith("fetched wine 1.0.0 into data/wine")
    assert said[1].startswith("wine 1.0.0 is in place in data/wine")
    assert tree(wine.train / "data" / "wine") == PLACED
    assert [path.name for path in (wine.train / "data").iterdir()] == ["wine"]


def test_many_fetches_of_one_folder_at_once(wine):
    processes = [start(wine, "wine") for _ in range(6)]
    assert [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    assert tree(wine.train / "data" / "wine") == PLACED
    assert [path.name for path in (wine.train / "data").iterdir()] == ["wine"]


def test_fetches_of_different_datasets_at_once_are_all_locked(wine):
    names = ["ale", "beer", "cider", "drip"]
    for name in names:
        wine.release("1.0.0", {"processed/a.csv": name.encode()}, name=name)
    processes = [start(wine, name) for name in names]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    shutil.rmtree(wine.train / "data")
    done = wine.dreg("fetch", "--json")
    assert [entry["dataset"] for entry in done.json["datasets"]] == names


# The swap where the system cannot exchange two folders in one step


@pytest.fixture
def placed(tmp_path):
    """A folder with one placed file, and what replaces it by the next release."""
    target = tmp_path / "wine"

    def place(content: bytes) -> None:
        file = file_of("a.csv", content)
        with Staging(target).locked(lambda: None) as staging:
            staging.write(file, content, "here")
            staging.swap(Receipt("wine", "1", "t", "c", None, False, staging.placed), backup=False)

    place(b"old")
    return target, place


def test_two_renames_do_where_the_system_has_no_exchange(placed, monkeypatch):
    target, place = placed
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    place(b"new")
    assert tree(target) == {"a.csv": b"new"}
    assert [path.name for path in target.parent.iterdir()] == ["wine"]


def test_a_crash_between_the_two_renames_is_put_right(placed):
    target, place = placed
    target.rename(target.with_name(".wine.dreg-old"))
    with Staging(target).locked(lambda: None):
        assert tree(target) == {"a.csv": b"old"}
    place(b"new")
    (target.with_name(".wine.dreg-old")).mkdir()
    (target.with_name(".wine.dreg-old") / "a.csv").write_bytes(b"old")
    with Staging(target).locked(lambda: None):
        assert tree(target) == {"a.csv": b"new"}
    assert [path.name for path in target.parent.iterdir()] == ["wine"]
