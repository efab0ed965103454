"""Manifests that were read before, by their digest, which whoever reads one checks again."""

from __future__ import annotations

import contextlib
import hashlib
import os

from dreg.adapters.cache import cache_folder, cache_place


def kept_manifest(digest: str) -> bytes | None:
    """The text; None if it is not here."""
    with contextlib.suppress(OSError):
        text = (cache_place("manifests") / digest).read_bytes()
        # One that was damaged here is no reason to blame the remote for it.
        return text if hashlib.sha256(text).hexdigest() == digest else None
    return None


def keep_manifest(digest: str, text: bytes) -> None:
    """Have the text here; without room for it, go on without."""
    with contextlib.suppress(OSError):
        place = cache_place("manifests") / digest
        if place.exists():
            return
        part = cache_folder("manifests") / f".{digest}.{os.getpid()}"
        try:
            part.write_bytes(text)
            part.rename(place)
        finally:
            part.unlink(missing_ok=True)
