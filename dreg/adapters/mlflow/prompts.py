"""Prompts out of MLflow's prompt registry."""

from __future__ import annotations

from contextlib import suppress

from dreg.adapters.git import public_url
from dreg.adapters.mlflow.connecting import Absent, client, explained
from dreg.core.profile import Prompt
from dreg.errors import BadRequest


def registered_prompt(uri: str, name: str, version: int) -> Prompt:
    """The prompt's text as the registry at `uri` has it.

    Raises BadRequest for a name or version that isn't there and for one that is no plain text,
    Outside when the registry cannot be asked.
    """
    registry = client(uri)
    found = None
    with suppress(Absent), explained(uri):
        found = registry.get_prompt_version(name, version)
    if found is None:
        raise BadRequest(
            f"MLflow at {public_url(uri)} has no version {version} of the prompt `{name}`",
            hint="register it, name another in params.yaml, or unset MLFLOW_TRACKING_URI "
            "to take the pipeline's own file",
        )
    if not isinstance(found.template, str):
        raise BadRequest(
            f"version {version} of the prompt `{name}` is a chat of several messages",
            hint="name a prompt in params.yaml that is one text",
        )
    return Prompt(found.template, name, str(version))
