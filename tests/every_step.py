"""A signal at every step of the main thread: a process for each, forked off this one.

`python -m tests.every_step run FOLDER` or `... transfer FOLDER` prints, as JSON, where it came and how that ended,
but for those that ended as they should.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from dreg.adapters.bundle_file import in_order
from dreg.adapters.claims import Claims
from dreg.adapters.interrupts import held_back
from dreg.adapters.objects.in_flight import for_each
from dreg.output import out
from dreg.registry import Registry
from dreg.run import schedule
from dreg.run.running import run

IN_TIME = 30.0  # seconds
ASKED, DONE, FAILED = 10, 11, 12  # exit codes


def swept(work: Callable[[], object], waits: str) -> tuple[int, list[str]]:
    """How many steps there are until the main thread calls the function `waits`; and those that went wrong."""
    wrong: list[str] = []
    step = 0
    while True:
        step += 1
        with tempfile.TemporaryFile() as told:
            pid = os.fork()
            if pid == 0:
                interrupted(work, waits, step, told.fileno())
            code = ending(pid)
            told.seek(0)
            where = told.read().decode()
        if code != ASKED:
            wrong.append(f"{where}: {'it hangs' if code is None else f'exit {code}'}")
        if where.startswith("waiting"):
            return step, wrong
        assert where or code is None, "it ended without waiting"


def interrupted(work: Callable[[], object], waits: str, step: int, told: int) -> None:
    """Do the work in this process, and send a SIGINT at this step from where it holds signals back; at the latest where it waits."""
    taken = 0
    begins = held_back.__wrapped__.__code__  # type: ignore[attr-defined]
    main = threading.get_ident()

    def look(frame: FrameType, event: str, what: Any) -> None:
        nonlocal taken
        if taken == 0 and frame.f_code is not begins:
            return
        taken += 1
        called = {"call": frame.f_code.co_name, "c_call": getattr(what, "__qualname__", "")}
        waiting = called.get(event) == waits
        if taken == step or waiting:
            sys.setprofile(None)
            at = f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name} {event}"
            os.write(told, f"{'waiting ' * waiting}{at}".encode())
            signal.pthread_kill(main, signal.SIGINT)

    code = DONE
    try:
        sys.setprofile(look)
        work()
    except KeyboardInterrupt:
        code = ASKED
    except BaseException:
        code = FAILED
    finally:
        sys.setprofile(None)
    threading._shutdown()  # type: ignore[attr-defined]  # as Python does at its end
    os._exit(code)


def ending(pid: int) -> int | None:
    until = time.monotonic() + IN_TIME
    while time.monotonic() < until:
        if (ended := os.waitpid(pid, os.WNOHANG))[0]:
            return os.waitstatus_to_exitcode(ended[1])
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def a_run(folder: Path) -> tuple[int, list[str]]:
    """`dreg run alpha`, while somebody else is at it."""
    registry = Registry(folder)
    planned: list[Any] = []
    carry_out = schedule.Schedule.carry_out
    schedule.Schedule.carry_out = lambda *given: planned.append(given) or {}  # type: ignore[method-assign]
    with contextlib.suppress(KeyError):  # it got no fates
        run(registry, ["alpha"])
    ((plan, jobs),) = planned
    with Claims(folder, "the other", 0, print).of("alpha"):
        return swept(lambda: carry_out(plan, jobs), "SimpleQueue.get")


def a_transfer(_: Path) -> tuple[int, list[str]]:
    """Threads that have work for longer than anybody waits."""
    return swept(lambda: for_each(range(100_000), lambda _: time.sleep(0.005), 3), "join")


def a_bundle(_: Path) -> tuple[int, list[str]]:
    """Objects that are read ahead."""

    def read() -> Iterator[bytes]:
        time.sleep(0.005)
        yield b"an object"

    return swept(lambda: list(in_order([(None, read)] * 2)), "SimpleQueue.get")


if __name__ == "__main__":
    out.quiet = True
    what = {"run": a_run, "transfer": a_transfer, "bundle": a_bundle}[sys.argv[1]]
    steps, wrong = what(Path(sys.argv[2]))
    print(json.dumps({"steps": steps, "wrong": wrong}))
