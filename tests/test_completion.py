"""Completion by a real bash on a terminal, with the script that `--show-completion` prints."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from dreg.completion import rejoined
from tests import forked


class Bash:
    """An interactive bash in which dreg's completion is set up."""

    def __init__(self, folder):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=folder,
            env={**os.environ, "PATH": forked.on_path(), "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        # By a process of bash's own: which shell it is, is looked up among the parents.
        show = f"{sys.executable} -m dreg --show-completion"
        self.send(f'bind "set bell-style none"; eval "$({show})"; ')
        self.send("PS1='rea''dy> '\n")
        self.wait("(ready> )")

    def send(self, text):
        os.write(self.ours, text.encode())

    def wait(self, wanted):
        """The group of the pattern `wanted`, once bash has written what it matches."""
        said, end = "", time.monotonic() + 180
        while not (found := re.search(wanted, said, re.MULTILINE)):
            assert time.monotonic() < end, f"no {wanted!r} in {said!r}"
            if select.select([self.ours], [], [], 0.2)[0]:
                said += os.read(self.ours, 65536).decode()
        return found[1]

    def completed(self, line):
        """The command line that a tab makes of `line`."""
        self.send(f"{line}\t\x01echo '<\x05>'\n")  # to the line's start, to its end
        return self.wait(r"^<(.*)>\r?$")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.fixture
def bash(hand_made):
    (hand_made.path / "pipelines" / "wine").mkdir()
    (hand_made.path / "pipelines" / "wine" / "dvc.yaml").write_text("stages: {}\n")
    hand_made.release("1.0.0")
    hand_made.release("2.1.0")
    shell = Bash(hand_made.path)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("dreg sta", "dreg status "),
        ("dreg status wi", "dreg status wine "),
        ("dreg show wine@2", "dreg show wine@2.1.0 "),
        ("dreg diff wine@1.0.0 wine@2.", "dreg diff wine@1.0.0 wine@2.1.0 "),
        ("dreg fetch wine@1", "dreg fetch wine@1.0.0 "),
        ("dreg remote use di", "dreg remote use disk "),
        ("dreg release --bump ma", "dreg release --bump major "),
        ("dreg show nothing@1", "dreg show nothing@1"),
    ],
)
def test_a_tab_completes(bash, typed, completed):
    assert bash.completed(typed) == completed


@pytest.mark.parametrize(
    ("words", "typed", "before"),
    [
        (["dreg", "show", "wi"], ["dreg", "show", "wi"], ""),
        (["dreg", "show", ""], ["dreg", "show", ""], ""),
        (["dreg", "show", "wine", "@"], ["dreg", "show", "wine@"], "wine"),
        (["dreg", "show", "wine", "@", "1."], ["dreg", "show", "wine@1."], "wine"),
        (["dreg", "diff", "a", "@", "1", "b"], ["dreg", "diff", "a@1", "b"], ""),
        (["dreg", "show", "'wine@1"], ["dreg", "show", "'wine@1"], ""),
    ],
)
def test_words_that_bash_split_are_joined(words, typed, before):
    assert rejoined(words) == (typed, before)
