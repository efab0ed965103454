"""Size and checksums of bytes as they pass."""

from __future__ import annotations

import hashlib

from dreg.errors import Outside


class Checksums:
    """Size, md5 and sha256 of bytes as they pass."""

    def __init__(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)  # DVC's address, not a protection
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._md5.update(chunk)
        self._sha256.update(chunk)

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def check(self, path: str, *, size: int, md5: str, sha256: str | None, where: str) -> None:
        """Raises Outside unless the bytes are the expected ones; `sha256` None is not compared."""
        expected = [("sha256", sha256, self.sha256)] if sha256 else []
        expected += [("md5", md5, self.md5), ("size", str(size), str(self.size))]
        for kind, wanted, actual in expected:
            if wanted != actual:
                raise Outside(
                    f"`{path}` arrived corrupt from {where}: "
                    f"expected {kind} {wanted}, got {actual}",
                    hint="nothing was placed; try again, and if it stays, tell the registry's owner",
                )
