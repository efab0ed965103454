"""The stage `download`: the files that are listed under `sources`, checked, into `raw/`.

They are listed in params.yaml; or in sources.yaml, where there is one: what a script finds out is
written there, and what people write stays in params.yaml. If params.yaml declares a `model`, its
files are had as well, into dreg's cache: they are no part of the data.
"""

from __future__ import annotations

from dreg.adapters.declared_model import declared_model
from dreg.adapters.declared_sources import SOURCES, SOURCES_FILE, declared_in, declared_sources
from dreg.adapters.embedding.model_files import model_folder
from dreg.adapters.making import record_mirrors
from dreg.adapters.sources import Cache, Mirrors
from dreg.core.embedding_model import Model
from dreg.core.sources import Source
from dreg.core.wording import numbered
from dreg.stages.progress import Progress, say
from dreg.stages.workspace import Workspace, here


def run() -> None:
    """Fetch every source from the first of its mirrors that gives the right bytes.

    Raises BadRequest for a malformed list, Outside when no mirror of a file gives it.
    """
    workspace = here()
    model = declared_model(workspace)
    sources = declared_sources(workspace) if model is None or lists_sources(workspace) else ()
    mirrors = Mirrors(Cache.of_user(), note=say, where=declared_in(workspace))
    for source in sources:
        with Progress(source.path, source.size) as progress:
            origin = mirrors.place(source, workspace.raw, progress.at)
        say(f"{source.path}: {numbered(source.size, 'byte')} from {origin}")
    if model is not None:
        have(model)
    had = (*sources, *(model.files if model else ()))
    record_mirrors(workspace, {file.sha256: mirrors.cache.served_by(file.sha256) for file in had})


def lists_sources(workspace: Workspace) -> bool:
    """Whether there is a list of sources at all."""
    return SOURCES in workspace.params or (workspace.pipeline / SOURCES_FILE).is_file()


def have(model: Model) -> None:
    """Have the model's files in the cache. Raises Outside when no mirror gives one of them."""

    def position(source: Source) -> Progress:
        return Progress(f"{model.name}: {source.path}", source.size)

    model_folder(model, say, lambda source: position(source).at)
    say(f"{model}: {numbered(sum(file.size for file in model.files), 'byte')}, checked")
