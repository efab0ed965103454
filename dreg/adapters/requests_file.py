"""The requests of a training repository on disk: `dreg.toml`, else `pyproject.toml`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dreg.core.remotes import URL
from dreg.core.requests import Requests
from dreg.errors import BadRequest

FILE = "dreg.toml"


def read_requests(folder: Path) -> Requests:
    """What is asked for in `folder`; nothing where there is no such file.

    Paths of remotes are made absolute. Raises BadRequest when malformed.
    """
    for name, table in ((FILE, ()), ("pyproject.toml", ("tool", "dreg"))):
        text = _text(folder / name)
        found = Requests.parse(text, name, *table) if text is not None else None
        if found is not None:
            remotes = {n: _absolute(different, folder) for n, different in found.remotes.items()}
            order = tuple(_path(one, folder) if "/" in one else one for one in found.remote)
            return replace(found, remotes=remotes, remote=order)
    return Requests()


def _absolute(different: Any, folder: Path) -> Any:
    return (
        {**different, "url": _path(different["url"], folder)} if "url" in different else different
    )


def _path(url: str, folder: Path) -> str:
    return url if URL.fullmatch(url) else str((folder / Path(url).expanduser()).absolute())


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except IsADirectoryError as error:
        raise BadRequest(
            f"`{path.name}` is a folder", hint="move it away: it is the file of what is asked for"
        ) from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"`{path.name}` is not UTF-8 text", hint="save it as UTF-8") from error
