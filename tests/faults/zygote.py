"""The real `dreg`, started many times without importing it again, and killed where a test says.

`python -m tests.faults.zygote` reads an order a line and forks; the child runs dreg's command line
in a session of its own. A step is what a process does to the world: opening a file to write,
renaming, removing, making folders and links, locking, starting another process. Python's own audit
events tell of each just before it happens, so nothing of dreg is changed to die there.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import signal
import sys
import time
from typing import Any

from tests import large_pages, pauses

SUBREAPER = 36
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
STEPS = frozenset(
    (
        "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
        "os.utime", "os.chmod", "fcntl.flock", "subprocess.Popen",
    )
)  # fmt: skip


def main() -> None:
    """Answer orders until there are no more."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # what a killed dreg leaves running is ours
    _import()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_obey(json.loads(line))), flush=True)


def _import() -> None:
    import git  # noqa: F401
    import obstore.store  # noqa: F401
    import yaml  # noqa: F401

    import dreg.adapters.index.comparing
    import dreg.adapters.objects.bucket
    import dreg.cli
    import dreg.fetch.fetching
    import dreg.fsck.checking
    import dreg.release.releasing
    import dreg.run.running
    import dreg.yank.yanking

    for name in dreg.cli.COMMANDS:
        dreg.cli.load(name)
    pauses.shorten()
    large_pages.use()


def _obey(order: dict[str, Any]) -> Any:
    if "gone" in order:
        return {"gone": _gone(order["gone"])}
    if "all" in order:
        return [_ended(pid, time.monotonic()) for pid in [_started(one) for one in order["all"]]]
    begun = time.monotonic()
    pid = _started(order)
    if order.get("after") is not None:
        time.sleep(order["after"])
        with contextlib.suppress(ProcessLookupError):
            _kill(pid, everything=order["everything"])
    return _ended(pid, begun)


def _started(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _run(order)
    return pid


def _ended(pid: int, begun: float) -> dict[str, Any]:
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"pid": pid, "code": code, "seconds": time.monotonic() - begun}


def _gone(pid: int) -> bool:
    """Wait until nothing of a session is left, at most a few seconds."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.005)
    return False


def _kill(pid: int, *, everything: bool) -> None:
    """Only the process, or all that it started and that did not leave its group."""
    if everything:
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)


def _run(order: dict[str, Any]) -> None:
    code = 70
    try:
        os.setsid()
        with open(order["pid"], "w") as file:  # noqa: PTH123
            file.write(str(os.getpid()))
        for handle, name in ((0, os.devnull), (1, order["stdout"]), (2, order["stderr"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), handle)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        sys.executable = order["executable"]
        sys.argv = ["dreg", *order["arguments"]]
        steps = itertools.count(1)
        sys.addaudithook(_dying(steps, order.get("step"), order.get("everything", False)))
        from dreg.cli import run

        code = run(order["arguments"])
        sys.stdout.flush()
        with open(order["steps"], "w") as file:  # noqa: PTH123
            file.write(str(next(steps) - 1))
    except KeyboardInterrupt:
        code = 130
    finally:
        os._exit(code)


def _dying(steps: Any, at: int | None, everything: bool) -> Any:
    me = os.getpid()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if path == os.devnull or not (isinstance(flags, int) and flags & WRITING):
                return
        elif event not in STEPS:
            return
        if os.getpid() == me and next(steps) == at:
            _kill(me, everything=everything)

    return hook


if __name__ == "__main__":
    main()
