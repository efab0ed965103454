"""Who measures: threads of this process, or a Ray cluster. What comes out is equal."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dreg.errors import BadRequest

if TYPE_CHECKING:
    from dreg.adapters.merging import Engine

ENGINES = ("local", "ray")
ADDRESS = "RAY_ADDRESS"
VARIABLE = "DREG_ENGINE"


def chosen(name: str | None = None) -> str:
    """The engine's name: as given, else as the environment says, else `local`.

    Raises BadRequest for a name that is none, and for an engine that is not installed.
    """
    name = name or os.environ.get(VARIABLE) or ENGINES[0]
    if name not in ENGINES:
        raise BadRequest(f"there is no engine `{name}`", hint=f"engines: {', '.join(ENGINES)}")
    if name == "ray" and find_spec("ray") is None:
        raise BadRequest("Ray is not installed", hint="pip install 'dreg[ray]'")
    return name


def place() -> str:
    """Which cluster the engine `ray` works on, in words."""
    address = os.environ.get(ADDRESS)
    return f"the Ray cluster at {address}" if address else "a Ray cluster of this machine"


def engine(name: str) -> Engine:
    """Imported only now: `dreg run` checks names, and needs neither."""
    if name == "ray":
        from dreg.adapters.engines import ray_data

        return ray_data.parts
    from dreg.adapters.engines import local

    return local.parts
