"""MD5s as DVC computes them, of files and of folders, remembered by what `stat` says.

A folder's md5 is that of the JSON list of its files' paths and md5s, plus `.dir`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FORMAT = 1
SECOND = 1_000_000_000
FINE = SECOND // 10  # ten times the coarsest clock tick of a kernel
WORTH_THREADS = 64_000_000  # bytes
COARSE = 2 * SECOND  # what FAT and some network file systems round to

_SPECIAL = {".git", ".hg", ".dvc"}  # DVC leaves them out of what it tracks

Stamp = tuple[int, int, int, int]
Advance = Callable[[int], None]


class Puzzling(Exception):
    """Only DVC can tell the md5 of this path; the text says why."""


class Memory:
    """MD5s of files by path and stamp, in one JSON file; losing it only costs time."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.known = _load(file) if file else {}
        self.used: dict[str, tuple[Stamp, str]] = {}

    def get(self, path: str, stamp: Stamp) -> str | None:
        """The md5 of the file as it was with this stamp."""
        entry = self.used.get(path) or self.known.get(path)
        if entry is None or entry[0] != stamp:
            return None
        self.used[path] = entry
        return entry[1]

    def put(self, path: str, stamp: Stamp, md5: str, started: int) -> None:
        """Remember an md5 that was computed from `started` (nanoseconds) on.

        A file touched so shortly before could change again without its stamp changing: git's
        "racily clean". It is not remembered, and so read again next time.
        """
        touched = max(stamp[1], stamp[2])
        tick = FINE if stamp[1] % SECOND else COARSE
        if touched < started - tick:
            self.used[path] = (stamp, md5)

    def save(self) -> None:
        """Write what is still used, if it differs from what was read."""
        if self.file is None or self.used == self.known:
            return
        text = json.dumps({"format": FORMAT, "files": self.used}, separators=(",", ":"))
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.file.parent, prefix=f".{self.file.name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(temporary).replace(self.file)
        except OSError:
            return  # a read-only checkout or a full disk: it is only slower


