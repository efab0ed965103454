"""Sources from their mirrors: tried in order, checked, kept in a cache outside the registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dreg.adapters.sources.cache import Cache, chunks
from dreg.adapters.sources.http import download
from dreg.adapters.sources.packages import from_deb, from_wheel
from dreg.adapters.sources.unavailable import Unavailable
from dreg.core.sources import Deb, Http, Local, Mirror, PipelineFile, Source, Wheel
from dreg.errors import Outside

__all__ = ["Cache", "Unavailable", "place"]

Note = Callable[[str], None]
Position = Callable[[int], None]


def place(
    source: Source, folder: Path, cache: Cache, *, note: Note, position: Position = lambda _: None
) -> str:
    """Put `source` below `folder`, checked; returns where it came from.

    `note` gets a line for each mirror that failed, `position` the bytes there are so far.
    Raises Outside when no mirror gives it.
    """
    target = folder / source.path
    with cache.locked(source.sha256):
        if cache.copy(source.sha256, target):
            return "cache"
        failures = []
        for mirror in source.mirrors:
            try:
                give(mirror, source, cache, position)
            except Unavailable as error:
                note(f"{source.path}: {mirror}: {error}")
                failures.append(f"{mirror}: {error}")
                continue
            if cache.copy(source.sha256, target):
                return str(mirror)
            raise Outside(  # the bytes were right a moment ago
                f"the download cache `{cache.folder}` does not keep what is written to it",
                hint="check its disk, or set DREG_CACHE to a folder on another one",
            )
    raise Outside(
        f"no mirror gave `{source.path}`",
        hint="go online, or put the file into a folder and name that: DREG_MIRROR=FOLDER",
        details=failures,
    )


def give(mirror: Mirror, source: Source, cache: Cache, position: Position) -> None:
    """Have `mirror` put the source's bytes into the cache. Raises Unavailable saying why not."""
    match mirror:
        case Http():
            download(mirror.url, source, cache, position)
        case Wheel():
            from_wheel(mirror, source, cache)
        case Deb():
            from_deb(mirror, source, cache)
        case Local():
            read(local_path(mirror), source, cache)
        case PipelineFile():
            read(Path(mirror.path), source, cache)  # a stage runs in its pipeline's folder


def read(path: Path, source: Source, cache: Cache) -> None:
    with opened(path) as stream:
        cache.keep(source.sha256, source.size, chunks(stream))


def local_path(mirror: Local) -> Path:
    folder = os.environ.get("DREG_MIRROR")
    if not folder:
        raise Unavailable("DREG_MIRROR is not set")
    return Path(folder) / mirror.path


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise Unavailable(f"cannot read `{path}`: {error.strerror}") from error
    with stream:
        yield stream
