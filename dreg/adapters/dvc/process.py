"""DVC's own program, for what changes things: repro, pull, push."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from dreg.adapters.dvc.cache import cache_folder
from dreg.adapters.dvc.servers import CHILD, Servers
from dreg.adapters.forking.orders import Forked
from dreg.errors import Outside

MOMENTS = 1.0  # seconds
PATIENCE = 5.0  # seconds between asking a process to end, insisting, and ending it


Started = subprocess.Popen[bytes] | Forked


class Stopped(Exception):
    """The processes were told to end."""


class Processes:
    """The DVC processes of one command, each with a process group of its own.

    `more` is added to their environment. Where there will be several, or stages, `forking` spares them imports; then they
    have to be closed.
    """

    def __init__(
        self, root: Path, more: Mapping[str, str] | None = None, *, forking: bool = False
    ) -> None:
        self.root = root
        self.environment = {**environment(), **(more or {})}
        self._lock = threading.Lock()
        self._running: set[Started] = set()
        self._stopping = False
        self._servers = Servers(root, self.environment) if forking else None

    def run(
        self,
        arguments: Sequence[str],
        log: Path,
        read: Callable[[str], None],
        held: Sequence[int] = (),
        more: Mapping[str, str] | None = None,
    ) -> int:
        """Run `dvc arguments`; every line goes to the end of `log` and to `read`. Its exit code.

        `more` is added to this one process's environment.

        The claims `held` end only when DVC has ended too. Raises Stopped when `stop` ended it,
        Outside when DVC is not installed.
        """
        check_installed()
        log.parent.mkdir(parents=True, exist_ok=True)
        lifeline, ours = os.pipe()
        said, saying = os.pipe()
        try:
            with (
                log.open("a", encoding="utf-8") as file,
                os.fdopen(said, encoding="utf-8", errors="replace") as lines,
            ):
                file.write(f"$ dvc {' '.join(arguments)}\n")
                try:
                    process = self._start(arguments, saying, lifeline, held, more or {})
                finally:
                    os.close(lifeline)
                    os.close(saying)
                for line in lines:
                    file.write(line)
                    file.flush()
                    read(line.rstrip("\n"))
                code = process.wait()
        finally:
            os.close(ours)
        with self._lock:
            self._running.discard(process)
            if self._stopping:
                raise Stopped
        return code

    def _start(
        self,
        arguments: Sequence[str],
        saying: int,
        lifeline: int,
        held: Sequence[int],
        more: Mapping[str, str],
    ) -> Started:
        environment = {**self.environment, **more}
        with self._lock:
            if self._stopping:
                raise Stopped
            process: Started | None = None
            if self._servers:
                process = self._servers.dvc(arguments, saying, [lifeline, *held], environment)
            # -P: a folder of the registry that is called as a module must not be taken for it.
            process = process or subprocess.Popen(
                [sys.executable, "-P", "-m", CHILD, str(lifeline), "-1", *arguments],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=saying,
                stderr=subprocess.STDOUT,
                pass_fds=[lifeline, *held],
                start_new_session=True,
            )
            self._running.add(process)
        return process

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def check(self) -> None:
        """Raises Stopped once `stop` was called."""
        if self._stopping:
            raise Stopped

    def stop(self) -> None:
        """End all of them with everything they started, and start no more."""
        with self._lock:
            self._stopping = True
            leaders = list(self._running)
        running = leaders
        # DVC ignores SIGINT while a stage runs, and tidies up when the stage ends by it.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if not (running := [process for process in running if process.poll() is None]):
                break
            for process in running:
                _signal(process, number)
            _wait(running)
        for process in leaders:
            _signal(process, signal.SIGKILL)  # what a leader that has ended left behind

    def close(self) -> None:
        """End what forked them, once none runs any more."""
        if self._servers:
            self._servers.end()


def _signal(process: Started, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _wait(running: list[Started]) -> None:
    until = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < until and any(p.poll() is None for p in running):
            time.sleep(0.02)
    except KeyboardInterrupt:
        return  # asked again: no more patience


def check_installed() -> None:
    """Raises Outside unless DVC is installed."""
    if importlib.util.find_spec("dvc") is None:
        raise Outside(
            "DVC is not installed, and pipelines run on it",
            hint="pip install 'dreg[registry]'",
        )


def environment() -> dict[str, str]:
    """For DVC and the stages: `python` is the one that runs dreg; no analytics, no questions."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        **os.environ,
        "PATH": path,
        "DVC_NO_ANALYTICS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PYTHONUNBUFFERED": "1",
    }


def stage_states(root: Path, files: Sequence[str]) -> dict[str, list[object]]:
    """What `dvc status` says of the stages in these dvc.yaml that are not up to date.

    Raises Outside when DVC fails.
    """
    check_installed()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dvc", "status", "--json", *files],
        cwd=root,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        with contextlib.suppress(ValueError):
            return dict(json.loads(done.stdout))
    last = [line for line in done.stderr.splitlines() if line.strip()][-10:]
    raise Outside(
        f"`dvc status {' '.join(files)}` failed", hint="correct what DVC names", details=last
    )


def mend(root: Path) -> None:
    """Tidy what DVC left when it was killed, as by a CI job's end, and cannot cope with itself.

    In its record of running processes, and in its memory of runs: a stage's folder without a run.
    """
    _fill_empty_runs(cache_folder(root) / "runs")
    forget_ended(root)


def forget_ended(root: Path) -> None:
    """Take out of DVC's record of running processes those that have ended; all, if it is half written.

    DVC believes in an id that has gone to another program since, and in one that nobody has waited for yet.
    """
    record, guard = root / ".dvc/tmp/rwlock", root / ".dvc/tmp/rwlock.lock"
    try:
        with guard.open("a") as held:
            _lock(held)  # so nobody is writing it just now
            try:
                data = json.loads(record.read_bytes())
                write = {p: i for p, i in data.get("write", {}).items() if _is_at_it(i)}
                read = {p: [i for i in e if _is_at_it(i)] for p, e in data.get("read", {}).items()}
            except (ValueError, AttributeError, TypeError, KeyError):
                write, read = {}, {}
            kept = {"write": write, "read": {path: infos for path, infos in read.items() if infos}}
            record.write_text(json.dumps(kept), encoding="utf-8")
    except OSError:
        return  # it is not there, or in use and so in order


def _lock(file: IO[str]) -> None:
    """Have what a DVC has for moments. Raises OSError if somebody has it for longer."""
    until = time.monotonic() + MOMENTS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.01)


def _fill_empty_runs(runs: Path) -> None:
    """DVC makes a folder, then a file in it, and fails for ever at a folder that has none. An empty
    file it takes for a damaged one, and removes; the folder may be one that DVC is just filling."""
    for folder in runs.glob("??/*"):
        with contextlib.suppress(OSError):
            if not any(folder.iterdir()):
                (folder / "interrupted").touch()


def _is_at_it(info: dict[str, Any]) -> bool:
    """Whether the process of an entry runs; where the system does not tell, DVC finds out."""
    command = Path(f"/proc/{int(info['pid'])}/cmdline")
    if not command.parent.parent.joinpath("self").exists():
        return True
    try:
        running = command.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return False
    program = str(info["cmd"]).split(" ")[0]
    return Path(program).name in running
