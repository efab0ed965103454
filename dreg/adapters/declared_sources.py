"""The sources that a pipeline declares: in `sources.yaml`, which a script writes, or in `params.yaml`."""

from __future__ import annotations

from dreg.adapters.layout import Layout
from dreg.adapters.yaml_files import read_yaml
from dreg.core.sources import Source, parse_sources
from dreg.core.stages import PARAMS_FILE
from dreg.errors import BadRequest

SOURCES = "sources"
SOURCES_FILE = "sources.yaml"


def declared_sources(layout: Layout) -> tuple[Source, ...]:
    """The sources of the dataset's download stage. Raises BadRequest when none are declared."""
    where = declared_in(layout)
    values = read_yaml(layout.root / where)
    if not isinstance(values, dict):
        raise BadRequest(f"`{where}` is not a mapping", hint="write it as `key: value` lines")
    return parse_sources(values.get(SOURCES), where)


def declared_in(layout: Layout) -> str:
    """The file that lists the sources, relative to the registry."""
    own = (layout.pipeline / SOURCES_FILE).is_file()
    return f"pipelines/{layout.name}/{SOURCES_FILE if own else PARAMS_FILE}"
