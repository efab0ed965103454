"""The sources that a pipeline declares: in `sources.yaml`, which a script writes, or in `params.yaml`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.dvc.digests import listing_of
from dreg.adapters.dvc.memory import Notes
from dreg.adapters.dvc.pipeline import scratch
from dreg.adapters.layout import Layout
from dreg.adapters.source_list import read_list
from dreg.core.sources import PipelineFile, Source, parse_sources
from dreg.core.stages import PARAMS_FILE
from dreg.errors import BadRequest

SOURCES = "sources"
SOURCES_FILE = "sources.yaml"
AS_DECLARED = "as declared"


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
    where, declared = layout.folders[0], layout.root / declared_in(layout)
    notes = Notes(scratch(layout.root) / "digests" / f"{layout.name}.sources.json")
    try:
        if b"file:" not in declared.read_bytes():
            return ()
        # Looked at before they are read: what is edited meanwhile is then in another state.
        names, state = listing_of(layout.root, where) or ((), None)
        if state and notes.get(where, state):
            return ()
        sources = declared_sources(layout)
    except (OSError, BadRequest):  # it is told where sources are read
        return ()
    given = [(s, m.path) for s in sources for m in s.mirrors if isinstance(m, PipelineFile)]
    found = [other for s, path in given if (other := _other(layout.pipeline / path, path, s))]
    # A file behind a link to another folder is not among the names.
    if state and not found and {path for _, path in given} <= set(names):
        notes.put(where, state, AS_DECLARED)
        notes.save()
    return tuple(found)


def _other(file: Path, path: str, source: Source) -> OtherFile | None:
    try:
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        size = file.stat().st_size
    except OSError:
        return None
    return None if sha256 == source.sha256 else OtherFile(source, path, sha256, size)
