"""Where a release is to lie: a folder that is replaced as a whole, so that nothing else may be in it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from dreg.adapters.lock_file import LOCK
from dreg.adapters.requests_file import FILE
from dreg.errors import BadRequest, Outside, Refused

OWN = (LOCK, FILE, "pyproject.toml", ".git")


def target_of(output: str, folder: Path) -> Path:
    """The folder that `output` names, from `folder`. Raises BadRequest where something else belongs,
    Refused where a file is in the way."""
    target = (folder / Path(output).expanduser()).resolve()
    another = "name a folder for the dataset: -o data/NAME"
    if target == folder or target in folder.parents:
        raise BadRequest(
            f"`{output}` is the folder you are in, and fetch replaces its target as a whole",
            hint=another,
        )
    for name in OWN:
        if folder / name in (target, *target.parents):
            raise BadRequest(f"`{output}` is the place of `{name}`", hint=another)
    if ".git" in target.parts:
        raise BadRequest(f"`{output}` is in a repository's own folder", hint=another)
    if not (above := _nearest(target)).is_dir():
        raise Refused(
            f"`{output}` cannot be a folder: `{above}` is a file",
            hint="choose another folder with -o DIR, or move that file away",
        )
    return target


def refuse_read_only(target: Path, folder: Path, *, locks: bool) -> None:
    """Raises Outside where the target cannot be replaced, or with `locks` dreg.lock in `folder` not be
    written: before anything is downloaded."""
    needed = [
        _nearest(target),
        *([target] if target.is_dir() else []),
        *([folder] if locks else []),
    ]
    for place in needed:
        if not os.access(place, os.W_OK | os.X_OK):
            why = f"`{place}` cannot be written to"
            see = f"ls -ld {shlex.quote(str(place))}; findmnt -T {shlex.quote(str(place))}"
            if place == folder:
                raise Outside(
                    f"{why}, and `{LOCK}` belongs there",
                    hint=f"work in another folder (dreg -C DIR fetch), or see why: {see}",
                )
            raise Outside(why, hint=f"choose another folder with -o DIR, or see why: {see}")


def _nearest(target: Path) -> Path:
    """The lowest of the folders above it that is there."""
    return next(above for above in target.parents if above.exists())
