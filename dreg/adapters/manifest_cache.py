"""Manifests that were read before, by their digest, which whoever reads one checks again."""

from __future__ import annotations

import contextlib
import hashlib

from dreg.adapters.cache import cache_folder, cache_place
from dreg.adapters.cache_entries import used
from dreg.adapters.half_written import half_written


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
        cache_folder("manifests")
        with half_written(cache_place("parts")) as (part, file):
            file.write(text)
            file.flush()
            part.rename(place)
