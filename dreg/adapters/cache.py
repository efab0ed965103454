"""Where dreg keeps what it can get again: `$DREG_CACHE`, else `$XDG_CACHE_HOME/dreg`, else `~/.cache/dreg`."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(purpose: str) -> Path:
    """The folder for one purpose (`git`, `sources`), made if it is not there."""
    own = os.environ.get("DREG_CACHE")
    base = (
        Path(own)
        if own
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dreg"
    )
    folder = base.expanduser() / purpose
    folder.mkdir(parents=True, exist_ok=True)
    return folder
