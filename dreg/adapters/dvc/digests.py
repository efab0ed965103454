"""MD5s as DVC computes them, of files and of folders, remembered by what `stat` says.

A folder's md5 is that of the JSON list of its files' paths and md5s, plus `.dir`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dreg.adapters.dvc.memory import Memory, Notes, Stamp, listing_digest, settled, stamp_of

WORTH_THREADS = 64_000_000  # bytes

_SPECIAL = {".git", ".hg", ".dvc"}  # DVC leaves them out of what it tracks

Advance = Callable[[int], None]


class Puzzling(Exception):
    """Only DVC can tell the md5 of this path; the text says why."""


@dataclass
class _Found:
    """A file or folder on disk: what is below it by name (of a file: just ``), and its stamp."""

    top: str
    is_directory: bool
    names: list[str] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)

    @functools.cached_property
    def listing(self) -> tuple[str]:
        return listing_digest(self.names, self.stamps)

    def notes(self, memory: Memory) -> Notes:
        """Where the md5s of its files are remembered."""
        return memory.inside if self.is_directory else memory.named

    def files(self) -> Iterator[tuple[str, str, Stamp]]:
        """Name below it, path and stamp of each."""
        prefix = f"{self.top}/" if self.is_directory else self.top
        return ((n, prefix + n, s) for n, s in zip(self.names, self.stamps, strict=True))

    def md5s(self, fresh: Mapping[str, str], memory: Memory) -> dict[str, str] | None:
        """By name; None if a file is not any more as it was when its stamp was taken."""
        whole, notes = {}, self.notes(memory)
        for name, path, stamp in self.files():
            md5 = fresh.get(path) or notes.get(path, stamp)
            if md5 is None:
                return None
            whole[name] = md5
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
    result: dict[str, str | None] = {}
    puzzling: dict[str, str] = {}
    changed: dict[str, _Found] = {}
    started = time.time_ns()
    for path in paths:
        result[path] = None
        try:
            found = _find(root, path)
        except Puzzling as reason:
            puzzling[path] = str(reason)
            continue
        if found and not (found.is_directory and _unchanged(found, memory, result, path)):
            changed[path] = found
    unread: dict[str, tuple[Stamp, Notes]] = {}
    for found in changed.values():
        notes = found.notes(memory)
        for _, name, stamp in found.files():
            if notes.get(name, stamp) is None:
                unread[name] = stamp, notes
    fresh = _read(unread, announce(sum(stamp[0] for stamp, _ in unread.values())))
    for path, found in changed.items():
        known = found.md5s(fresh, memory)
        if known is None:
            puzzling[path] = f"`{path}` changes while it is read"
        elif not found.is_directory:
            result[path] = known[""]
        else:
            md5 = result[path] = directory_md5(known)
            if all(settled(stamp, started) for stamp in found.stamps):
                memory.named.put(found.top, found.listing, md5)
    return result, puzzling


def _unchanged(found: _Found, memory: Memory, result: dict[str, str | None], path: str) -> bool:
    """Whether the folder is as it is remembered; then its md5 is put into `result`."""
    result[path] = memory.unchanged(found.top, found.listing)
    return result[path] is not None


def listing_of(root: Path, path: str) -> tuple[list[str], tuple[str]] | None:
    """Names of all files in the folder `path`, and what tells this state of them from another, without reading any.

    None if nothing does: it isn't there or is no plain folder, or something in it was touched a moment ago.
    """
    started = time.time_ns()
    try:
        found = _find(root, path)
    except Puzzling:
        return None
    if found is None or not all(settled(stamp, started) for stamp in found.stamps):
        return None
    return found.names, found.listing


def files_in(root: Path, path: str) -> dict[str, str] | None:
    """The md5 of every file in the folder `path`, by path below it; None if it is not there.

    Raises Puzzling.
    """
    found = _find(root, path)
    if found is None or not found.is_directory:
        return None
    memory = Memory(None)
    unread = {name: (stamp, memory.inside) for _, name, stamp in found.files()}
    return found.md5s(_read(unread, lambda n: None), memory)


def _read(unread: Mapping[str, tuple[Stamp, Notes]], advance: Advance) -> dict[str, str]:
    """The md5 of every file that still is as its stamp says."""

    def read(name: str) -> tuple[str, str | None]:
        before, notes = unread[name]
        started = time.time_ns()
        try:
            with Path(name).open("rb") as stream:
                md5 = hashlib.file_digest(stream, _md5).hexdigest()
                after = stamp_of(os.fstat(stream.fileno()))
        except FileNotFoundError:
            return name, None
        advance(before[0])
        if after != before:
            return name, None
        if settled(after, started):
            notes.put(name, after, md5)
        return name, md5

    if sum(stamp[0] for stamp, _ in unread.values()) < WORTH_THREADS:
        read_all = [read(name) for name in unread]
    else:
        from dreg.adapters.objects import many

        read_all = many([functools.partial(read, name) for name in unread], os.cpu_count() or 1)
    return {name: md5 for name, md5 in read_all if md5}


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def file_md5(path: Path, memory: Memory) -> str | None:
    """The md5 of one file, or None if it is not there."""
    try:
        stamp = stamp_of(path.stat())
    except FileNotFoundError:
        return None
    name, notes = str(path), memory.named
    return notes.get(name, stamp) or _read({name: (stamp, notes)}, lambda n: None).get(name)


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
        return _Found(str(top), False, [""], [stamp_of(info)])
    if not stat.S_ISDIR(info.st_mode):
        raise Puzzling(f"`{path}` is neither file nor folder")
    found = _Found(str(top), True)
    _walk(str(top), "", found.names, found.stamps)
    return found


def _walk(folder: str, below: str, names: list[str], stamps: list[Stamp]) -> None:
    """Put every file's name and stamp there; no generators, as there may be many thousands."""
    # Looked up from the open folder and not from the root, each entry costs a quarter less.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                name = entry.name
                if name in _SPECIAL or name == ".dvcignore":
                    raise Puzzling(f"a `{name}` in `{folder}`")
                if entry.is_dir(follow_symlinks=False):
                    _walk(f"{folder}/{name}", f"{below}{name}/", names, stamps)
                    continue
                try:
                    info = entry.stat()
                except FileNotFoundError:
                    raise Puzzling(f"`{folder}/{name}` is a broken link") from None
                if stat.S_ISREG(info.st_mode):
                    names.append(below + name)
                    stamps.append(stamp_of(info))
                elif not stat.S_ISDIR(info.st_mode):  # DVC does not follow a link to a folder
                    raise Puzzling(f"`{folder}/{name}` is neither file nor folder")
    finally:
        os.close(handle)


def _ignores(folder: Path) -> bool:
    """Whether DVC reads patterns of files to leave out from this folder."""
    try:
        lines = (folder / ".dvcignore").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return any(line.strip() and not line.strip().startswith("#") for line in lines)
