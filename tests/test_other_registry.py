"""What is locked from a registry that does not answer comes from the one that DREG_REPO names, byte for byte the same."""

from __future__ import annotations

import shutil

import pytest

import dreg
from tests.hand_made import METADATA, WINE, HandMade, tree
from tests.ports import free_ports

PLACED = {**WINE, "metadata.json": METADATA}


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    """`wine` locked by ^1.0 from a registry that is not there any more, with nothing of it here; DREG_REPO names another."""
    hand_made.release("1.0.0")
    hand_made.fetch("wine@^1.0", "--repo", str(hand_made.bare))
    (port,) = free_ports(1)
    lock = hand_made.train / "dreg.lock"
    lock.write_text(lock.read_text().replace(str(hand_made.bare), gone(port)))
    assert gone(port) in lock.read_text()
    shutil.rmtree(hand_made.train / "data")
    shutil.rmtree(hand_made.environment["DREG_CACHE"])
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    hand_made.environment["DREG_REMOTE"] = str(hand_made.store)
    return hand_made


def gone(port: int) -> str:
    return f"git://127.0.0.1:{port}/registry.git"


@pytest.mark.parametrize("options", [(), ("--locked",), ("wine", "--locked")])
def test_what_is_locked_comes_from_the_registry_that_answers(wine, options):
    lock = (wine.train / "dreg.lock").read_text()
    wine.release("1.1.0", {"processed/train.csv": b"newer\n"})
    done = wine.dreg("fetch", *options)
    assert done.code == 0, done.stderr
    assert tree(wine.train / "data" / "wine") == PLACED
    assert (wine.train / "dreg.lock").read_text() == lock, "where it is from stays as it was locked"
    assert "does not answer" in done.stderr
    assert f"DREG_REPO names {wine.bare}" in done.stderr


def test_what_is_locked_is_loaded_from_the_registry_that_answers(wine, monkeypatch, capsys):
    wine.release("1.1.0", {"processed/train.csv": b"newer\n"})
    for name, value in wine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(wine.train)
    for request in ("wine", "wine@^1.0"):
        ds = dreg.load(request)
        assert str(ds.version) == "1.0.0"
        assert ds.repo.startswith("git://"), "what a run records is what is locked"
        assert ds.path("train").read_bytes() == WINE["processed/train.csv"]
    assert f"DREG_REPO names {wine.bare}" in capsys.readouterr().err
    assert str(dreg.load("wine@latest").version) == "1.1.0"


def test_what_is_locked_is_loaded_whatever_else_another_registry_has(
    hand_made, monkeypatch, tmp_path
):
    hand_made.release("1.0.0")
    hand_made.fetch("wine@^1.0", "--repo", str(hand_made.bare))
    hand_made.release("1.1.0", {"processed/train.csv": b"newer\n"})
    mirror = str(shutil.copytree(hand_made.bare, tmp_path / "mirror.git"))
    for name, value in {**hand_made.environment, "DREG_REPO": mirror}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(hand_made.train)
    ds = dreg.load("wine")
    assert (str(ds.version), ds.repo) == ("1.0.0", str(hand_made.bare))
    assert ds.path("train") == hand_made.train / "data/wine/processed/train.csv"
    assert str(dreg.load("wine", repo=mirror).version) == "1.1.0"


@pytest.mark.parametrize("options", [(), ("--locked",)])
def test_another_release_of_that_name_is_not_taken(wine, options):
    wine.release("1.0.0", {"processed/train.csv": b"other\n"}, force=True)
    done = wine.dreg("fetch", *options)
    assert (done.code, done.stdout) == (1, "")
    assert not (wine.train / "data").exists()


def test_who_says_which_registry_gets_that_one(wine):
    dead = gone(free_ports(1)[0])
    done = wine.dreg("fetch", "--repo", dead)
    assert done.code == 3
    assert "names" not in done.stderr


def test_where_neither_answers_the_locked_one_is_told(wine):
    wine.environment["DREG_REPO"] = gone(free_ports(1)[0])
    done = wine.dreg("fetch")
    assert done.code == 3
    assert "error: the git server cannot be reached" in done.stderr
    assert "names" not in done.stderr


def test_what_is_newer_the_registry_that_answers_tells(wine):
    wine.release("1.1.0", {"processed/train.csv": b"newer\n"})
    done = wine.dreg("outdated")
    assert done.code == 0, done.stderr
    assert "wine     ^1.0     1.0.0   1.1.0     1.1.0\n" in done.stdout
    assert "elsewhere" not in done.stdout
    assert f"DREG_REPO names {wine.bare}" in done.stderr
    explained = wine.dreg("update", "--explain")
    assert explained.code == 0, explained.stderr
    assert "1.0.0 -> 1.1.0" in explained.stdout
    wine.environment["DREG_REPO"] = ""
    for command in ("outdated", "update"):
        done = wine.dreg(command)
        assert (done.code, done.stdout) == (3, "")
        assert "error: the git server cannot be reached" in done.stderr


def test_what_is_newer_is_taken_from_the_registry_that_answers(wine):
    before = (wine.train / "dreg.lock").read_text()
    same = wine.dreg("update")
    assert same.code == 0, same.stderr
    assert (wine.train / "dreg.lock").read_text() == before
    wine.release("1.1.0", {"processed/train.csv": b"newer\n"})
    done = wine.dreg("update")
    assert done.code == 0, done.stderr
    assert done.stderr.count(f"DREG_REPO names {wine.bare}") == 1
    assert (wine.train / "data/wine/processed/train.csv").read_bytes() == b"newer\n"
    lock = (wine.train / "dreg.lock").read_text()
    assert "1.1.0" in lock and "git://" in lock, "where it is from stays as it was locked"
    assert str(wine.bare) not in lock
    shutil.rmtree(wine.train / "data")
    assert wine.dreg("fetch", "--locked").code == 0


@pytest.mark.parametrize("tag", ["wine-v1.0.0", "wine-v1.1.0"])
def test_a_registry_that_is_no_mirror_gives_nothing_newer(wine, tag):
    before = (wine.train / "dreg.lock").read_text()
    if tag == "wine-v1.0.0":
        wine.release("1.0.0", {"processed/train.csv": b"other\n"}, force=True)
    wine.release("1.1.0", {"processed/train.csv": b"newer\n"})
    if tag == "wine-v1.1.0":
        wine.git("push", "-q", "--delete", "origin", "wine-v1.0.0")
    done = wine.dreg("update")
    assert (done.code, done.stdout) == (1, "")
    assert "wine-v1.0.0" in done.stderr
    assert (wine.train / "dreg.lock").read_text() == before
    assert not (wine.train / "data").exists()


def test_a_registry_that_answers_is_asked_first(wine, tmp_path):
    lock = wine.train / "dreg.lock"
    dead = next(word for word in lock.read_text().split('"') if word.startswith("git:"))
    lock.write_text(lock.read_text().replace(dead, str(wine.bare)))
    wine.environment["DREG_REPO"] = str(shutil.copytree(wine.bare, tmp_path / "mirror.git"))
    for command in ("fetch", "outdated", "update"):
        done = wine.dreg(command)
        assert done.code == 0, done.stderr
        assert "names" not in done.stderr
