"""A model's files as the folder that libraries load: each one verified, whenever it is opened.

They are kept in dreg's cache, outside of registries: a model of 90 MB is no part of the data. Only what
has no code in it is ever loaded, safetensors and JSON; which files there are the pipeline declares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from dreg.adapters.cache import cache_place
from dreg.adapters.cache_entries import hold, used
from dreg.adapters.sources import Cache, Mirrors
from dreg.core.embedding_model import Model
from dreg.core.sources import Source
from dreg.errors import BadRequest

Note = Callable[[str], None]
Position = Callable[[Source], Callable[[int], None]]
# Pickles run code when they are read. Everything else here is data.
SUFFIXES = (".safetensors", ".json", ".txt")


def model_folder(model: Model, note: Note, position: Position | None = None) -> Path:
    """The folder with the model's files. What is missing or damaged comes anew from its mirrors.

    `note` is called with a line when a mirror fails or takes a while. Raises BadRequest for a file
    that could have code in it, Outside when no mirror gives one of them as it was declared.
    """
    refuse_code(model)
    folder = cache_place("models") / model.digest
    folder.mkdir(parents=True, exist_ok=True)
    hold(folder)
    mirrors = Mirrors(Cache.of_user(), note)
    with mirrors.cache.locked(model.digest):  # workers of one machine come at the same moment
        for source in model.files:
            if not intact(folder / source.path, source):
                mirrors.place(source, folder, position(source) if position else lambda _: None)
    used(folder)
    return folder


def refuse_code(model: Model) -> None:
    """Raises BadRequest for a model with a file that could have code in it."""
    for source in model.files:
        if not source.path.endswith(SUFFIXES):
            raise BadRequest(
                f"the model has the file `{source.path}`, which is none of {', '.join(SUFFIXES)}",
                hint="take its weights as safetensors, and leave out what the others are for",
            )


def intact(path: Path, source: Source) -> bool:
    """Whether the file is there and what was declared."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == source.sha256
    except FileNotFoundError:
        return False
