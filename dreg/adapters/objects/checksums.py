"""Size and checksums of bytes as they pass."""

from __future__ import annotations

import hashlib

from dreg.errors import Outside


class Corrupt(Outside):
    """Bytes that are not the expected ones (exit code 3)."""


class Checksums:
    """Size, md5 and sha256 of bytes as they pass.

    `unix` is for what DVC 2 wrote: its md5 is that of a text with Unix line ends.
    """

    def __init__(self, *, unix: bool = False) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)  # DVC's address, not a protection
        self._unix_md5 = hashlib.md5(usedforsecurity=False) if unix else None
        self._sha256 = hashlib.sha256()
        self._held = b""

    def update(self, chunk: bytes | memoryview) -> None:
        self.size += len(chunk)
        self._md5.update(chunk)
        self._sha256.update(chunk)
        if self._unix_md5 is not None:
            text = self._held + chunk
            self._held = text[-1:] if text.endswith(b"\r") else b""
            self._unix_md5.update(text[: len(text) - len(self._held)].replace(b"\r\n", b"\n"))

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def has_md5(self, md5: str) -> bool:
        """Whether the bytes, or the text that they are, have this md5."""
        if self._unix_md5 is not None:
            whole = self._unix_md5.copy()
            whole.update(self._held)
            if whole.hexdigest() == md5:
                return True
        return self.md5 == md5

    def check(self, path: str, *, size: int, md5: str, sha256: str | None, where: str) -> None:
        """Raises Corrupt unless the bytes are the expected ones; `sha256` None is not compared."""
        expected = [("sha256", sha256, self.sha256)] if sha256 else []
        if not self.has_md5(md5):
            expected.append(("md5", md5, self.md5))
        for kind, wanted, actual in [*expected, ("size", str(size), str(self.size))]:
            if wanted != actual:
                raise corrupt(path, where, kind, wanted, actual)


def corrupt(path: str, where: str, kind: str, wanted: object, actual: object) -> Corrupt:
    """The error for bytes that are not the expected ones."""
    return Corrupt(
        f"`{path}` arrived corrupt from {where}: expected {kind} {wanted}, got {actual}",
        hint="nothing was placed; try again, and if it stays, tell the registry's owner",
    )
