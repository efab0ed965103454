"""DVC's configuration files in a registry's work tree: `.dvc/config` and `.dvc/config.local`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dreg.adapters.written import written
from dreg.core.remotes import URL, Remote, Remotes, with_default
from dreg.errors import BadRequest

Remotely = str | Sequence[str] | None


def read_remotes(root: Path, committed: str | None = None) -> Remotes:
    """The remotes of the registry at `root`; `committed` is the text of its config at a commit.

    Raises BadRequest if malformed.
    """
    folder = root / ".dvc"
    text = _text(folder / "config") if committed is None else committed
    return Remotes.parse(text, _text(folder / "config.local"), folder=str(folder))


def committed_remotes(root: Path) -> Remotes:
    """The remotes as everybody sees them: without config.local. Raises BadRequest if malformed."""
    folder = root / ".dvc"
    return Remotes.parse(_text(folder / "config"), "", folder=str(folder))


def remote_of(root: Path, given: str | None = None) -> Remote:
    """The remote asked for: `given`, else by environment, else the registry's default."""
    return read_remotes(root).choose(wanted_remote(given))


def wanted_remote(given: str | None) -> str | None:
    """`given` on the command line, else DREG_REMOTE, else DVC_REMOTE: a name, URL or path."""
    return next(iter(wanted_remotes(given)), None)


def wanted_remotes(given: Remotely) -> tuple[str, ...]:
    """As `wanted_remote`, of several to be tried in order; DREG_REMOTE has them between commas."""
    if given is None or isinstance(given, str):
        said = given or os.environ.get("DREG_REMOTE") or os.environ.get("DVC_REMOTE") or ""
        given = [said] if given else said.split(",")
    return tuple(_from_here(one.strip()) for one in given if one.strip())


def _from_here(wanted: str) -> str:
    if "/" in wanted and not URL.fullmatch(wanted):
        return str(Path(wanted).expanduser().absolute())  # from where the user is
    return wanted


def write_default(root: Path, name: str, *, local: bool) -> Path:
    """Make `name` the default, in config.local if `local`; all other lines stay as they are."""
    path = root / ".dvc" / ("config.local" if local else "config")
    text = with_default(_text(path), name)
    with written(path) as file:
        file.write(text.encode())
    return path


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"`.dvc/{path.name}` is not UTF-8 text",
            hint=f"restore it from git, or save {path} as UTF-8",
        ) from error
