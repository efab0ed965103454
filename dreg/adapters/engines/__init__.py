"""Who measures: threads of this process. What comes out is equal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dreg.errors import BadRequest

if TYPE_CHECKING:
    from dreg.adapters.merging import Engine

ENGINES = ("local",)
VARIABLE = "DREG_ENGINE"


def chosen(name: str | None = None) -> str:
    """The engine's name: as given, else as the environment says, else `local`.

    Raises BadRequest for a name that is none.
    """
    name = name or os.environ.get(VARIABLE) or ENGINES[0]
    if name not in ENGINES:
        raise BadRequest(f"there is no engine `{name}`", hint=f"engines: {', '.join(ENGINES)}")
    return name


def engine(name: str) -> Engine:
    """Imported only now: `dreg run` checks names, and needs none."""
    from dreg.adapters.engines import local

    return local.parts
