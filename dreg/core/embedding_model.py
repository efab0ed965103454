"""An embedding model: which one, as a contract names it, and the files that it consists of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dreg.core.sources import Source, parse_sources
from dreg.errors import BadRequest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PARTS = ("name", "revision", "dimension", "files")
WRITE = "write it as `model: {name: OWNER/MODEL, revision: COMMIT, dimension: 384, files: {...}}`"


@dataclass(frozen=True)
class Model:
    """`name` and `revision` as on its hub, numbers in a vector, and its files with their mirrors."""

    name: str
    revision: str
    dimension: int
    files: tuple[Source, ...]

    def __str__(self) -> str:
        """As `model` of a column has it."""
        return f"{self.name}@{self.revision}"

    @property
    def digest(self) -> str:
        """Of its files' names and bytes, wherever they come from: 64 hex digits."""
        listed = "".join(f"{file.sha256}  {file.path}\n" for file in self.files)
        return hashlib.sha256(listed.encode()).hexdigest()


def parse_model(data: Any, where: str) -> Model:
    """The model that `model:` in `where` declares. Raises BadRequest naming what is wrong."""
    if not isinstance(data, Mapping) or set(data) != set(PARTS):
        raise BadRequest(f"`{where}`: `model` is not {', '.join(PARTS)}", hint=WRITE)
    name, revision, dimension = data["name"], data["revision"], data["dimension"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadRequest(f"`{where}`: the model is called `{name}`", hint=WRITE)
    if not isinstance(revision, str) or not REVISION.fullmatch(revision):
        # A branch's name would do, and mean other weights tomorrow; the files' checksums forbid that.
        raise BadRequest(f"`{where}`: the model's revision is `{revision}`", hint=WRITE)
    if not isinstance(dimension, int) or isinstance(dimension, bool) or dimension < 1:
        raise BadRequest(f"`{where}`: the model's dimension is `{dimension}`", hint=WRITE)
    files = sorted(parse_sources(data["files"], where), key=lambda file: file.path)
    return Model(name, revision, dimension, tuple(files))
