"""A folder that holds one release: what is in it, and replacing it as a whole.

The new tree is made beside the target, under a name of its own, and swapped in by rename: a
crash leaves the old tree or the new one. What an interrupted run had finished is found there by
the next one, which trusts nothing but its checksums.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dreg.adapters.objects import Checksums
from dreg.core.receipt import RECEIPT, Placed, Receipt
from dreg.core.snapshot import File
from dreg.errors import Refused

CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True)
class Contents:
    """What is in a folder now, compared with the receipt in it.

    `intact` are the files just as they were placed. `changes` are those that replacing the
    folder would lose: modified ones, and ones that dreg did not place.
    """

    receipt: Receipt | None = None
    intact: Mapping[str, Placed] = field(default_factory=dict)
    changes: tuple[str, ...] = ()

    @property
    def complete(self) -> Receipt | None:
        """The receipt, if all that it lists is there, unchanged, and nothing else is."""
        receipt = self.receipt
        whole = receipt is not None and self.intact.keys() == receipt.files.keys()
        return receipt if whole and not self.changes else None


def inspect(target: Path) -> Contents:
    """The contents of the folder `target`, which need not exist. Raises Refused for a file."""
    if not target.exists() and not target.is_symlink():
        return Contents()
    if not target.is_dir():
        raise Refused(f"`{target}` is not a folder", hint="choose another with -o DIR")
    receipt = None
    with contextlib.suppress(FileNotFoundError):
        receipt = Receipt.parse((target / RECEIPT).read_bytes())
    known = receipt.files if receipt else {}
    intact, changes = {}, []
    for path, found in _walk(target):
        if path == RECEIPT and receipt is not None:
            continue
        placed = known.get(path)
        if placed is None:
            changes.append(f"not placed by dreg: {path}")
        elif not stat.S_ISREG(found.st_mode) or found.st_size != placed.size:
            changes.append(f"modified: {path}")
        elif found.st_mtime_ns == placed.mtime_ns or _sha256(target / path) == placed.sha256:
            intact[path] = placed
        else:
            changes.append(f"modified: {path}")
    return Contents(receipt, intact, tuple(sorted(changes)))


class Staging:
    """The new tree while it is being made. One process at a time works on a target."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.dreg-new")
        self._old = target.with_name(f".{target.name}.dreg-old")
        self.parts = target.with_name(f".{target.name}.dreg-parts")
        self.gone = False  # once it is, what has its name may be another process's
        self.placed: dict[str, Placed] = {}

    @property
    def size(self) -> int:
        """Bytes of the files that are there and verified, and of the parts of large ones."""
        parts = self.parts.glob("*") if self.parts.is_dir() else ()
        begun = sum(part.stat().st_blocks * 512 for part in parts)
        return begun + sum(placed.size for placed in self.placed.values())

    @contextlib.contextmanager
    def locked(self, wait: Callable[[], None]) -> Iterator[Staging]:
        """Hold the target; `wait` is called if another process has it, which is then awaited."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._lock(wait)
        try:
            self._recover()
            yield self
        finally:
            if not self.gone:
                _remove_empty(self.path)
            os.close(handle)

    def tidy(self) -> None:
        """Remove what a killed run left beside a target that is in place, if nobody is at it."""
        if self.path.exists() or self._old.exists():
            with contextlib.suppress(_Busy), self.locked(_not_now):
                self.discard()

    def _lock(self, wait: Callable[[], None]) -> int:
        """The folder itself is the lock, so none is left behind; whoever held it renamed it."""
        while True:
            self.path.mkdir(exist_ok=True)
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            held = False
            try:
                held = self._hold(handle, wait)
            finally:
                if not held:
                    os.close(handle)
            if held:
                return handle

    def _hold(self, handle: int, wait: Callable[[], None]) -> bool:
        """Whether, once it is locked, `handle` still is the folder of that name."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat())
        except FileNotFoundError:
            return False

    def _recover(self) -> None:
        """Finish a swap that ended between its two renames."""
        if self._old.is_dir():
            if self.target.exists():
                shutil.rmtree(self._old)
            else:
                self._old.rename(self.target)

    def salvage(self, files: Iterable[File]) -> None:
        """Keep what an interrupted run finished and still checks out; remove the rest."""
        wanted = {file.path: file for file in files}
        for path, found in list(_walk(self.path)):
            file, place = wanted.get(path), self.path / path
            ours = stat.S_ISREG(found.st_mode) and not self._shared(path, found)
            if file is not None and ours and found.st_size == file.size:
                placed = _measured(place)
                if placed.is_(file):
                    self.placed[path] = placed
                    continue
            place.unlink()
        for folder in self.path.iterdir():
            if folder.is_dir():
                _remove_empty(folder)

    def _shared(self, path: str, found: os.stat_result) -> bool:
        """Whether the staged file is also the target's: then it is not ours to rely on."""
        with contextlib.suppress(OSError):
            return os.path.samestat(found, (self.target / path).lstat())
        return False

    def make_folders(self, files: Iterable[File]) -> None:
        """The folders that the files will be in."""
        for folder in {os.path.dirname(file.path) for file in files}:  # noqa: PTH120 (of 100,000)
            (self.path / folder).mkdir(parents=True, exist_ok=True)

    def keep(self, file: File, placed: Placed, *, copy: bool) -> None:
        """Take an unchanged file over from the target; as a link unless `copy`."""
        source, place = self.target / file.path, self.path / file.path
        try:
            if copy:
                shutil.copy2(source, place)
            else:
                os.link(source, place)
        except OSError:  # a file system without links
            shutil.copy2(source, place)
        self.placed[file.path] = Placed(
            placed.size, place.stat().st_mtime_ns, placed.md5, placed.sha256
        )

    def arrived(self, file: File, sha256: str) -> None:
        """Note a file that was written to `path / file.path` and verified."""
        found = os.stat(f"{self.path}/{file.path}")  # noqa: PTH116
        self.placed[file.path] = Placed(found.st_size, found.st_mtime_ns, file.md5, sha256)

    def measure(self, path: str) -> None:
        """Note a file that was made here, whatever it is."""
        self.placed[path] = _measured(self.path / path)

    def write(self, file: File, data: bytes, where: str) -> None:
        """Place bytes at hand. Raises Outside if they are not those of `file`."""
        checksums = Checksums()
        checksums.update(data)
        checksums.check(file.path, size=file.size, md5=file.md5, sha256=file.sha256, where=where)
        self._write(file.path, data)
        self.arrived(file, checksums.sha256)

    def _write(self, path: str, data: bytes) -> None:
        place = self.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".dreg-{os.getpid()}")
        part.write_bytes(data)
        part.rename(place)

    def swap(self, receipt: Receipt, *, backup: bool) -> Path | None:
        """Make the staged tree the target. With `backup`, the old one moves aside first; where to."""
        self._write(RECEIPT, receipt.to_text().encode())
        shutil.rmtree(self.parts, ignore_errors=True)
        moved = None
        if backup:
            moved = _free_name(self.target)
            self.target.rename(moved)
        self.gone = True
        if not self.target.is_dir() or not any(self.target.iterdir()):
            self.path.rename(self.target)
        elif _exchange(self.path, self.target):
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.target.rename(self._old)
            self.path.rename(self.target)
            shutil.rmtree(self._old, ignore_errors=True)
        return moved

    def release(self, file: File, *, backup: bool) -> Path | None:
        """Make the one staged file the target itself; with `backup`, what was there moves aside."""
        moved = _free_name(self.target) if backup else None
        if moved is not None:
            self.target.rename(moved)
        (self.path / file.path).rename(self.target)
        self.discard()
        return moved

    def discard(self) -> None:
        """Remove the staged tree."""
        self.gone = True
        shutil.rmtree(self.parts, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)


class _Busy(Exception):
    pass


def _not_now() -> None:
    raise _Busy


def _walk(folder: Path, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Everything that is not a folder, links themselves included, as path below `folder`."""
    with os.scandir(folder / below) as entries:
        for entry in entries:
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, f"{path}/")
            else:
                yield path, entry.stat(follow_symlinks=False)


def _remove_empty(folder: Path) -> None:
    """Remove `folder` and the folders in it, as far as there is no file in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def _measured(path: Path) -> Placed:
    checksums = Checksums()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            checksums.update(chunk)
        found = os.fstat(file.fileno())
    return Placed(found.st_size, found.st_mtime_ns, checksums.md5, checksums.sha256)


def _sha256(path: Path) -> str:
    return _measured(path).sha256


def _free_name(target: Path) -> Path:
    number = 1
    while (name := target.with_name(f"{target.name}.backup-{number}")).exists():
        number += 1
    return name


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, where the system can; False where it cannot."""
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(renameat2(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)
