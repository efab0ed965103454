"""A Python that has imported what its orders need, and forks for each of them.

`python -P -m dreg.adapters.forking.server FD MODULE...`: over the socket FD comes, for each order, the
end of a socket of its own, and over that files and what is to be run. The child has the folder, the environment,
the files and the process group of its order, and ends as any Python does. It is told about with two numbers: its process
id, then its exit code, negative for a signal. Who closes its socket before that ends the child; where everybody has closed FD,
the server ends.

The server only ever imports. What starts threads is not for it to import: a fork has none of them, and all their locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import types
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType

NUMBER = struct.Struct("=i")
LENGTH = struct.Struct("=Q")
MOST_FILES = 250  # what Linux takes in one message
FEW = 500  # descriptors; the server has never more open


@dataclass(frozen=True)
class Order:
    """What a child is to do. `files` are the numbers that its open files are to have, `group` is the process
    group that it joins; 0: a new one. Either `module` is imported, and its `main()` called, or `script` is run."""

    argv: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]
    group: int = 0
    module: str = ""
    script: str = ""


def main() -> None:
    """Import, then fork until nobody is left to give orders."""
    _leave_the_terminal()
    orders = socket.socket(fileno=int(sys.argv[1]))
    at_start = dict(os.environ)
    for name in sys.argv[2:]:
        with contextlib.suppress(ImportError):  # then it takes a moment longer where it is needed
            import_module(name)
    gc.freeze()
    order = _serve(orders)
    if order is None:
        os._exit(0)  # without taking down all that was imported
    _obey(order, at_start)


def _leave_the_terminal() -> None:
    """Who asks for a password finds nobody to ask, and is not stopped, as what is in the background would be."""
    with contextlib.suppress(OSError):
        terminal = os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(terminal, termios.TIOCNOTTY)
        os.close(terminal)


def _serve(orders: socket.socket) -> Order | None:
    """The order, in the child that is forked for it; None in the server, at the end."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    while True:
        asking: list[int | socket.socket] = [orders, woken, *running.values()]
        ready, _, _ = select.select(asking, [], [])
        for pid in [pid for pid, asked in running.items() if asked in ready]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # who asked is gone
            running.pop(pid).close()
        if woken in ready:
            os.read(woken, 1000)
            while (ended := _ended()) is not None:
                pid, code = ended
                if pid in running:
                    with running.pop(pid) as asked, contextlib.suppress(OSError):
                        asked.sendall(NUMBER.pack(code))
        if orders in ready:
            sent, files, _, _ = socket.recv_fds(orders, 1, 1)
            if not sent:  # whoever asks holds this one too, so all of them are gone, or just going
                for pid in running:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return None
            asked = socket.socket(fileno=files[0])
            if not (told := _told(asked)):
                asked.close()
                continue
            order, files = told
            pid = _fork()
            if pid == 0:
                for one in (orders, asked, *running.values()):
                    one.detach()  # else it would be closed later, when its number is another's
                with contextlib.suppress(OSError):  # who leads the group has ended, and we will
                    os.setpgid(0, order.group)
                _become(order, files)
                return order
            with contextlib.suppress(OSError):  # it has done so itself, or ended
                os.setpgid(pid, order.group or pid)
            for file in files:
                os.close(file)
            with contextlib.suppress(OSError):
                asked.sendall(NUMBER.pack(pid))
            running[pid] = asked


def _fork() -> int:
    with warnings.catch_warnings():
        # numpy's threads for matrices are threads too; it sees to forks itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _told(asked: socket.socket) -> tuple[Order, list[int]] | None:
    """The order and its files; None if who sends it is gone."""
    try:
        sent, files, _, _ = socket.recv_fds(asked, 1, MOST_FILES)
        (size,) = LENGTH.unpack(asked.recv(LENGTH.size, socket.MSG_WAITALL) if sent else b"")
        text = bytearray()
        while len(text) < size and (more := asked.recv(1 << 16)):
            text += more
        if len(text) == size:
            return Order(**json.loads(text)), files
    except (OSError, struct.error):
        return None
    for file in files:
        os.close(file)
    return None


def _ended() -> tuple[int, int] | None:
    """A child that has ended, and its exit code."""
    with contextlib.suppress(ChildProcessError):
        pid, status = os.waitpid(-1, os.WNOHANG)
        return (pid, os.waitstatus_to_exitcode(status)) if pid else None
    return None


def _become(order: Order, files: list[int]) -> None:
    """Take on files, folder and environment, and nothing of the server's."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    above = max(FEW, *files, *order.files) + 1
    high = [os.dup2(file, above + i) for i, file in enumerate(files)]
    os.closerange(3, above)
    for file, number in zip(high, order.files, strict=True):
        os.dup2(file, number)
    os.closerange(above, above + len(high))
    os.environ.clear()
    os.environ.update(order.environment)
    os.chdir(order.folder)


def _obey(order: Order, at_start: dict[str, str]) -> None:
    sys.argv = order.argv
    if order.module:
        import_module(order.module).main()
    elif _is_as_new(order, at_start):
        _run_script(order.script)
    else:
        os.execv(sys.executable, [sys.executable, *order.argv])  # noqa: S606


def _is_as_new(order: Order, at_start: dict[str, str]) -> bool:
    """Whether the script finds what it would find in a new Python."""

    def counting(environment: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in environment.items() if not name.startswith("DVC_")}

    if counting(order.environment) != counting(at_start):
        return False  # much of it counts when Python starts, or a library is imported
    if not all(map(os.path.isabs, os.environ.get("PYTHONPATH", "/").split(os.pathsep))):
        return False
    script = Path(order.script)
    if script.suffix != ".py" or not script.is_file():
        return False
    beside = {entry.name.partition(".")[0] for entry in script.parent.iterdir()}
    return not beside & {name.partition(".")[0] for name in sys.modules}


def _run_script(script: str) -> None:
    """As `python script` does."""
    path = str(Path.cwd() / script)
    module = types.ModuleType("__main__")
    vars(module).update(__file__=path, __builtins__=__builtins__, __cached__=None)
    sys.path.insert(0, str(Path(path).parent))
    sys.modules["__main__"] = module
    try:
        code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102 - a script of the user's, and nothing else, is what is to be run
    except (Exception, KeyboardInterrupt):
        _tell_without_this_module()
        raise


def _tell_without_this_module() -> None:
    """In what is told of an error, leave out who called the script."""
    tell = sys.excepthook

    def shorter(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        while trace and trace.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
            trace = trace.tb_next
        tell(kind, error.with_traceback(trace), trace)

    sys.excepthook = shorter


if __name__ == "__main__":
    main()
