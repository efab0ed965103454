"""A file's bytes on their way to a remote, and whether they are the right ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from dreg.adapters.objects.place import CHUNK, Advance
from dreg.core.stored import PART, Stored, part_size
from dreg.errors import Outside


class Sending:
    """The bytes of the file at `path`, which must have the `md5` if it is given.

    The last of them are held back until all were read and are right: an upload that ends before
    that leaves no object. `etag` is what S3 will call them, in parts if they take more than one.
    """

    def __init__(self, path: Path, md5: str | None, advance: Advance) -> None:
        self.path = path
        self.size = path.stat().st_size
        self._wanted = md5
        self._advance = advance
        self._md5 = _md5()
        self._part_size = part_size(self.size)
        self._parts: list[bytes] = []
        self._part, self._left = _md5(), self._part_size

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in order. Raises Outside before the last ones if they are not right."""
        held = b""
        with self.path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                if held:
                    yield held
                    self._advance(len(held))
                self._update(chunk)
                held = chunk
        self._check()
        if held:
            yield held
            self._advance(len(held))

    @property
    def etag(self) -> str:
        """The ETag that S3 gives these bytes, once they were read."""
        if self.size <= PART:
            return self._md5.hexdigest()
        parts = self._parts
        if self._left < self._part_size:
            parts = [*parts, self._part.digest()]
        return f"{_md5(b''.join(parts)).hexdigest()}-{len(parts)}"

    def arrived(self, stored: Stored | None) -> bool:
        """Whether the store says that it has just these bytes."""
        return stored is not None and (stored.size, stored.etag) == (self.size, self.etag)

    def _update(self, chunk: bytes) -> None:
        self._md5.update(chunk)
        view = memoryview(chunk) if self.size > PART else memoryview(b"")
        while view:
            piece, view = view[: self._left], view[self._left :]
            self._part.update(piece)
            self._left -= len(piece)
            if not self._left:
                self._parts.append(self._part.digest())
                self._part, self._left = _md5(), self._part_size

    def _check(self) -> None:
        actual = self._md5.hexdigest()
        if self._wanted not in (None, actual):
            raise Outside(
                f"the local file `{self.path}` is damaged: it has md5 {actual}, and dvc.lock says {self._wanted}",
                hint="nothing of it was pushed; remove it, then run the pipeline again with --force",
            )


def _md5(data: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)  # DVC's address and S3's, not a protection
