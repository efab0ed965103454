"""Python that has imported what is needed, and forks: `python -m tests.zygote dreg|dvc FD`.

An order comes over a connection to the socket FD; its child has the environment, folder and files of
the order, runs what was asked for and ends as Python would. The exit code is the answer.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from tests import large_pages, pauses

ROOT = Path(__file__).resolve().parents[1]
NO_COMMAND = ("dreg/api", "dreg/adapters/interop", "dreg/adapters/dvc/child", "dreg/templates")
FOR = {
    "dreg": (
        "botocore.session", "git", "httpcore2", "jinja2.sandbox", "lightkube.config.kubeconfig",
        "lightkube.generic_resource", "lightkube.resources.core_v1", "obstore.store", "psycopg", "pyarrow.compute",
        "pyarrow.parquet", "yaml",
    ),
    "dvc": (
        "configobj", "dulwich.ignore", "dulwich.index", "dulwich.worktree", "dvc._debug", "dvc.cachemgr",
        "dvc.cli.parser", "dvc.data_cloud", "dvc.dirs", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.metrics",
        "dvc.repo.open_repo", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.stage", "dvc.rwlock", "dvc.scm",
        "dvc.utils.strictyaml", "dvc_data.hashfile._progress", "dvc_data.hashfile.db.local",
        "dvc_data.hashfile.status", "flatten_dict", "fsspec.implementations.memory", "networkx", "pandas",
        "platformdirs.unix", "pyarrow.csv", "pyarrow.pandas_compat", "pyarrow.parquet", "rich.progress",
        "ruamel.yaml.mergevalue",
    ),
}  # fmt: skip
HIGH = 500  # descriptors from here on are nobody's


def main() -> None:
    """Obey orders until the one who started this ends."""
    what, orders = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    load(what)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([0, orders, wake, *running.values()], [], [])
        if 0 in ready:
            return
        for pid in [pid for pid, asked in running.items() if asked in ready]:
            end(pid)  # who asked is gone, and with it the process that it stood for
            running.pop(pid).close()
        if wake in ready:
            os.read(wake, 1000)
            for pid, status in iter(ended, None):
                if pid in running:
                    with running.pop(pid) as asked, contextlib.suppress(OSError):
                        asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        if orders in ready:
            asked, _ = orders.accept()
            _, files, _, _ = socket.recv_fds(asked, 1, 100)
            order = whole(asked)
            pid = os.fork() if order else -1
            if pid == 0:
                obey(marshal.loads(order), files)
            running |= {pid: asked} if order else {}
            for file in files:
                os.close(file)


def whole(asked: socket.socket) -> bytes:
    """The order; nothing if who sends it is gone."""
    size, order = int.from_bytes(asked.recv(8, socket.MSG_WAITALL), "big"), b""
    while len(order) < size and (more := asked.recv(1 << 16)):
        order += more
    return order if len(order) == size else b""


def end(pid: int) -> None:
    """Kill a child with all of its group."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        os.killpg(pid, signal.SIGKILL)


def ended() -> tuple[int, int] | None:
    """A child that has ended, and how."""
    with contextlib.suppress(ChildProcessError):
        pid, status = os.waitpid(-1, os.WNOHANG)
        return (pid, status) if pid else None
    return None


def load(what: str) -> None:
    """Import what is needed for commands, or for DVC and stages."""
    for name in FOR[what]:
        import_module(name)
    for path in sorted((ROOT / "dreg").rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").as_posix()
        if not module.startswith(NO_COMMAND) and path.name != "__main__.py":
            import_module(module.removesuffix("/__init__").replace("/", "."))
    if what == "dvc":
        import_module("dvc.cli.parser").get_main_parser()  # DVC keeps it
    pauses.shorten()
    gc.freeze()
    large_pages.use()


def obey(order: dict[str, Any], files: list[int]) -> None:
    """Be the process that was ordered. Doesn't return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        become(order, files)
        code = exit_code(order)
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def exit_code(order: dict[str, Any]) -> int:
    """What Python would exit with, after all that it does when a program ends."""
    try:
        try:
            run(order)
        except Exception as error:
            trace = error.__traceback__
            while trace and trace.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
                trace = trace.tb_next
            sys.excepthook(type(error), error, trace)
            return 1
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def run(order: dict[str, Any]) -> None:
    """`dreg` or `python`, with the arguments of the order."""
    if "dreg" in order:
        from dreg.cli import main

        sys.executable = order["executable"]
        sys.argv = ["dreg", *order["dreg"]]
        main()
    else:
        os.setsid()
        python(order["python"])


def become(order: dict[str, Any], files: list[int]) -> None:
    """Take on environment, folder and open files."""
    high = [fcntl.fcntl(file, fcntl.F_DUPFD, HIGH) for file in files]
    os.closerange(3, HIGH)
    for file, number in zip(high, order["files"], strict=True):
        os.dup2(file, number)
    os.closerange(HIGH, HIGH + len(high))
    os.environb.clear()
    os.environb.update(order["environment"])
    os.chdir(order["folder"])


def python(arguments: list[str]) -> None:
    """`python arguments`, of the few forms that are asked for."""
    if arguments[0] == "-P":
        arguments = arguments[1:]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        exec(arguments[1], {"__name__": "__main__"})
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
