"""Where dreg keeps what it can get again: `$DREG_CACHE`, else `$XDG_CACHE_HOME/dreg`, else `~/.cache/dreg`."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """The folder of it all, there or not."""
    own = os.environ.get("DREG_CACHE")
    base = (
        Path(own)
        if own
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dreg"
    )
    return base.expanduser().absolute()


def cache_place(purpose: str) -> Path:
    """The folder for one purpose (`git`, `sources`), there or not."""
    return cache_root() / purpose


def cache_folder(purpose: str) -> Path:
    """The folder for one purpose, made if it is not there."""
    folder = cache_place(purpose)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
