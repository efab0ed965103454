"""Fetching a file for the first time, when nobody knows its checksum yet."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import requests

from dreg.adapters.git import public_url
from dreg.adapters.sources.cache import CHUNK, Cache
from dreg.adapters.sources.http import Interrupted
from dreg.adapters.sources.unavailable import Unavailable
from dreg.adapters.sources.whole import whole
from dreg.adapters.written import written
from dreg.errors import Outside


def fetched(url: str, cache: Cache) -> tuple[Path, str, int]:
    """The file at `url` in the cache, its SHA-256 and its bytes. Raises Outside saying why not."""
    digest, size = hashlib.sha256(), 0
    cache.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache.folder, suffix=".first") as file:
        try:
            for chunk in whole(requests.Session(), url):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        except (Unavailable, Interrupted) as error:
            way = "try it again" if isinstance(error, Interrupted) else "check the address"
            raise Outside(
                f"`{public_url(url)}` cannot be fetched: {error}",
                hint=f"{way}; a file that is here already: --from FILE",
            ) from error
        file.flush()
        sha256 = digest.hexdigest()
        with cache.locked(sha256), Path(file.name).open("rb") as again:
            if not cache.holds(sha256):
                cache.keep(sha256, size, iter(lambda: again.read(CHUNK), b""))
            with written(cache.note(sha256)) as note:
                note.write(b"http")
    return cache.at(sha256), sha256, size
