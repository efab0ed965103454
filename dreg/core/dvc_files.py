"""What DVC's own files say a folder consists of: `dvc.lock`, `*.dvc`, `.dir`; of DVC 3 and DVC 2."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreg.core.json_text import parse_json
from dreg.core.snapshot import MD5
from dreg.errors import Refused


@dataclass(frozen=True)
class Out:
    """A file or folder that DVC tracks: path in the repository, md5 (of a folder with `.dir`).

    `legacy`: DVC 2 wrote it, so it lies elsewhere on the remote, and a text's md5 is that of it with
    Unix line ends. `size` is in bytes, None where it was not recorded or is a folder's; `remote` the
    name of its own remote, if it has one.
    """

    path: str
    md5: str
    legacy: bool = False
    size: int | None = None
    remote: str | None = None

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")


def outs(data: Any, where: str) -> Iterator[Out]:
    """The outs in the value of a `dvc.lock` or `*.dvc` at the path `where`.

    Raises Refused when it is not of DVC's shape.
    """
    try:
        if "stages" in data:
            listed = [item for s in data["stages"].values() for item in s.get("outs") or ()]
        elif "outs" in data:
            listed = list(data["outs"] or ())
        else:  # a dvc.lock of DVC 1: its stages are the keys
            listed = [i for s in data.values() if isinstance(s, dict) for i in s.get("outs") or ()]
        folder = posixpath.dirname(where)
        below = posixpath.join(folder, str(data.get("wdir") or "."))
        for item in listed:
            if item.get("hash") not in (None, "md5") or "md5" not in item:
                raise _unreadable(where, f"`{item['path']}` is kept by something else than md5")
            path, md5 = str(item["path"]), str(item["md5"])
            if not MD5.fullmatch(md5.removesuffix(".dir")):
                raise _unreadable(where, f"{md5!r} is not an md5")
            size = item.get("size")
            yield Out(
                path=posixpath.normpath(posixpath.join(below, path)),
                md5=md5,
                legacy="hash" not in item,
                size=size if isinstance(size, int) and not md5.endswith(".dir") else None,
                remote=str(item["remote"]) if item.get("remote") else None,
            )
    except (AttributeError, KeyError, TypeError) as error:
        raise _unreadable(where, f"{type(error).__name__}: {error}") from error


def children(out: Out, text: bytes) -> Iterator[Out]:
    """The files that a folder's `.dir` object lists. Raises Refused when it is malformed."""
    try:
        items = parse_json(text)
    except ValueError as error:
        raise _unreadable(out.path, f"its list of files is no JSON ({error})") from error
    for item in items if isinstance(items, list) else [items]:
        path, md5 = (
            (item.get(key) for key in ("relpath", "md5")) if isinstance(item, dict) else "??"
        )
        if not isinstance(path, str) or not isinstance(md5, str) or not MD5.fullmatch(md5):
            raise _unreadable(out.path, "its list of files has something else than paths and md5s")
        yield Out(f"{out.path}/{path}", md5, out.legacy)


def _unreadable(where: str, what: str) -> Refused:
    return Refused(
        f"`{where}` at that tag cannot be read: {what}",
        hint="nothing was written; tell the registry's owner",
    )
