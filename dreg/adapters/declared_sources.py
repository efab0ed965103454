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
    own = (layout.pipeline / SOURCES_FILE).is_file()
    file = SOURCES_FILE if own else PARAMS_FILE
    values = read_yaml(layout.pipeline / file)
    where = f"pipelines/{layout.name}/{file}"
    if not isinstance(values, dict):
        raise BadRequest(f"`{where}` is not a mapping", hint="write it as `key: value` lines")
    return parse_sources(values.get(SOURCES), where)
