"""Fetching a file for the first time, when nobody knows its checksum yet."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import requests

from dreg.adapters.git import public_url
from dreg.adapters.sources.cache import CHUNK, Cache
from dreg.adapters.sources.http import CONNECT_SECONDS, READ_SECONDS, Interrupted, told_apart
from dreg.adapters.sources.unavailable import Unavailable
from dreg.adapters.written import written
from dreg.errors import Outside


def fetched(url: str, cache: Cache) -> tuple[Path, str, int]:
    """The file at `url` in the cache, its SHA-256 and its bytes. Raises Outside saying why not."""
    digest, size = hashlib.sha256(), 0
    cache.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache.folder, suffix=".first") as file:
        try:
            with (
                told_apart(),
                requests.get(
                    url,
                    headers={"Accept-Encoding": "identity"},
                    timeout=(CONNECT_SECONDS, READ_SECONDS),
                    stream=True,
                ) as answer,
            ):
                if answer.status_code != requests.codes.ok:
                    raise Unavailable(f"{answer.status_code} {answer.reason or ''}".strip())
                while chunk := answer.raw.read(CHUNK, decode_content=False):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                wanted = answer.headers.get("Content-Length", "")
                if wanted.isdigit() and int(wanted) != size:
                    raise Unavailable(f"it ended after {size:,} of {int(wanted):,} bytes")
        except (Unavailable, Interrupted) as error:
            raise Outside(
                f"`{public_url(url)}` cannot be fetched: {error}",
                hint="check the address; a file that is here already: --from FILE",
            ) from error
        file.flush()
        sha256 = digest.hexdigest()
        with cache.locked(sha256), Path(file.name).open("rb") as again:
            if not cache.holds(sha256):
                cache.keep(sha256, size, iter(lambda: again.read(CHUNK), b""))
            with written(cache.note(sha256)) as note:
                note.write(b"http")
    return cache.at(sha256), sha256, size
