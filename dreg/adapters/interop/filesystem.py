"""A release as a file system of fsspec, which pandas, polars, Ray Data and others read from.

Its files have their own names, `dreg://wine-v1.0.0/processed/train.parquet`, so that readers know
what they are; where the bytes are is asked of the remotes in order, as a fetch does. It can be sent to
other processes: keys and endpoints of the environment go with it, a profile is looked up again where
it arrives. What is read as a whole is verified; of parts, only their length can be.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fsspec.spec import AbstractFileSystem

from dreg.adapters.objects import Checksums, Stores, Wanted, many
from dreg.core.remotes import object_key
from dreg.core.snapshot import File

SCHEME = "dreg"
BUFFER = 1 << 20
PATHS_AT_ONCE = 16


@dataclass(frozen=True)
class Contents:
    """The files below `dreg://root/`, and the remotes that have them."""

    root: str
    files: Mapping[str, File] = field(repr=False)
    stores: Stores = field(repr=False)

    def url(self, path: str) -> str:
        return f"{SCHEME}://{self.root}/{path}"

    def file(self, path: str) -> File:
        """The file at that URL or path, or of the object at that one. Raises FileNotFoundError."""
        name = path.removeprefix(f"{SCHEME}://").removeprefix(f"{self.root}/")
        digest = "".join(path.rsplit("/", 2)[-2:])
        file = self.files.get(path) or self.files.get(name) or self._by_md5.get(digest)
        if file is None:
            raise FileNotFoundError(f"{self.root} has no file {name!r}")
        return file

    @functools.cached_property
    def _by_md5(self) -> Mapping[str, File]:
        return {file.md5: file for file in self.files.values()}

    def whole(self, file: File) -> bytes:
        """The verified bytes. Raises Corrupt, or Outside where they can't be had."""

        def read(store: Any) -> bytes:
            data: bytes = store.get_bytes(_key(file), file.size)
            checksums = Checksums(unix=file.legacy)
            checksums.update(data)
            checksums.check(
                file.path, size=file.size, md5=file.md5, sha256=file.sha256, where=store.location
            )
            return data

        return self.stores.first(read)


class ReleaseFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The published files of one release, to be read only."""

    protocol = SCHEME
    cachable = False

    def __init__(self, contents: Contents) -> None:
        super().__init__()
        self.contents = contents

    def __reduce__(self) -> Any:
        return ReleaseFileSystem, (self.contents,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {SCHEME}://{self.contents.root}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReleaseFileSystem) and self.contents.root == other.contents.root

    def __hash__(self) -> int:
        return hash(self.contents.root)

    def only(self, paths: Iterable[str]) -> ReleaseFileSystem:
        """With these files only: less to send."""
        some = {path: self.contents.files[path] for path in paths}
        return ReleaseFileSystem(Contents(self.contents.root, some, self.contents.stores))

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Name, size and type. Raises FileNotFoundError."""
        try:
            return self._told(self.contents.file(path))
        except FileNotFoundError:
            if not self._below(path):
                raise
            return _folder(self._strip_protocol(path))

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """What is in a folder, or the one file. Raises FileNotFoundError."""
        found = {}
        root, start = self.contents.root, self._prefix(path)
        below = self._below(path)
        if not below:
            found = {path: self.info(path)}
        for name in below:
            first, more, _ = name.removeprefix(start).partition("/")
            full = f"{root}/{start}{first}"
            found[full] = _folder(full) if more else self._told(self.contents.files[name])
        return list(found.values()) if detail else sorted(found)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        """The file's bytes, verified, or some of them."""
        file = self.contents.file(path)
        if start is None and end is None:
            return self.contents.whole(file)
        first, stop, _ = slice(start, end).indices(file.size)
        return self.part(file, first, stop)

    def cat(
        self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any
    ) -> Any:
        """The bytes of one file, or by path of several, all asked for at once."""
        if not isinstance(path, list) or recursive or on_error != "raise":
            return super().cat(path, recursive=recursive, on_error=on_error, **kwargs)
        return dict(zip(path, self.several(path), strict=True))

    def several(self, paths: Sequence[str]) -> list[bytes]:
        """The verified bytes of files, all asked for at once."""
        files = [self.contents.file(path) for path in paths]
        return many([functools.partial(self.contents.whole, file) for file in files], PATHS_AT_ONCE)

    def get_file(self, rpath: str, lpath: Any, **kwargs: Any) -> None:
        """Download one file, verified."""
        file, into = self.contents.file(rpath), Path(lpath)
        into.parent.mkdir(parents=True, exist_ok=True)
        wanted = Wanted(_key(file), into, file.size, file.md5, file.sha256, file.path, file.legacy)
        self.contents.stores.fetch(wanted, lambda n: None)

    def part(self, file: File, start: int, stop: int) -> bytes:
        """Some bytes of a file; the whole is read and verified where the remote gives no parts."""
        if stop <= start:
            return b""
        found = self.contents.stores.read_range(_key(file), start, stop - start)
        return self.contents.whole(file)[start:stop] if found is None else bytes(found)

    def _open(self, path: str, mode: str = "rb", block_size: Any = None, **kwargs: Any) -> Any:
        if mode != "rb":
            raise io.UnsupportedOperation("releases never change")
        raw = _Raw(self, self.contents.file(path))
        return io.BufferedReader(raw, max(int(block_size or 0), BUFFER))

    def _told(self, file: File) -> dict[str, Any]:
        name = f"{self.contents.root}/{file.path}"
        return {"name": name, "size": file.size, "type": "file", "md5": file.md5}

    def _prefix(self, path: str) -> str:
        name = self._strip_protocol(path).strip("/")
        inside = name.removeprefix(self.contents.root).lstrip("/")
        return f"{inside}/" if inside else ""

    def _below(self, path: str) -> list[str]:
        return [name for name in self.contents.files if name.startswith(self._prefix(path))]


class _Raw(io.RawIOBase):
    """A file that is elsewhere; what Python's own readers ask for, fsspec's files lack in part."""

    def __init__(self, filesystem: ReleaseFileSystem, file: File) -> None:
        self._filesystem = filesystem
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        stop = min(self._at + len(buffer), self._file.size)
        found = self._filesystem.part(self._file, self._at, stop)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = (0, self._at, self._file.size)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at


def _key(file: File) -> str:
    return object_key(file.md5, legacy=file.legacy)


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}
