"""Processes that are forked off a server: all that is seen of them is as of a Python of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dreg.adapters.forking.orders import Forked, Server, forked
from dreg.adapters.forking.server import Order
from tests.done import Done
from tests.pipeline_registry import alive

IMPORTED = ("decimal", "yaml")
WAIT = 120.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux is anything forked")


class Folder:
    """A folder with scripts, and a server that forks for them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.server = Server(IMPORTED, path, self.environment)

    def start(self, script: str, *arguments: str, **more: str) -> tuple[Forked, int]:
        """The process, and from where its stdout and stderr are read."""
        said, saying = os.pipe()
        order = Order(
            [script, *arguments], str(self.path), {**self.environment, **more}, [0, 1, 2],
            script=script,
        )  # fmt: skip
        with Path(os.devnull).open() as nothing:
            try:
                return forked(self.server.orders, order, [nothing.fileno(), saying, saying]), said
            finally:
                os.close(saying)

    def fork(self, script: str, *arguments: str, **more: str) -> Done:
        process, said = self.start(script, *arguments, **more)
        with os.fdopen(said) as lines:
            text = lines.read()
        return Done(process.wait(), text, "")

    def run(self, script: str, *arguments: str, **more: str) -> Done:
        done = subprocess.run(
            [sys.executable, script, *arguments], cwd=self.path, env={**self.environment, **more},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, "")

    def write(self, text: str, script: str = "scripts/process.py") -> None:
        (self.path / script).parent.mkdir(parents=True, exist_ok=True)
        (self.path / script).write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.server.end()


NEW = "import sys; print('decimal' not in sys.modules)"  # whether it is a Python of its own


@pytest.mark.parametrize(
    "text",
    [
        "import sys; print(__name__, __file__, sys.argv, sys.path[0], sys.stdin.read())",
        "import os; print(os.getcwd(), sorted(os.environ.items()), sorted(map(int, os.listdir('/proc/self/fd'))))",
        "import signal as s; print([(n, s.getsignal(n)) for n in sorted(s.valid_signals())], s.set_wakeup_fd(-1))",
        "import sys; print('out'); print('err', file=sys.stderr)",
        "import sys; sys.exit()",
        "import sys; sys.exit(7)",
        "import sys; sys.exit('so it ends')",
        "raise SystemExit(3)",
        "def f(x):\n    return 1 / x\n\nf(0)",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('é') from e",
        "1 +",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
        "import os; os._exit(9)",
        "import atexit; atexit.register(print, 'at the end')",
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()",
        "from near import VALUE; print(VALUE)",
        "import no_such_module",
        "import sys\nsys.excepthook = lambda *a: print('hooked', a[1], a[2].tb_lineno)\n\n1 / 0",
        "from multiprocessing import get_context\n\ndef twice(x):\n    return 2 * x\n\n"
        "if __name__ == '__main__':\n    with get_context('spawn').Pool(1) as pool:\n        print(pool.map(twice, [1, 2]))",
        "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)",
    ],
)  # fmt: skip
def test_a_forked_script_is_as_one_of_a_new_python(folder: Folder, text: str) -> None:
    folder.write(text)
    folder.write("VALUE = 5", "scripts/near.py")
    run = folder.run("scripts/process.py", "--rows", "10")
    assert folder.fork("scripts/process.py", "--rows", "10") == run


def test_what_is_imported_is_not_imported_again(folder: Folder) -> None:
    folder.write(NEW)
    assert folder.fork("scripts/process.py").stdout == "False\n"
    assert folder.run("scripts/process.py").stdout == "True\n"


def test_random_numbers_are_no_ones_elses(folder: Folder) -> None:
    folder.write("import random; print(random.random())")
    assert folder.fork("scripts/process.py") != folder.fork("scripts/process.py")


@pytest.mark.parametrize("beside", ["yaml.py", "yaml/__init__.py", "decimal.so"])
def test_beside_a_module_of_a_name_that_is_taken_it_is_a_new_python(
    folder: Folder, beside: str
) -> None:
    folder.write(NEW)
    folder.write("", f"scripts/{beside}")
    assert folder.fork("scripts/process.py").stdout == "True\n"


@pytest.mark.parametrize(
    "more", [{"PYTHONPATH": "/elsewhere"}, {"OMP_NUM_THREADS": "1"}, {"LANG": "tlh"}]
)
def test_in_another_environment_it_is_a_new_python(folder: Folder, more: dict[str, str]) -> None:
    folder.write(NEW)
    assert folder.fork("scripts/process.py", **more).stdout == "True\n"
    assert folder.fork("scripts/process.py", DVC_STAGE="process").stdout == "False\n"


def test_a_script_that_is_not_there_is_told_as_python_does(folder: Folder) -> None:
    assert folder.fork("none.py") == folder.run("none.py")
    assert folder.fork("none.py").code == 2


def test_several_at_once_end_in_their_own_time(folder: Folder) -> None:
    folder.write("import sys, time; time.sleep(float(sys.argv[1])); sys.exit(int(sys.argv[2]))")
    some = [folder.start("scripts/process.py", str(0.4 - i / 10), str(i))[0] for i in range(4)]
    assert [process.wait() for process in some] == [0, 1, 2, 3]
    assert [process.poll() for process in some] == [0, 1, 2, 3]


def gone(pid: int) -> None:
    until = time.monotonic() + WAIT
    while alive(pid):
        assert time.monotonic() < until, "it is still running"
        time.sleep(0.01)


def test_who_asked_is_gone_and_so_is_what_was_forked(folder: Folder) -> None:
    folder.write("import time; time.sleep(600)")
    process, _ = folder.start("scripts/process.py")
    assert process.poll() is None
    process.conversation.close()
    gone(process.pid)


def test_without_a_server_nobody_waits(folder: Folder) -> None:
    folder.write("import time; time.sleep(600)")
    process, _ = folder.start("scripts/process.py")
    folder.server.end()
    assert process.wait() == -signal.SIGKILL
    gone(process.pid)
    with pytest.raises(OSError):
        folder.start("scripts/process.py")
