"""Fetching a file for the first time, when nobody knows its checksum yet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from dreg.adapters.git import public_url
from dreg.adapters.scratch import scratch_folder
from dreg.adapters.sources.cache import Cache
from dreg.adapters.sources.http import Interrupted
from dreg.adapters.sources.unavailable import Unavailable
from dreg.adapters.sources.whole import answered, content
from dreg.adapters.written import written
from dreg.errors import Outside


@dataclass(frozen=True)
class Fetched:
    """A file in the cache: its checksum, its bytes, the address that gave it and its answer's headers."""

    path: Path
    sha256: str
    size: int
    url: str
    headers: Mapping[str, str]


def fetched(url: str, cache: Cache) -> Fetched:
    """The file at `url`, now in the cache. Raises Outside saying why not."""
    digest, size = hashlib.sha256(), 0
    cache.folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(cache.folder) as scratch:
        new = scratch / "new"
        try:
            with answered(requests.Session(), url) as answer, new.open("xb") as file:
                for chunk in content(answer):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
        except (Unavailable, Interrupted) as error:
            way = "try it again" if isinstance(error, Interrupted) else "check the address"
            raise Outside(
                f"`{public_url(url)}` cannot be fetched: {error}",
                hint=f"{way}; a file that is here already: --from FILE",
            ) from error
        sha256 = digest.hexdigest()
        with cache.locked(sha256):
            if not cache.holds(sha256):
                new.replace(cache.at(sha256))
            with written(cache.note(sha256)) as note:
                note.write(b"http")
    return Fetched(cache.at(sha256), sha256, size, answer.url, answer.headers)
