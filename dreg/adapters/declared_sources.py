"""The sources that a pipeline declares: in `sources.yaml`, which a script writes, or in `params.yaml`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.layout import Layout
from dreg.adapters.source_list import read_list
from dreg.core.sources import PipelineFile, Source, parse_sources
from dreg.core.stages import PARAMS_FILE
from dreg.errors import BadRequest

SOURCES = "sources"
SOURCES_FILE = "sources.yaml"


@dataclass(frozen=True)
class OtherFile:
    """A file of the pipeline's own folder, at `path` there, that is not what `source` declares it to be."""

    source: Source
    path: str
    sha256: str
    size: int


def declared_sources(layout: Layout) -> tuple[Source, ...]:
    """The sources of the dataset's download stage. Raises BadRequest when none are declared."""
    where = declared_in(layout)
    values = read_list(layout, layout.root / where)
    if not isinstance(values, dict):
        raise BadRequest(f"`{where}` is not a mapping", hint="write it as `key: value` lines")
    return parse_sources(values.get(SOURCES), where)


def declared_in(layout: Layout) -> str:
    """The file that lists the sources, relative to the registry."""
    own = (layout.pipeline / SOURCES_FILE).is_file()
    return f"pipelines/{layout.name}/{SOURCES_FILE if own else PARAMS_FILE}"


def other_files(layout: Layout) -> tuple[OtherFile, ...]:
    """Files in the pipeline's folder that were replaced or edited since their checksums were declared.

    Whoever edits one expects the next run to take it; the declared bytes may still come from elsewhere.
    """
    declared = layout.root / declared_in(layout)
    try:
        if b"file:" not in declared.read_bytes():
            return ()
        sources = declared_sources(layout)
    except (OSError, BadRequest):  # it is told where sources are read
        return ()
    return tuple(
        found
        for source in sources
        for mirror in source.mirrors
        if isinstance(mirror, PipelineFile)
        and (found := _other(layout.pipeline / mirror.path, mirror.path, source))
    )


def _other(file: Path, path: str, source: Source) -> OtherFile | None:
    try:
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        size = file.stat().st_size
    except OSError:
        return None
    return None if sha256 == source.sha256 else OtherFile(source, path, sha256, size)
