"""The stage `download`: the files that params.yaml lists under `sources`, checked, into `raw/`."""

from __future__ import annotations

from dreg.adapters.making import record_mirrors
from dreg.adapters.sources import Cache, Mirrors
from dreg.core.sources import parse_sources
from dreg.stages.progress import Progress, say
from dreg.stages.workspace import here


def run() -> None:
    """Fetch every source from the first of its mirrors that gives the right bytes.

    Raises BadRequest for a malformed params.yaml, Outside when no mirror of a file gives it.
    """
    workspace = here()
    where = f"pipelines/{workspace.name}/params.yaml"
    sources = parse_sources(workspace.params.get("sources"), where)
    mirrors = Mirrors(Cache.of_user(), note=say)
    for source in sources:
        with Progress(source.path, source.size) as progress:
            origin = mirrors.place(source, workspace.raw, progress.at)
        say(f"{source.path}: {source.size:,} bytes from {origin}")
    served = {source.sha256: mirrors.cache.served_by(source.sha256) for source in sources}
    record_mirrors(workspace, served)
