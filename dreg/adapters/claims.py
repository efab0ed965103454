"""One process at a time at a dataset of a work tree: who has it is named, who wants it waits.

A claim is a lock of the kernel's (flock) on a file below `.dvc/tmp/dreg/claims/`, so it ends with
the last process that holds it, however that ends; what stays after a `kill -9` is a file that
nobody has locked. Only who changes something claims; reading asks nobody.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from dreg.errors import BadRequest, Outside

VARIABLE = "DREG_WAIT"
PATIENCE = 600.0  # seconds
CLONE = ".clone"  # git's index and branch, which all datasets of a clone share; no dataset's name
OFTEN, SELDOM = 0.02, 0.5  # seconds between two looks, at first and in the end
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Holder:
    """Who has a claim, as it wrote itself into the claim's file."""

    user: str
    host: str
    pid: int
    doing: str
    since: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}, `{self.doing}`, since {self.since})"

    @property
    def gone(self) -> bool:
        """Whether it certainly has ended; of another machine nobody here can tell."""
        if self.host != os.uname().nodename:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def patience(given: float | None) -> float:
    """Seconds to wait for a claim: as `given`, else as DREG_WAIT says. Raises BadRequest."""
    text = os.environ.get(VARIABLE, "").strip() if given is None else str(given)
    try:
        seconds = float(text) if text else PATIENCE
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadRequest(
            f"`{text}` is no time to wait", hint=f"{VARIABLE} takes seconds; 0 does not wait"
        )
    return seconds


@dataclass(frozen=True)
class Claims:
    """Claims in the work tree at `root` by one command, `doing` as a user would type it.

    `tell` gets a line when somebody else is awaited, for at most `wait` seconds; `look` is called
    meanwhile, and may raise to end it.
    """

    root: Path
    doing: str
    wait: float
    tell: Tell
    look: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def of(self, name: str, *, reading: Collection[str] = ()) -> Iterator[tuple[int, ...]]:
        """Have a dataset to oneself, and keep others from changing those it is made from.

        Yields the handles: a child process that inherits them holds the claims as well. Raises
        Outside when somebody has one for all of `wait` seconds.
        """
        with contextlib.ExitStack() as held:
            # In one order for everybody, so that no two wait for each other.
            yield tuple(
                held.enter_context(self._one(each, f"`{each}`", shared=each != name))
                for each in sorted({name, *reading})
            )

    def clone(self) -> contextlib.AbstractContextManager[int]:
        """Have git's index and branch to oneself, for moments; a dataset is claimed before, not
        meanwhile. Raises as `of` does."""
        return self._one(CLONE, "this clone's branch", shared=False)

    @contextlib.contextmanager
    def _one(self, name: str, called: str, *, shared: bool) -> Iterator[int]:
        folder = claims_folder(self.root)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        handle = self._obtain(path, called, shared=shared)
        try:
            _sign(handle, self.doing, shared=shared)
            yield handle
        finally:
            # Not unlocked, just closed: a child may still hold it. Nobody is to trip over a file.
            if (not shared or _lock(handle, fcntl.LOCK_EX) is None) and _is_at(handle, path):
                path.unlink(missing_ok=True)
            os.close(handle)

    def _obtain(self, path: Path, called: str, *, shared: bool) -> int:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        start, pause, told = time.monotonic(), OFTEN, ""
        while True:
            handle = _open(path)
            reason = _lock(handle, kind)
            if reason in NO_LOCKS:
                self.tell(
                    f"{path.parent} is on a file system without locks: see that only one dreg works here"
                )
                return handle
            if reason is None and _is_at(handle, path):
                return handle
            who = _holders(path)
            os.close(handle)
            if reason is None:  # its last holder has just removed it
                continue
            self.look()
            if (waited := time.monotonic() - start) >= self.wait:
                raise _in_use(called, who, self.wait)
            if who != told:
                self.tell(f"{called} is in use by {who}; waiting up to {self.wait - waited:.0f} s")
                told = who
            time.sleep(min(pause, max(0.0, self.wait - waited)))
            pause = min(2 * pause, SELDOM)


def claims_folder(root: Path) -> Path:
    """Where the claims on a work tree's datasets are files."""
    return root / ".dvc" / "tmp" / "dreg" / "claims"


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:  # another user's, who shares the work tree
        return os.open(path, os.O_RDONLY)


def _lock(handle: int, kind: int) -> int | None:
    """Lock it at once; the error's number if that is not possible."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno
    return None


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _sign(handle: int, doing: str, *, shared: bool) -> None:
    """Write who we are: alone, or as one more of those who share it."""
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    me = Holder(_user(), os.uname().nodename, os.getpid(), doing, since)
    with contextlib.suppress(OSError):  # a name is a courtesy; the lock is what counts
        if not shared:
            os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_END)
        os.write(handle, json.dumps(asdict(me)).encode() + b"\n")


def _user() -> str:
    import getpass  # here, as `dreg run` reads DREG_WAIT and mostly has nothing to claim

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _holders(path: Path) -> str:
    """Who has it, for people; on CIFS others' locked files cannot be read."""
    found = []
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError):
                found.append(Holder(**json.loads(line)))
    names = [str(holder) for holder in found if not holder.gone] or [str(h) for h in found[-1:]]
    return ", ".join(names) or "another process"


def _in_use(called: str, who: str, waited: float) -> Outside:
    still = f"still in use after {waited:g} s" if waited else "in use"
    return Outside(
        f"{called} is {still} by {who}",
        hint="run the command again when that has ended, or wait longer: --wait SECONDS",
    )
