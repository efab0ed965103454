"""Why a mirror did not give a file, and what can be done about it when none did."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dreg.core.sources import Http, Local, Mirror, PipelineFile, Script, Source


class Unavailable(Exception):
    """One mirror failed; its text says why, in a few words. The next mirror is tried.

    `hint` is what helps, where the mirror itself says that: a limit that ends at some time.
    """

    def __init__(self, why: str, *, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


class Mismatch(Unavailable):
    """The mirror has a file there, and it is not the one that is declared."""


def local_file(mirror: Local | PipelineFile) -> Path:
    """Where the mirror's file is, or would be. Raises Unavailable where DREG_MIRROR is not set."""
    if isinstance(mirror, PipelineFile):
        return Path(mirror.path)  # a stage runs in its pipeline's folder
    folder = os.environ.get("DREG_MIRROR")
    if not folder:
        raise Unavailable("DREG_MIRROR is not set")
    return Path(folder) / mirror.path


def what_helps(source: Source, failures: Sequence[tuple[Mirror, Unavailable]], where: str) -> str:
    """The hint where no mirror gave the source, which is declared in the file `where`."""
    own = {error.hint: None for _, error in failures if error.hint}
    wrong = [mirror for mirror, error in failures if isinstance(error, Mismatch)]
    ways = [*own, *_if_wrong(wrong, source.path, where)]
    return "; or ".join(ways) if ways else _if_missing(source, where)


def _if_wrong(wrong: Sequence[Mirror], path: str, where: str) -> Iterator[str]:
    if not wrong:
        return
    here = [local_file(mirror) for mirror in wrong if isinstance(mirror, Local | PipelineFile)]
    if here:
        yield f"put the right file in place of `{here[0]}`"
    there = [mirror for mirror in wrong if isinstance(mirror, Http | Script)]
    look = f"sha256sum {here[0]}" if here else _seen(there[0], path) if there else ""
    yield "where upstream has changed, and that is wanted, " + (
        "write it anew: python scripts/refresh.py"
        if where.endswith("sources.yaml")
        else f"declare the new file's sha256 and size in {where}" + (f": {look}" if look else "")
    )


def _seen(mirror: Http | Script, path: str) -> str:
    """A command that tells the checksum of what the mirror has."""
    made = f"python {mirror.path} {path} | " if isinstance(mirror, Script) else ""
    return f"curl -L '{mirror.url}' | {made}sha256sum"


def _if_missing(source: Source, where: str) -> str:
    online = any(not isinstance(mirror, Local | PipelineFile) for mirror in source.mirrors)
    way = "go online, or " if online else ""  # where there is no upstream, that helps nobody
    path = next((mirror.path for mirror in source.mirrors if isinstance(mirror, Local)), None)
    if path is None:
        return f"{way}name another mirror in {where}: `- local: PATH` is below DREG_MIRROR"
    folder = os.environ.get("DREG_MIRROR")
    if folder:
        return f"{way}put the file where DREG_MIRROR has it: {Path(folder) / path}"
    return f"{way}put it into a folder as {path} and name that: DREG_MIRROR=FOLDER"
