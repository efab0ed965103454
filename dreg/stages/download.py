"""The stage `download`: the files that are listed under `sources`, checked, into `raw/`.

They are listed in params.yaml; or in sources.yaml, where there is one: what a script finds out is
written there, and what people write stays in params.yaml.
"""

from __future__ import annotations

from dreg.adapters.declared_sources import declared_sources
from dreg.adapters.making import record_mirrors
from dreg.adapters.sources import Cache, Mirrors
from dreg.core.wording import numbered
from dreg.stages.progress import Progress, say
from dreg.stages.workspace import here


def run() -> None:
    """Fetch every source from the first of its mirrors that gives the right bytes.

    Raises BadRequest for a malformed list, Outside when no mirror of a file gives it.
    """
    workspace = here()
    sources = declared_sources(workspace)
    mirrors = Mirrors(Cache.of_user(), note=say)
    for source in sources:
        with Progress(source.path, source.size) as progress:
            origin = mirrors.place(source, workspace.raw, progress.at)
        say(f"{source.path}: {numbered(source.size, 'byte')} from {origin}")
    served = {source.sha256: mirrors.cache.served_by(source.sha256) for source in sources}
    record_mirrors(workspace, served)
