"""A repository that was cloned says where its data is to lie; outside of itself only its user may."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from dreg.adapters import git
from dreg.adapters.place_memory import allow, is_allowed
from dreg.errors import DregError, Refused
from dreg.fetch.pin import Request

LINK = "120000"  # how git calls the mode of a symbolic link


def refuse_outside(request: Request, target: Path, folder: Path) -> None:
    """Raises Refused for a target outside of the repository around `folder` that dreg.toml or dreg.lock
    names, or a link that was committed, unless a person named it here, now or before."""
    root = _root(folder)
    place = Path(os.path.normpath(folder / Path(request.output).expanduser()))
    links = () if target.is_relative_to(root.resolve()) else _committed_links(root, place)
    if place.is_relative_to(root) and not links:
        return
    if request.output_said:
        allow(root, target)
    elif not is_allowed(root, target):
        leads = f"`{request.output}`, where dreg.toml or dreg.lock has `{request.dataset}`, "
        leads += f"is a committed link that leads to {target}" if links else f"is {target}"
        said = f"{request.dataset}@{request.revision or request.wanted.text}"
        raise Refused(
            f"{leads}, outside of this repository",
            hint="data goes there only if you say so yourself: "
            f"dreg fetch {shlex.quote(said)} -o {shlex.quote(request.output)}",
        )


def _root(folder: Path) -> Path:
    """The repository around the folder; itself, if there is none."""
    return next((f for f in (folder, *folder.parents) if (f / ".git").exists()), folder)


def _committed_links(root: Path, place: Path) -> list[str]:
    """The links on the way to a place in the repository that git tracks: who cloned it did not make them."""
    if not place.is_relative_to(root):
        return []
    way = [path for path in (place, *place.parents) if path.is_relative_to(root)]
    links = [str(path) for path in way if path != root and path.is_symlink()]
    if not links or not (root / ".git").exists():
        return []
    try:
        told = git.git("ls-files", "-s", "-z", "--", *links, cwd=root).decode(errors="replace")
    except DregError:
        return links
    return [line for line in told.split("\0") if line.startswith(LINK)]
