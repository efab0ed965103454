"""What DVC's own files (layout of DVC 3) say a folder consists of: `dvc.lock`, `*.dvc`, `.dir`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreg.core.json_text import parse_json
from dreg.core.snapshot import MD5
from dreg.errors import Refused


@dataclass(frozen=True)
class Out:
    """A file or folder that DVC tracks: path in the repository, md5 (of a folder with `.dir`)."""

    path: str
    md5: str

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")


def outs(data: Any, where: str) -> Iterator[Out]:
    """The outs in the value of a `dvc.lock` or `*.dvc` at the path `where`.

    Raises Refused when it is not of DVC 3's shape.
    """
    try:
        stages = data["stages"].values() if "stages" in data else [data]
        listed = [item for stage in stages for item in stage.get("outs") or ()]
        for item in listed:
            path, md5 = str(item["path"]), str(item["md5"])
            if item.get("hash") != "md5":
                raise _unreadable(where, f"`{path}` was written by DVC 2")
            if not MD5.fullmatch(md5.removesuffix(".dir")):
                raise _unreadable(where, f"{md5!r} is not an md5")
            yield Out(posixpath.normpath(posixpath.join(posixpath.dirname(where), path)), md5)
    except (AttributeError, KeyError, TypeError) as error:
        raise _unreadable(where, f"{type(error).__name__}: {error}") from error


def children(out: Out, text: bytes) -> Iterator[Out]:
    """The files that a folder's `.dir` object lists. Raises Refused when it is malformed."""
    try:
        for item in parse_json(text):
            path, md5 = item["relpath"], item["md5"]
            if not isinstance(path, str) or not re.fullmatch(MD5, md5):
                raise ValueError(f"{path!r} with md5 {md5!r}")
            yield Out(f"{out.path}/{path}", md5)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(out.path, f"{type(error).__name__}: {error}") from error


def _unreadable(where: str, what: str) -> Refused:
    return Refused(
        f"`{where}` at that tag cannot be read: {what}",
        hint="nothing was written; tell the registry's owner",
    )
