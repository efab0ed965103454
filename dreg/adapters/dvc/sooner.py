"""DVC doing the same sooner: it looks more often whether a lock is free, reads the same text once, asks once for what
a file system can't do, and its stages need no new Python.

All put something of ours in the place of a function of DVC's; where another DVC has no such function, it
works as it does by itself.
"""

from __future__ import annotations

import copy
import errno
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dreg.adapters.forking.orders import forked
from dreg.adapters.forking.server import Order

OFTEN = 0.01  # seconds
# `python scripts/process.py --rows 10`: words that every shell takes as they are.
PLAIN = re.compile(r"python3? [\w./][\w./-]*\.py( [\w./:,@%+-][\w./:,@%+=-]*)*", re.ASCII)
BY_A_SHELL = ("BASH_ENV", "ENV")  # files that it reads before it runs anything


def look_often() -> None:
    """DVC waits half a second for a lock that another DVC mostly has for milliseconds."""
    from dvc import lock

    if not hasattr(lock.Lock, "_do_lock"):
        return

    class Soon(lock.Lock):  # type: ignore[misc]
        def lock(self) -> None:
            """As DVC's: raises LockError where it is not to wait for ever, after as long as DVC does."""
            last = None if self._wait else time.monotonic() + lock.DEFAULT_TIMEOUT
            while True:
                try:
                    self._do_lock()
                    return
                except lock.LockError:
                    if last is not None and time.monotonic() > last:
                        raise
                time.sleep(OFTEN)

    lock.Lock = Soon


def read_once() -> None:
    """DVC reads its YAML some thirty times in a run of three stages, and mostly it is the same as before."""
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    parse = getattr(_yaml, "parse_yaml", None)
    if parse is None:
        return
    known: dict[str, Any] = {}

    def parse_yaml(text: str, path: str, typ: str = "safe") -> Any:
        if typ != "safe":
            return parse(text, path, typ)
        if text not in known:
            known[text] = parse(text, path)
        return copy.deepcopy(known[text])

    _yaml.parse_yaml = strictyaml.parse_yaml = parse_yaml


def share_blocks_where_that_is_possible() -> None:
    """To copy a file DVC first asks for one that shares its blocks, and where there are none removes what it made for
    that: of thousands of small files, half of the work. The answer is the same of all between two file systems.
    """
    from dvc_objects.fs import system

    ask = getattr(system, "reflink", None)
    if ask is None:
        return
    never = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV}
    refused: dict[tuple[int, int], int] = {}

    def reflink(source: str, target: str) -> None:
        between = os.stat(source).st_dev, os.stat(os.path.dirname(target) or ".").st_dev  # noqa: PTH116, PTH120
        if between in refused:
            raise OSError(refused[between], os.strerror(refused[between]))
        try:
            ask(source, target)
        except OSError as error:
            if error.errno in never:
                refused[between] = error.errno
            raise

    system.reflink = reflink


def fork_stages(orders: socket.socket) -> None:
    """Have commands that just run a script forked by the server at the other end of `orders`."""
    from dvc.stage import run
    from dvc.stage.exceptions import StageCmdFailedError

    by_a_shell = getattr(run, "_run", None)
    if by_a_shell is None:
        return

    def by_fork(executable: str | None, cmd: str, **given: Any) -> None:
        code = _forked(orders, cmd, given)
        if code is None:
            by_a_shell(executable, cmd, **given)
        elif code != 0:
            raise StageCmdFailedError(cmd, code)

    run._run = by_fork


def _forked(orders: socket.socket, cmd: str, given: dict[str, Any]) -> int | None:
    """How the command ended; None if it needs a shell, or there is no server."""
    environment = given["env"]
    if not PLAIN.fullmatch(cmd) or any(name in environment for name in BY_A_SHELL):
        return None
    argv = cmd.split(" ")
    if not _is_ours(argv[0], environment.get("PATH", os.defpath)):
        return None
    order = Order(
        argv[1:],
        given["cwd"],
        environment,
        [0, 1, 2],
        group=os.getpgid(0),
        script=argv[1],
    )
    with _interrupts_left_to_the_stage():
        try:
            return forked(orders, order, [0, 1, 2]).wait()
        except OSError:
            return None


def _is_ours(python: str, path: str) -> bool:
    """Whether a shell would take the Python that runs this."""
    found = shutil.which(python, path=path)
    return found is not None and Path(found).parent == Path(sys.executable).parent


@contextmanager
def _interrupts_left_to_the_stage() -> Iterator[None]:
    """As DVC does while a command runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
