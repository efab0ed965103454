"""Files that are elsewhere: read through a file system of fsspec, and verified if as a whole."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dreg.errors import Outside

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BUFFER = 1 << 20


@dataclass(frozen=True)
class There:
    """Where files are: URL, MD5 and bytes by path, and the file system that reads the URLs."""

    filesystem: AbstractFileSystem
    files: Mapping[str, tuple[str, str, int]] = field(repr=False)

    def opened(self, url: str) -> io.BufferedReader:
        """The object as a file that can do all that files can; not all file systems' can."""
        return io.BufferedReader(_Raw(self.filesystem.open(url, "rb")), BUFFER)

    def contents(self, paths: Sequence[str]) -> list[bytes]:
        """The files' bytes, all asked for at once. Raises Outside for one that arrived corrupt."""
        urls = [self.files[path][0] for path in paths]
        found = self.filesystem.cat(urls) if urls else {}
        by_url = found if isinstance(found, dict) else {urls[0]: found}
        several = {_plain(url): content for url, content in by_url.items()}
        return [
            self._verified(path, several[_plain(url)])
            for path, url in zip(paths, urls, strict=True)
        ]

    def _verified(self, path: str, content: bytes) -> bytes:
        actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
        expected = self.files[path][1]
        if actual != expected:
            raise Outside(
                f"`{path}` arrived corrupt: expected md5 {expected}, got {actual}",
                hint="try again, and if it stays, tell the registry's owner",
            )
        return content


class _Raw(io.RawIOBase):
    """What of a file system's file is relied on: reading and seeking."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return int(self._file.tell())

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()
        super().close()


def _plain(url: str) -> str:
    """What file systems make of a URL differs in its beginning only."""
    return url.split("://", 1)[-1].lstrip("/")
