"""Who asks dreg to end is heard, at whatever moment it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dreg.adapters.claims import Claims
from dreg.adapters.ending import held_back
from tests.pipeline_registry import PipelineRegistry

SWALLOWED = """
import os, signal, sys, time

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

{first}
try:
    Last()
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""
AT_A_LOCK = """
class AtALock:
    def __init__(self):
        self.came = False
    def __call__(self, event, given):
        if event == "fcntl.flock" and not self.came:
            self.came = True
            Last()

sys.addaudithook(AtALock())
from dreg.cli import main
sys.argv = ["dreg", "release", "alpha"]
main()
"""


@pytest.mark.parametrize("what", ["run", "transfer"])
def test_an_interrupt_at_any_step_ends_it(tmp_path: Path, what: str) -> None:
    """Also while a thread is started, and where Python has just taken a lock that others will want."""
    registry = PipelineRegistry.make(tmp_path / "registry", "alpha")
    done = subprocess.run(
        [sys.executable, "-m", "tests.every_step", what, str(registry.root)],
        cwd=Path(__file__).parents[1], env=registry.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["steps"] > 100


@pytest.mark.parametrize(
    "first", ["from dreg.adapters.ending import raise_swallowed_again as r; r()", AT_A_LOCK], ids=["itself", "dreg"]
)  # fmt: skip
def test_an_interrupt_that_python_swallows_comes_again(tmp_path: Path, first: str) -> None:
    registry = PipelineRegistry.make(tmp_path / "registry", "alpha")
    assert registry.dreg("run", "alpha").code == 0
    registry.commit()
    begun = time.monotonic()
    with Claims(registry.root, "the other", 0, print).of("alpha"):
        done = subprocess.run(
            [sys.executable, "-c", SWALLOWED.format(first=first)], cwd=registry.root, env=registry.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert time.monotonic() - begun < 50
    assert "ignored" not in done.stderr


def test_other_errors_in_a_destructor_are_told_as_ever() -> None:
    code = (
        "from dreg.adapters.ending import raise_swallowed_again as r; r()\n"
        "class Odd:\n    def __del__(self): 1 / 0\nOdd()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Exception ignored in" in done.stderr
    assert "ZeroDivisionError" in done.stderr


class Own(BaseException):
    pass


def test_held_back_raises_what_the_handler_did_when_asked_and_a_second_one_at_once() -> None:
    def handler(*_: object) -> None:
        raise Own

    before = signal.signal(signal.SIGTERM, handler)
    woken = []
    try:
        with pytest.raises(Own), held_back(lambda: woken.append(1)) as signals:
            signal.raise_signal(signal.SIGTERM)
            assert signals.came
            with pytest.raises(Own):
                signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Own), held_back() as signals:
            signal.raise_signal(signal.SIGTERM)
            signals.heed()
            pytest.fail("it was not heeded")
        assert woken == [1]
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_that_just_takes_note_ends_nothing() -> None:
    """As that of a training, which saves its state and goes on until it is done."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with held_back(pytest.fail) as signals:
            signal.raise_signal(signal.SIGTERM)
            assert heard == [signal.SIGTERM]
            assert not signals.came
            signals.heed()
    finally:
        signal.signal(signal.SIGTERM, before)
