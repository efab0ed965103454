"""A repository that was cloned may not have data written outside of itself; its user may."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hand_made import METADATA, WINE, HandMade, tree

PLACED = {**WINE, "metadata.json": METADATA}


@pytest.fixture
def cloned(hand_made: HandMade) -> HandMade:
    """`wine` 1.0.0 and 1.1.0, and a training repository that is one."""
    hand_made.release("1.0.0")
    hand_made.release("1.1.0", {**WINE, "processed/val.csv": b"x\n"})
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    subprocess.run(["git", "init", "-q", str(hand_made.train)], check=True)
    return hand_made


def ask_for(made: HandMade, output: str, folder: Path | None = None) -> None:
    text = f"[datasets]\nwine = {{ version = '1.0.0', output = '{output}' }}\n"
    ((folder or made.train) / "dreg.toml").write_text(text)


def refused(made: HandMade, *arguments: str, cwd: Path | None = None) -> str:
    before = placed(made)
    done = made.dreg("fetch", *arguments, cwd=cwd)
    assert (done.code, done.stdout) == (1, ""), done
    assert placed(made) == before
    return done.stderr


def placed(made: HandMade) -> list[str]:
    """All files beside the cache."""
    return [path for path in tree(made.home) if not path.startswith("cache/")]


@pytest.mark.parametrize("output", ["../elsewhere", "{home}/elsewhere", "data/../../elsewhere"])
def test_a_committed_file_places_nothing_outside(cloned, output):
    output = output.format(home=cloned.home)
    ask_for(cloned, output)
    said = refused(cloned)
    assert f"`{output}`, where dreg.toml or dreg.lock has `wine`, is {cloned.home}/elsewhere, outs" in said  # fmt: skip
    assert f"only if you say so yourself: dreg fetch wine@1.0.0 -o {output}\n" in said
    assert refused(cloned, "wine")
    assert refused(cloned, "--force")


def test_who_says_so_may_and_need_not_say_it_again(cloned):
    ask_for(cloned, "../elsewhere")
    assert cloned.fetch("wine@1.0.0", "-o", "../elsewhere")["changed"]
    assert tree(cloned.home / "elsewhere") == PLACED
    shutil.rmtree(cloned.home / "elsewhere")
    assert cloned.fetch()["changed"]
    assert tree(cloned.home / "elsewhere") == PLACED


def test_the_lock_of_another_clone_says_nothing_here(cloned):
    cloned.fetch("wine@1.0.0", "-o", "../elsewhere")
    other = cloned.home / "deeper" / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    shutil.copy(cloned.train / "dreg.lock", other)
    assert "outside of this repository" in refused(cloned, cwd=other)
    assert "outside of this repository" in refused(cloned, "--locked", cwd=other)
    done = cloned.dreg("fetch", "wine", "--locked", "-o", "../elsewhere", cwd=other)
    assert done.code == 0, done.stderr
    assert tree(other.parent / "elsewhere") == PLACED


def test_what_is_in_place_there_is_only_looked_at(cloned):
    cloned.fetch("wine@1.0.0", "-o", "../elsewhere")
    shutil.rmtree(cloned.home / "cache" / "places")
    assert cloned.fetch()["changed"] is False


def test_a_folder_of_the_same_repository_is_inside(cloned):
    below = cloned.train / "project" / "a"
    below.mkdir(parents=True)
    ask_for(cloned, "../../data/wine", below)
    done = cloned.dreg("fetch", cwd=below)
    assert done.code == 0, done.stderr
    assert tree(cloned.train / "data" / "wine") == PLACED


def test_a_committed_link_is_as_good_as_a_path(cloned):
    (cloned.train / "data").symlink_to(cloned.home / "elsewhere")
    (cloned.home / "elsewhere").mkdir()
    ask_for(cloned, "data/wine")
    cloned.git("add", "data", cwd=cloned.train)
    said = refused(cloned)
    assert f"is a committed link that leads to {cloned.home}/elsewhere/wine, outside" in said
    cloned.git("rm", "-q", "--cached", "data", cwd=cloned.train)
    assert cloned.fetch()["changed"], "a link that only this clone has was made by its user"
    assert tree(cloned.home / "elsewhere" / "wine") == PLACED
