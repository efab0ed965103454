"""Processes of `dreg`, DVC and stages, forked off a Python that has imported what they need.

Starting Python and importing takes longer than most of what tests run. Everything else is as in a
process of one's own: environment, folder, open files, exit code.
"""

from __future__ import annotations

import atexit
import io
import marshal
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.done import Done

ROOT = Path(__file__).resolve().parents[1]
# What Python looks at before it runs anything.
AT_START = (
    "LANG", "LD_PRELOAD", "LC_ALL", "LC_CTYPE", "PYTHONHASHSEED", "PYTHONIOENCODING", "PYTHONPATH", "PYTHONSAFEPATH",
    "PYTHONUTF8", "PYTHONWARNINGS",
)  # fmt: skip

# What stands on the PATH for `python`, where a registry's DVC and stages are forked too, and for `dreg`.
SHIM = """#!{python} -ISE
import marshal, posix, sys
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_STREAM, SOL_SOCKET, socket

def is_open(number):
    try:
        posix.fstat(number)
    except OSError:
        return False
    return True

numbers = sorted(filter(is_open, map(int, posix.listdir("/proc/self/fd"))))
asked = socket(AF_UNIX, SOCK_STREAM)
asked.connect({address!r})
sent = b"".join(number.to_bytes(4, sys.byteorder) for number in numbers)
asked.sendmsg([b"."], [(SOL_SOCKET, SCM_RIGHTS, sent)])
order = marshal.dumps({{
    {what!r}: sys.argv[1:], "environment": posix.environ, "folder": posix.getcwdb(), "files": numbers,
    "executable": {executable!r},
}})
asked.sendall(len(order).to_bytes(8, "big") + order)
code = int(asked.recv(100))
if code < 0:
    posix.kill(posix.getpid(), -code)
posix._exit(code)
"""


def dreg(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pipelines: bool = False,
) -> Done:
    """Run `dreg arguments`; nothing is on its stdin. `pipelines`: what it starts is forked as well."""
    executable = str(zygote("dvc").shim) if pipelines else sys.executable
    more = {"dreg": list(arguments), "executable": executable}
    command = [sys.executable, "-m", "dreg", *arguments]
    return ran("dreg", more, command, cwd, env)


def dvc(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """Run `dvc arguments`; `python` in a stage is forked as well."""
    return python("-m", "dvc", *arguments, cwd=cwd, env=env)


def python(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """Run `python arguments`, a module or a script, as stages do."""
    environment = dict(os.environ if env is None else env)
    here = zygote("dvc").shim.parent
    environment["PATH"] = f"{here}{os.pathsep}{environment['PATH']}"
    return ran("dvc", {"python": list(arguments)}, [sys.executable, *arguments], cwd, environment)


def ran(
    what: str,
    more: Mapping[str, Any],
    command: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
) -> Done:
    """How the process ended; it is a new Python if it must be."""
    environment = dict(os.environ if env is None else env)
    if at_start(environment) != OURS:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)
    with (
        Path(os.devnull).open() as nothing,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        order = {
            "environment": {os.fsencode(k): os.fsencode(v) for k, v in environment.items()},
            "folder": os.fsencode(cwd or Path.cwd()),
            "files": [0, 1, 2],
            **more,
        }
        code = zygote(what).run(order, nothing, out, err)
        return Done(code, text(out), text(err))


def on_path() -> str:
    """The PATH on which `dreg` and `python` are forked, and other programs are this Python's."""
    folders = [str(zygote(what).shim.parent) for what in ("dreg", "dvc")]
    return os.pathsep.join([*folders, str(Path(sys.executable).parent), os.environ["PATH"]])


def at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in AT_START if name in environment}


def text(file: Any) -> str:
    file.seek(0)
    return io.TextIOWrapper(file).read()


OURS = at_start(os.environ)


@cache
def zygote(what: str) -> Zygote:
    return Zygote(what)


class Zygote:
    """The process that forks; it ends with the one that started it."""

    def __init__(self, what: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="zygote-", dir="/tmp"))
        self._address = str(self._folder / "orders")
        told = {"python": sys.executable, "address": self._address, "executable": sys.executable}
        if what == "dreg":
            told |= {"what": "dreg", "executable": str(zygote("dvc").shim)}
        else:
            told |= {"what": "python"}
        self.shim = self._folder / told["what"]
        self.shim.write_text(SHIM.format(**told))
        self.shim.chmod(self.shim.stat().st_mode | stat.S_IXUSR)
        with socket.socket(socket.AF_UNIX) as orders:
            orders.bind(self._address)
            orders.listen(100)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.zygote", what, str(orders.fileno())],
                cwd=ROOT, pass_fds=[orders.fileno()], stdin=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        atexit.register(self._end)

    def run(self, order: Mapping[str, Any], *files: Any) -> int:
        """The exit code; negative if a signal ended it."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(self._address)
            socket.send_fds(asked, [b"."], [file.fileno() for file in files])
            text = marshal.dumps(order)
            asked.sendall(len(text).to_bytes(8, "big") + text)
            answer = asked.recv(100)
        assert answer, "the zygote is gone"
        return int(answer)

    def _end(self) -> None:
        self._process.communicate(timeout=30)
        shutil.rmtree(self._folder)
