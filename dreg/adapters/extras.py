"""Libraries that only some users have: imported when they are needed, or said how to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dreg.errors import Outside


def needed(module: str, extra: str) -> Any:
    """The module. Raises Outside that says which extra of dreg has it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        lacking = error.name or module
        if lacking.partition(".")[0] == "dreg":
            raise
        raise Outside(
            f"the Python module `{lacking}` is needed for this and not installed",
            hint=f"pip install 'dreg[{extra}]'",
        ) from error
