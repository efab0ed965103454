"""Who asks dreg to end is heard, at whatever moment it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dreg.adapters.claims import Claims
from dreg.adapters.interrupts import held_back
from tests.pipeline_registry import PipelineRegistry

# Places in which Python, or somebody's code, does away with an interrupt.
SWALLOWED = {
    "a destructor": """
class Last:
    def __del__(self):
        interrupt()
Last()
""",
    "who takes it for an error": """
try:
    interrupt()
except BaseException:
    pass
""",
    "who makes another error of it": """
try:
    interrupt()
except BaseException as error:
    raise RuntimeError("something else") from error
""",
}
INTERRUPT = """
import os, signal, sys, time

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass
"""
AT_A_LOCK = """
came = []

def swallow(event, given):
    if event == "fcntl.flock" and not came:
        came.append(event)
        exec({swallow!r}, globals())

sys.addaudithook(swallow)
sys.argv = ["dreg", "release", "alpha"]
from dreg.__main__ import main
main()
"""


@pytest.mark.parametrize("what", ["run", "transfer", "bundle"])
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


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> PipelineRegistry:
    registry = PipelineRegistry.make(tmp_path_factory.mktemp("committed") / "registry", "alpha")
    assert registry.dreg("run", "alpha").code == 0
    registry.commit()
    return registry


def python(code: str, registry: PipelineRegistry | None = None) -> subprocess.CompletedProcess[str]:
    where = {"cwd": registry.root, "env": registry.environment} if registry else {}
    return subprocess.run(
        [sys.executable, "-c", INTERRUPT + code], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
        check=False, **where,
    )  # fmt: skip


@pytest.mark.parametrize("swallow", SWALLOWED.values(), ids=SWALLOWED)
def test_an_interrupt_that_gets_lost_comes_again(committed: PipelineRegistry, swallow: str) -> None:
    """Lost just before a release waits for somebody, which takes ten minutes."""
    with Claims(committed.root, "the other", 0, print).of("alpha"):
        done = python(AT_A_LOCK.format(swallow=swallow), committed)
    assert done.returncode == 130, done.stderr
    assert "bug" not in done.stderr


def test_who_puts_away_what_was_begun_is_left_in_peace() -> None:
    done = python("""
from dreg.adapters.interrupts import heard, held_back
class Rest:
    def __enter__(self): return self
    def __exit__(self, *error): rest()
def rest():
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        try:
            int("x")
        except ValueError:
            time.sleep(0.001)
    print("rested")
try:
    with heard(), Rest():
        try:
            with held_back():
                interrupt()
                rest()
        finally:
            rest()
except KeyboardInterrupt:
    print("asked")
""")
    assert done.stdout.split() == ["rested", "rested", "rested", "asked"], done.stderr
    assert done.stderr == ""


def test_an_interrupt_while_python_still_imports_leaves_no_traceback(
    committed: PipelineRegistry,
) -> None:
    done = python("""
def look(event, given):
    if event == "import" and given[0] == "typer":
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(look)
from dreg.__main__ import main
main()
""", committed)  # fmt: skip
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


def test_behind_a_shell_s_ampersand_interrupts_stay_ignored(committed: PipelineRegistry) -> None:
    done = python(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from dreg.__main__ import main\n"
        "from dreg.output import out\n"
        "out.answer = lambda *_: interrupt()\n"
        "sys.argv = ['dreg', 'list']\n"
        "main()\n",
        committed,
    )
    assert done.returncode == 0, done.stderr


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
