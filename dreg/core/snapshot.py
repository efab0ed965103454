"""The exact files that a version of a dataset consists of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dreg.errors import Refused

RAW = "raw/"
INDEX = "samples.parquet"  # the sample index, derived from the data as the profile is
DIGEST = re.compile(r"[0-9a-f]{64}")
MD5 = re.compile(r"[0-9a-f]{32}")
_UPWARD = frozenset(("", ".", ".."))


@dataclass(frozen=True, order=True)
class File:
    """One file of a dataset: path below `data/<name>/`, size in bytes, checksums in hex.

    `md5` is DVC's address of the bytes. `sha256` is None only where a plain DVC repository
    recorded none. `in_git` files are read from the release's commit, not from the remote. Of a
    `legacy` one, DVC 2 wrote the md5, maybe of the text with Unix line ends.
    """

    path: str
    size: int
    md5: str
    sha256: str | None = None
    in_git: bool = False
    legacy: bool = False

    @property
    def is_raw(self) -> bool:
        """Raw files belong to a release (it can be reproduced), but are not what it publishes."""
        return self.path.startswith(RAW)

    def has(self, data: bytes) -> bool:
        """Whether `data` are the file's bytes."""
        return len(data) == self.size and (
            self.sha256 is None or hashlib.sha256(data).hexdigest() == self.sha256
        )


@dataclass(frozen=True)
class Snapshot:
    """The files, sorted by path."""

    files: tuple[File, ...]

    @classmethod
    def of(cls, files: Iterable[File]) -> Snapshot:
        """Raises Refused for a path that could leave the folder it is placed in."""
        ordered = tuple(sorted(files))
        for file in ordered:
            check_path(file.path)
        return cls(ordered)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def published(self) -> Snapshot:
        """Without the raw files: what consumers get."""
        return Snapshot(tuple(file for file in self.files if not file.is_raw))

    @property
    def data(self) -> Snapshot:
        """What is published, without profile and sample index, which describe it: what the
        profile counts."""
        return Snapshot(tuple(f for f in self.published.files if not f.in_git and f.path != INDEX))

    def digest(self) -> str:
        """SHA-256 over path and checksum of every file: equal exactly when the bytes are."""
        whole = hashlib.sha256()
        for file in self.files:
            whole.update(f"{file.path}\0{file.sha256 or file.md5}\n".encode())
        return whole.hexdigest()


def check_path(path: str) -> str:
    """`path` if it stays inside the folder it is placed in. Raises Refused."""
    parts = path.split("/")
    harmless = (
        path
        and "\0" not in path
        and "\\" not in path
        and ":" not in parts[0]
        and _UPWARD.isdisjoint(parts)
    )
    if not harmless:
        raise Refused(
            f"the release lists a file with the unsafe path {path!r}",
            hint="tell the registry's owner; nothing was written",
        )
    return path
