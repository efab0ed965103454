"""Manifests that were read before, by their digest, which whoever reads one checks again."""

from __future__ import annotations

import contextlib
import hashlib
import os

from dreg.adapters.cache import cache_folder, cache_place
from dreg.adapters.cache_entries import used


def kept_manifest(digest: str) -> bytes | None:
    """The text; None if it is not here."""
    with contextlib.suppress(OSError):
        place = cache_place("manifests") / digest
        text = place.read_bytes()
        if hashlib.sha256(text).hexdigest() == digest:
            used(place)
            return text
        place.unlink()  # damaged here, for which the remote is not to blame
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
