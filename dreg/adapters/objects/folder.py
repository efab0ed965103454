"""A remote that is a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from dreg.adapters.half_written import half_written
from dreg.adapters.objects.place import CHUNK, Kept, Page, missing
from dreg.adapters.os_errors import naming
from dreg.adapters.settling import settle
from dreg.core.garbage import MANIFESTS
from dreg.core.stored import Stored
from dreg.errors import Outside

PARTS = "dreg/parts"


class Folder:
    """A remote that is a folder, local or mounted; made when the first object is written."""

    near = True
    identity = ""

    def __init__(self, name: str, root: Path) -> None:
        self.root = root
        self.location = f"the remote `{name}` at {root}"

    def stat(self, key: str) -> Stored | None:
        try:
            found = (self.root / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        # ctime: `cp -p` and `rsync -t` set mtime to what it was; FAT has no such ctime.
        return Stored(found.st_size, touched=max(found.st_mtime_ns, found.st_ctime_ns))

    def pages(self, prefix: str, after: str = "") -> Iterator[Page | None]:
        yield None  # asking for single files is as quick

    def every(self, prefix: str) -> Iterator[Kept]:
        for folder, _, names in os.walk(self.root / prefix, onerror=_raise):
            for name in names:
                path = Path(folder) / name
                if not name.startswith(".dreg-"):
                    with contextlib.suppress(FileNotFoundError):
                        found = path.stat()
                        at = datetime.fromtimestamp(found.st_mtime, UTC)
                        yield Kept(path.relative_to(self.root).as_posix(), found.st_size, at)

    def read(self, key: str) -> Iterator[bytes]:
        with self._opened(key) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def _opened(self, key: str) -> BinaryIO:
        try:
            return (self.root / key).open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self.root.is_dir():
                raise Outside(
                    f"{self.location} is not there",
                    hint="check the path, or choose another: --remote NAME|URL|PATH or DREG_REMOTE",
                ) from error
            raise missing(key, self.location) from error

    def read_range(self, key: str, start: int, length: int, etag: str = "") -> bytes:
        with self._opened(key) as file:
            return os.pread(file.fileno(), length, start)

    def stream_range(self, key: str, start: int, length: int) -> Iterator[bytes]:
        with self._opened(key) as file:
            for at in range(start, start + length, CHUNK):
                yield os.pread(file.fileno(), min(CHUNK, start + length - at), at)

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        promises = key.startswith(MANIFESTS)
        if promises:
            settle(self.root)  # else the power may take an object that the manifest says is there
        with naming(path), half_written(self.root / PARTS) as (part, file):
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            part.rename(path)
        if promises:
            settle(self.root)  # a tag may follow

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
