"""Sources from their mirrors: tried in order, checked, kept in a cache outside the registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dreg.adapters.github import Absent, Api, Declined, blob
from dreg.adapters.sources.cache import Cache, chunks
from dreg.adapters.sources.http import Web
from dreg.adapters.sources.packages import from_deb, from_wheel
from dreg.adapters.sources.script import from_script
from dreg.adapters.sources.unavailable import (
    Mismatch,
    Unavailable,
    local_file,
    what_helps,
)
from dreg.adapters.written import written
from dreg.core.sources import (
    Deb,
    GitHubBlob,
    Http,
    Local,
    Mirror,
    PipelineFile,
    Script,
    Source,
    Wheel,
)
from dreg.core.stages import PARAMS_FILE
from dreg.errors import DregError, Outside

__all__ = ["Cache", "Mirrors"]

Note = Callable[[str], None]
Position = Callable[[int], None]


class Mirrors:
    """Gets the sources of one download stage."""

    def __init__(self, cache: Cache, note: Note, where: str = PARAMS_FILE) -> None:
        """`note` is called with a line when a mirror fails, or takes a while to answer; `where` is the
        file that declares the sources."""
        self.cache = cache
        self.note = note
        self.where = where
        self.web = Web()
        self.github = Api()
        self.unasked: DregError | None = None

    def place(self, source: Source, folder: Path, position: Position = lambda _: None) -> str:
        """Put `source` below `folder`, checked; returns where it came from.

        `position` is called with the bytes there are so far. Raises Outside when no mirror gives it.
        """
        target = folder / source.path
        with self.cache.locked(source.sha256):
            if self.cache.copy(source.sha256, target):
                return "the download cache"
            failures: list[tuple[Mirror, Unavailable]] = []
            for mirror in source.mirrors:
                try:
                    self.ask(mirror, source, position)
                except Unavailable as error:
                    self.note(f"{source.path}: {mirror}: {error}")
                    failures.append((mirror, error))
                    continue
                with written(self.cache.note(source.sha256)) as note:
                    note.write(mirror.kind.encode())
                if self.cache.copy(source.sha256, target):
                    return str(mirror)
                raise Outside(  # the bytes were right a moment ago
                    f"the download cache `{self.cache.folder}` does not keep what is written to it",
                    hint="check its disk, or set DREG_CACHE to a folder on another one",
                )
        raise Outside(
            f"no mirror gave `{source.path}`",
            hint=what_helps(source, failures, self.where),
            details=[f"{mirror}: {error}" for mirror, error in failures],
        )

    def ask(self, mirror: Mirror, source: Source, position: Position) -> None:
        """Have `mirror` give the source to the cache. Raises Unavailable saying why not."""
        match mirror:
            case Http():
                self.web.download(mirror.url, source, self.cache, position)
            case Wheel():
                from_wheel(mirror, source, self.cache, self.note)
            case Deb():
                from_deb(mirror, source, self.cache, self.note)
            case GitHubBlob():
                self.read_blob(mirror, source)
            case Script():
                from_script(mirror, source, self.cache, self.web)
            case Local() | PipelineFile():
                self.read(local_file(mirror), source)

    def read_blob(self, mirror: GitHubBlob, source: Source) -> None:
        if self.unasked:  # one repository answers no better than the other
            raise untold(self.unasked)
        try:
            content = blob(self.github, mirror.repository, mirror.blob)
        except DregError as error:
            if not isinstance(error, Absent):
                self.unasked = error
            raise untold(error) from error
        self.cache.keep(source.sha256, source.size, [content])

    def read(self, path: Path, source: Source) -> None:
        try:
            stream = path.open("rb")
        except OSError as error:
            raise Unavailable(f"cannot read `{path}`: {error.strerror}") from error
        with stream:
            try:
                self.cache.keep(source.sha256, source.size, chunks(stream))
            except Mismatch as error:
                raise Mismatch(f"`{path}`: {error}") from error


def untold(error: DregError) -> Unavailable:
    """What GitHub said instead; where it will answer again, that is what helps."""
    return Unavailable(error.fact, hint=error.hint if isinstance(error, Declined) else "")