def _load(file: Path) -> dict[str, tuple[Stamp, str]]:
    try:
        data = json.loads(file.read_bytes())
        if data["format"] != FORMAT:
            return {}
        return {
            path: ((int(a), int(b), int(c), int(d)), str(md5))
            for path, ((a, b, c, d), md5) in data["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@dataclass
class _Found:
    """A file or folder on disk: its files by path below it (of a file: by ``) and their stamps."""

    is_directory: bool
    files: dict[str, tuple[str, Stamp]] = field(default_factory=dict)

    def md5s(self, fresh: dict[str, str], memory: Memory) -> dict[str, str] | None:
        """By path below; None if a file is not any more as it was when its stamp was taken."""
        whole = {}
        for below, (name, stamp) in self.files.items():
            md5 = fresh.get(name) or memory.get(name, stamp)
            if md5 is None:
                return None
            whole[below] = md5
        return whole


def digests(
    root: Path,
    paths: Iterable[str],
    memory: Memory,
    announce: Callable[[int], Advance] = lambda total: lambda n: None,
) -> tuple[dict[str, str | None], dict[str, str]]:
    """DVC's md5 by path relative to `root`, None for what does not exist; and what is puzzling.

    `announce` is called once with the bytes that have to be read, and gives the callback that is
    told how many were.
    """
    found: dict[str, _Found | None] = {}
    puzzling: dict[str, str] = {}
    for path in paths:
        try:
            found[path] = _find(root, path)
        except Puzzling as reason:
            found[path], puzzling[path] = None, str(reason)
    unread: dict[str, Stamp] = {}
    for entry in found.values():
        for name, stamp in entry.files.values() if entry else ():
            if memory.get(name, stamp) is None:
                unread[name] = stamp
    fresh = _read(unread, memory, announce(sum(stamp[0] for stamp in unread.values())))
    result: dict[str, str | None] = {}
    for path, entry in found.items():
        if entry is None:
            result[path] = None
            continue
        known = entry.md5s(fresh, memory)
        if known is None:
            result[path], puzzling[path] = None, f"`{path}` changes while it is read"
        else:
            result[path] = directory_md5(known) if entry.is_directory else known[""]
    return result, puzzling


def files_in(root: Path, path: str, memory: Memory) -> dict[str, str] | None:
    """The md5 of every file in the folder `path`, by path below it; None if it is not there.

    Raises Puzzling.
    """
    entry = _find(root, path)
    if entry is None or not entry.is_directory:
        return None
    unread = {name: stamp for name, stamp in entry.files.values() if not memory.get(name, stamp)}
    return entry.md5s(_read(unread, memory, lambda n: None), memory)


def _read(unread: dict[str, Stamp], memory: Memory, advance: Advance) -> dict[str, str]:
    """The md5 of every file that still is as its stamp says."""

    def read(name: str) -> tuple[str, str | None]:
        started = time.time_ns()
        try:
            with Path(name).open("rb") as stream:
                md5 = hashlib.file_digest(stream, _md5).hexdigest()
                after = _stamp(os.fstat(stream.fileno()))
        except FileNotFoundError:
            return name, None
        advance(unread[name][0])
        if after != unread[name]:
            return name, None
        memory.put(name, after, md5, started)
        return name, md5

    if sum(stamp[0] for stamp in unread.values()) < WORTH_THREADS:
        read_all = [read(name) for name in unread]
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            read_all = list(threads.map(read, unread))
    return {name: md5 for name, md5 in read_all if md5}


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def file_md5(path: Path, memory: Memory) -> str | None:
    """The md5 of one file, or None if it is not there."""
    try:
        stamp = _stamp(path.stat())
    except FileNotFoundError:
        return None
    name = str(path)
    return memory.get(name, stamp) or _read({name: stamp}, memory, lambda n: None).get(name)


def directory_md5(files: Mapping[str, str]) -> str:
    """DVC's md5 of a folder with these files: md5 by path below the folder."""
    quoted = json.encoder.encode_basestring_ascii
    listed = (
        f'{{"md5": "{md5}", "relpath": {quoted(path)}}}' for path, md5 in sorted(files.items())
    )
    text = f"[{', '.join(listed)}]"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _find(root: Path, path: str) -> _Found | None:
    folder = root
    for part in path.split("/"):
        if _ignores(folder):
            raise Puzzling(f"patterns in {(folder / '.dvcignore').relative_to(root)}")
        folder = folder / part
    top = root / path
    try:
        info = top.stat()
    except (FileNotFoundError, NotADirectoryError):
        if top.is_symlink():
            raise Puzzling(f"`{path}` is a broken link") from None
        return None
    if stat.S_ISREG(info.st_mode):
        return _Found(False, {"": (str(top), _stamp(info))})
    if not stat.S_ISDIR(info.st_mode):
        raise Puzzling(f"`{path}` is neither file nor folder")
    found: dict[str, tuple[str, Stamp]] = {}
    _walk(str(top), "", found)
    return _Found(True, found)


def _walk(folder: str, below: str, found: dict[str, tuple[str, Stamp]]) -> None:
    """Put every file into `found`; no generators, as there may be many thousands."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in _SPECIAL or entry.name == ".dvcignore":
                raise Puzzling(f"a `{entry.name}` in `{folder}`")
            if entry.is_dir(follow_symlinks=False):
                _walk(entry.path, f"{below}{entry.name}/", found)
                continue
            try:
                info = entry.stat()
            except FileNotFoundError:
                raise Puzzling(f"`{entry.path}` is a broken link") from None
            if stat.S_ISDIR(info.st_mode):
                continue  # DVC does not follow a link to a folder
            if not stat.S_ISREG(info.st_mode):
                raise Puzzling(f"`{entry.path}` is neither file nor folder")
            found[below + entry.name] = entry.path, _stamp(info)


def _stamp(info: os.stat_result) -> Stamp:
    # ctime too: it moves even when a tool sets mtime back, as `cp -p` and `rsync -t` do.
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino


def _ignores(folder: Path) -> bool:
    """Whether DVC reads patterns of files to leave out from this folder."""
    try:
        lines = (folder / ".dvcignore").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return any(line.strip() and not line.strip().startswith("#") for line in lines)
