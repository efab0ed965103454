"""Checked downloads by their checksum, so that running a pipeline again needs no network.

They lie outside the registry: DVC empties a stage's outputs before it runs the stage.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dreg.adapters.cache import cache_place
from dreg.adapters.cache_entries import used
from dreg.adapters.sources.unavailable import Mismatch, Unavailable
from dreg.adapters.written import written
from dreg.core.wording import numbered
from dreg.errors import Outside

CHUNK = 1 << 20


@dataclass(frozen=True)
class Cache:
    """Files named by their sha256 in `folder`; beside them the downloads that go on."""

    folder: Path

    @classmethod
    def of_user(cls) -> Cache:
        """The cache that dreg keeps for the user."""
        return cls(cache_place("sources"))

    def at(self, sha256: str) -> Path:
        """Where the file with that checksum is, or would be."""
        return self.folder / sha256

    def part(self, sha256: str) -> Path:
        """The beginning of that file, while its download goes on or until it is resumed."""
        return self.folder / f"{sha256}.part"

    def served_by(self, sha256: str) -> str:
        """The kind of mirror that the file came from; empty if that was not noted."""
        try:
            return self.note(sha256).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def note(self, sha256: str) -> Path:
        """Where the kind of mirror that the file came from is noted."""
        return self.folder / f"{sha256}.mirror"

    @contextmanager
    def locked(self, sha256: str) -> Iterator[None]:
        """Alone with that file: two pipelines may want it at the same time.

        Raises Outside where nothing can be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / f"{sha256}.lock").open("w")
        except OSError as error:
            raise Outside(
                f"cannot write to the download cache `{self.folder}`: {error.strerror}",
                hint="name a folder that you may write to: DREG_CACHE=FOLDER",
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def holds(self, sha256: str) -> bool:
        """Whether the file is here and still what its name says; a damaged one is removed."""
        try:
            with self.at(sha256).open("rb") as stream:
                intact = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
            used(self.at(sha256))
        except FileNotFoundError:
            return False
        if not intact:
            self.at(sha256).unlink()
        return intact

    def copy(self, sha256: str, target: Path) -> bool:
        """Copy the file to `target`, checked on the way; False if it isn't here or was damaged."""
        try:
            with self.at(sha256).open("rb") as stream:
                keep_checked(chunks(stream), sha256, None, target)
        except FileNotFoundError:
            return False
        except Unavailable:
            self.at(sha256).unlink()
            return False
        return True

    def keep(self, sha256: str, size: int | None, content: Iterable[bytes]) -> None:
        """Keep `content`. Raises Mismatch when it isn't the file with that checksum and size."""
        keep_checked(content, sha256, size, self.at(sha256))


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The rest of `stream` in pieces that fit into memory."""
    while chunk := stream.read(CHUNK):
        yield chunk


def keep_checked(content: Iterable[bytes], sha256: str, size: int | None, target: Path) -> None:
    """Write `content` to `target`, which appears only when all is there and right.

    Raises Mismatch when it has another checksum, or grows past `size`.
    """
    seen, digest = 0, hashlib.sha256()
    with written(target) as file:
        for chunk in content:
            seen += len(chunk)
            if size is not None and seen > size:
                raise Mismatch(f"it has more than the {numbered(size, 'byte')} that are declared")
            digest.update(chunk)
            file.write(chunk)
        check(digest.hexdigest(), sha256)


def check(found: str, sha256: str) -> None:
    """Raises Mismatch unless the checksum `found` is the one that is wanted."""
    if found != sha256:
        raise Mismatch(f"its bytes don't match: sha256 {found[:12]}..., not {sha256[:12]}...")
