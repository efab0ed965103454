"""Filling a staged folder with the files of a release: from what is here already, then from afar."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Protocol

from dreg.adapters.object_cache import ObjectCache
from dreg.adapters.objects import (
    PartsOf,
    Store,
    Stores,
    Wanted,
    corrupt,
    fetch_all,
    for_each,
    write_all,
)
from dreg.adapters.os_errors import is_full
from dreg.adapters.placing import Contents, Staging
from dreg.core.remotes import object_key
from dreg.core.snapshot import File
from dreg.core.subset import is_parquet
from dreg.core.wording import numbered
from dreg.output import Advance as Progress
from dreg.output import out, size
from dreg.packs.reading import unpack


class Wanting(Protocol):
    """What is to be placed: its `files`, where its bytes are, how messages call it, and the digest
    of its manifest, if it has one."""

    @property
    def files(self) -> Sequence[File]: ...
    @property
    def store(self) -> Stores: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def called(self) -> str: ...
    @property
    def manifest(self) -> str | None: ...
    def from_git(self, file: File) -> bytes: ...
    def rows(self, file: File) -> int | None: ...


WORTH_KEEPING = 16_000_000  # bytes; less is fetched again sooner than it is wondered about
READERS = 4  # of the disk at once


@dataclass(frozen=True)
class Filled:
    """How many bytes came from afar; `protection` is what parts of files are protected by, `etag` or
    `size`, and empty where all was verified by its checksum."""

    downloaded: int
    protection: str


def fill(found: Wanting, staging: Staging, contents: Contents) -> Filled:
    """Bring the wanted files of the release into the staged tree.

    In this order: what an interrupted try left, what the target has, the cache, git, the remotes.
    Raises Outside when something fails or arrives corrupt.
    """
    return _Filling(found, staging, contents).fill()


@contextmanager
def kept_if_much(staging: Staging) -> Iterator[None]:
    """A block that fills the staged tree and makes it the target. If it fails, what arrived whole stays for the next
    try if it is much, and the user is told; on a full disk it goes, for it is in the way of whoever frees some space.
    """
    try:
        yield
    except BaseException as error:
        arrived = staging.size
        if staging.gone:
            raise
        if is_full(error):
            staging.discard()
            if arrived >= WORTH_KEEPING:
                out.note(
                    f"what arrived ({size(arrived)}) is removed; what dreg's cache has of it serves the next try, "
                    "and `dreg cache list` tells how much that takes"
                )
        elif arrived < WORTH_KEEPING:
            staging.discard()
        else:
            out.note(f"what arrived is kept for the next try: {staging.path}")
        raise


class _Filling:
    def __init__(self, found: Wanting, staging: Staging, contents: Contents) -> None:
        self.found = found
        self.staging = staging
        self.contents = contents
        self.cache = ObjectCache()
        self.arrived: list[int] = []
        self.unproven: set[str] = set()

    def fill(self) -> Filled:
        staging = self.staging
        cut = [file for file in self.found.files if self.found.columns and is_parquet(file)]
        files = [file for file in self.found.files if file not in cut]
        staging.salvage(files)
        staging.make_folders(self.found.files)
        for file in self._absent(files):
            placed = self.contents.intact.get(file.path)
            if placed is not None and placed.is_(file):
                # A backup that shared its bytes with the new tree would protect nothing.
                staging.keep(file, placed, copy=bool(self.contents.changes))
        cached = [file for file in self._absent(files) if self.cache.has(file)]
        for_each(cached, self._take, min(READERS, len(cached)))
        if cached:
            out.phase(f"{self.found.called}: {numbered(len(cached), 'file')} in the cache")
        for file in self._absent(files):
            if file.in_git:
                self._read_from_git(file)
        self._download(self._absent(files))
        for file in cut:
            self._cut(file)
        return Filled(sum(self.arrived), max(self.unproven, default=""))  # `size` is the weaker

    def _absent(self, files: Sequence[File]) -> list[File]:
        return [file for file in files if file.path not in self.staging.placed]

    def _take(self, file: File) -> bool:
        if not self.cache.has(file):
            return False
        placed = self.cache.take(file, self.staging.path / file.path)
        if placed is not None:
            self.staging.placed[file.path] = placed
        return placed is not None

    def _read_from_git(self, file: File) -> None:
        data = self.found.from_git(file)
        self.staging.write(file, data, f"the commit of {self.found.called}")
        self.cache.keep(file, self.staging.path / file.path)

    def _download(self, files: Sequence[File]) -> None:
        if not files:
            return
        total = sum(file.size for file in files)
        self._refuse_full_disk(total)
        what = f"fetching {self.found.called}"
        wanted = {file.path: file for file in files}
        with out.progress(what, total, "bytes", len(files)) as advance:
            self._unpack(files, advance)
            fetch_all(
                (self._wanted(file) for file in self._absent(files)),
                lambda one: self._fetch(wanted[one.called], one, advance),
                near=self.found.store.near,
            )

    def _unpack(self, files: Sequence[File], advance: Progress) -> None:
        """Bring small files out of packs, as far as there are such; the others come one by one."""
        manifest, store = self.found.manifest, self.found.store
        if manifest is None or store.near:
            return

        def place(file: File, data: bytes | memoryview) -> None:
            sha256 = hashlib.sha256(data).hexdigest()
            if (len(data), sha256) != (file.size, file.sha256) or file.path in self.staging.placed:
                return  # then the single object counts
            into = self.staging.path / file.path
            # By its own name at once: what a try that was killed leaves is looked at by the next one.
            handle = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            try:
                write_all(handle, data)
            finally:
                os.close(handle)
            self.staging.arrived(file, sha256)
            self.cache.keep(file, into)
            if file.md5 not in seen:  # equal files travel once
                seen.add(file.md5)
                self.arrived.append(file.size)
            advance(file.size, 1)

        seen: set[str] = set()
        store.any(lambda one: unpack(one, manifest, self._absent(files), place))

    def _wanted(self, file: File) -> Wanted:
        into = self.staging.path / file.path
        key = object_key(file.md5, legacy=file.legacy)
        return Wanted(key, into, file.size, file.md5, file.sha256, file.path, file.legacy)

    def _fetch(self, file: File, wanted: Wanted, advance: Progress) -> None:
        # Another process, or the same bytes at another path, may have brought it meanwhile.
        if self._take(file):
            advance(file.size, 1)
            return
        sha256 = self.found.store.fetch(wanted, advance, self.staging.parts)
        self.staging.arrived(file, sha256)
        self.cache.keep(file, wanted.into)
        self.arrived.append(file.size)
        advance(0, 1)

    def _cut(self, file: File) -> None:
        """Bring some columns of a file: from the whole one, if it is here or as near as that."""
        from dreg.adapters.parquet_columns import cut, number_of_rows

        wanted, store = self._wanted(file), self.found.store
        into = wanted.into
        part = into.with_name(f".{into.name[:200]}.columns")
        with out.progress(f"fetching columns of {file.path}", file.size, "bytes") as advance:

            def arrived(length: int) -> None:
                self.arrived.append(length)
                advance(length)

            def from_afar(one: Store) -> None:
                parts = PartsOf(one, wanted, arrived)
                cut(parts.read, file.size, self.found.columns, part, file.path)
                self.unproven.add(parts.protection)

            if self.cache.take(file, into) is None and store.near:
                self._fetch(file, wanted, advance)
            if into.exists():
                with into.open("rb") as whole:
                    source = partial(_read_here, whole)
                    cut(source, file.size, self.found.columns, part, file.path)
            else:
                store.first(from_afar)
        rows = self.found.rows(file)
        if rows is not None and (actual := number_of_rows(part)) != rows:
            raise corrupt(file.path, store.location, "number of rows", rows, actual)
        part.replace(into)
        self.staging.measure(file.path)

    def _refuse_full_disk(self, total: int) -> None:
        free = shutil.disk_usage(self.staging.path).free
        if total > free:
            raise OSError(
                errno.ENOSPC,
                f"{size(total)} are needed and {size(free)} free",
                str(self.staging.target),
            )


def _read_here(file: BinaryIO, start: int, length: int) -> bytes:
    return os.pread(file.fileno(), length, start)
