"""What was found out about files and folders, remembered by what `stat` says of them.

Two JSON files: what is said of paths that a stage names, which are few, and of the files in folders, which
may be many and are asked for only where the folder has changed. Losing them only costs time.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from array import array
from collections.abc import Iterable
from pathlib import Path

FORMAT = 1
SECOND = 1_000_000_000
FINE = SECOND // 10  # ten times the coarsest clock tick of a kernel
COARSE = 2 * SECOND  # what FAT and some network file systems round to

# Of a file: size in bytes, mtime and ctime in nanoseconds, inode. Of a folder: its listing_digest.
Stamp = tuple[int, int, int, int]
State = Stamp | tuple[str]


def stamp_of(info: os.stat_result) -> Stamp:
    # ctime too: it moves even when a tool sets mtime back, as `cp -p` and `rsync -t` do.
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino


def settled(stamp: Stamp, started: int) -> bool:
    """Whether what has this stamp was last touched well before `started`, nanoseconds.

    What was touched so shortly before that could change again without its stamp changing: git's
    "racily clean".
    """
    tick = FINE if stamp[1] % SECOND else COARSE
    return max(stamp[1], stamp[2]) < started - tick


def listing_digest(names: Iterable[str], stamps: Iterable[Stamp]) -> tuple[str]:
    """What tells one state of a folder from another: names and stamps of all that is in it."""
    digest = hashlib.blake2b("\0".join(names).encode(errors="surrogateescape"), digest_size=16)
    numbers = [number & 0x7FFF_FFFF_FFFF_FFFF for stamp in stamps for number in stamp]
    digest.update(array("q", numbers).tobytes())
    return (digest.hexdigest(),)


class Notes:
    """What was found out by path, in one JSON file, which is read when it is first asked; None: nowhere."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.used: dict[str, tuple[State, str]] = {}

    @functools.cached_property
    def known(self) -> dict[str, tuple[State, str]]:
        return _load(self.file) if self.file else {}

    def get(self, path: str, state: State) -> str | None:
        """What was found out about the path when it was in this state."""
        entry = self.used.get(path) or self.known.get(path)
        if entry is None or entry[0] != state:
            return None
        self.used[path] = entry
        return entry[1]

    def put(self, path: str, state: State, found: str) -> None:
        self.used[path] = (state, found)

    def save(self, unasked: tuple[str, ...] = ()) -> None:
        """Write what is still used, and all that was known of paths `unasked` starts, if that is news."""
        if self.file is None or not (self.used or "known" in vars(self)):
            return
        kept = {p: e for p, e in self.known.items() if p.startswith(unasked)} if unasked else {}
        if self.known != (now := {**kept, **self.used}):
            _write(self.file, now)


class Memory:
    """Of one dataset. `file` is where it is kept, with a second one beside it; None: nowhere."""

    def __init__(self, file: Path | None) -> None:
        self.named = Notes(file)
        self.inside = Notes(file and file.with_suffix(".files.json"))
        self._unchanged: list[str] = []

    def unchanged(self, folder: str, listing: tuple[str]) -> str | None:
        """What was found out about the folder when it had this listing. Its files are remembered on."""
        found = self.named.get(folder, listing)
        if found is not None:
            self._unchanged.append(f"{folder}/")
        return found

    def save(self) -> None:
        """Write what is still used, where that is news."""
        self.named.save()
        self.inside.save(tuple(self._unchanged))


def _write(file: Path, entries: dict[str, tuple[State, str]]) -> None:
    text = json.dumps({"format": FORMAT, "files": entries}, separators=(",", ":"))
    import tempfile  # here, as mostly there is no news, and it costs as much as all of this module

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).replace(file)
    except OSError:
        return  # a read-only checkout or a full disk: it is only slower


def _load(file: Path) -> dict[str, tuple[State, str]]:
    try:
        data = json.loads(file.read_bytes())
        if data["format"] != FORMAT:
            return {}
        return {path: (tuple(state), str(found)) for path, (state, found) in data["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
