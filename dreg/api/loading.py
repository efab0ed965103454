"""`dreg.load("wine-quality@^1.0")`: which release is meant. What dreg.lock pins is what it gives."""

from __future__ import annotations

import os
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path

from dreg.adapters.lock_file import LOCK, read_lock
from dreg.api.dataset import Dataset
from dreg.api.files import ReleaseFiles
from dreg.api.listeners import on_load
from dreg.core.lock import Pin
from dreg.core.release import Release
from dreg.core.subset import Subset
from dreg.errors import BadRequest
from dreg.fetch.pin import Request, resolve
from dreg.fetch.requested import requests
from dreg.fetch.spare import VARIABLES, of_environment
from dreg.yank.known import warn, warn_as_known


def load(
    request: str,
    *,
    repo: str | PathLike[str] | None = None,
    remote: str | PathLike[str] | None = None,
) -> Dataset:
    """The newest release in the request's range; the locked one, if dreg.lock pins one that fits.

    `request` is `name`, `name@^1.0`, `name@1.2.0` or a tag; `repo` the registry's URL or path (default:
    DREG_REPO, DVC_REPO, dreg.lock); `remote` where the bytes are, if not where the registry says.

    Raises BadRequest for an unknown dataset or a range that no release satisfies, Refused for a tag
    that moved, Outside when the registry can't be reached.
    """
    if not isinstance(request, str):
        raise BadRequest(
            f"{request!r} names no dataset", hint='as in dreg.load("wine-quality@^1.0")'
        )
    home, place = _lock_folder(), None if repo is None else fspath(repo)
    (wanted,) = requests(read_lock(home), request, repo=place, output=None, raw=False, folder=home)
    # What a fetch was limited to is no limit here.
    wanted = replace(_seen_from_anywhere(wanted, place, home), subset=Subset())
    if place is None:
        wanted = _of_its_own_registry(wanted)
    pin = wanted.pin
    if pin is not None and wanted.same_registry and _is_meant(pin, wanted):
        release = Release(pin.dataset, pin.version, pin.tag, pin.commit, manifest=pin.manifest)
        warn_as_known(pin.repo, release)
    else:
        release = resolve(wanted)
        warn(wanted.repo, release)
    dataset = Dataset(
        ReleaseFiles(wanted, release, home, None if remote is None else fspath(remote))
    )
    for tell in on_load:
        tell(dataset)
    return dataset


def _seen_from_anywhere(wanted: Request, given: str | None, home: Path) -> Request:
    """The request with paths of registries that hold in any folder: those in files are from `home`."""
    said_here = given is not None or wanted.repo in (os.environ.get(name) for name in VARIABLES)
    place = _from(Path.cwd() if said_here else home, wanted.repo)
    pin = wanted.pin
    return replace(wanted, repo=place, pin=pin and replace(pin, repo=_from(home, pin.repo)))


def _of_its_own_registry(wanted: Request) -> Request:
    """The request for what is locked, of the registry that it is locked from: another that the environment names is asked
    only if that one does not answer. What dreg.toml says comes before the lock."""
    pin, asked = wanted.pin, wanted.asked
    entry = asked.datasets.get(wanted.dataset)
    named = asked.repo or (entry.repo if entry else None)
    if pin is None or named or of_environment() is None or not _is_meant(pin, wanted):
        return wanted
    return replace(wanted, repo=pin.repo, exact=True, as_locked=True)


def _from(folder: Path, repo: str) -> str:
    path = folder / Path(repo).expanduser()
    return os.path.normpath(path) if "://" not in repo and path.exists() else repo


def _is_meant(pin: Pin, wanted: Request) -> bool:
    """Whether the locked version is one that was asked for; `latest`, in words, asks anew."""
    return wanted.wanted.text == pin.request or (
        wanted.wanted.text != "latest" and pin.version in wanted.wanted
    )


def _lock_folder() -> Path:
    """The nearest folder upwards that has a dreg.lock: a notebook is often started below it."""
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if (f / LOCK).is_file()), here)
