"""The embedding model that a pipeline declares: `model` in `params.yaml`."""

from __future__ import annotations

from dreg.adapters.layout import Layout
from dreg.adapters.yaml_files import read_yaml
from dreg.core.embedding_model import Model, parse_model
from dreg.core.stages import PARAMS_FILE


def declared_model(layout: Layout) -> Model | None:
    """The model; None for a pipeline without one. Raises BadRequest when it is malformed."""
    path = layout.pipeline / PARAMS_FILE
    values = read_yaml(path) if path.is_file() else None
    if not isinstance(values, dict) or "model" not in values:
        return None
    return parse_model(values["model"], f"pipelines/{layout.name}/{PARAMS_FILE}")
