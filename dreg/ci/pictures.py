"""Thumbnails of a reviewed dataset, as last released and now: one small object each, and nothing else of the data.

Those that git has, GitHub shows. Those that DVC keeps are fetched, in a job without keys from where none are needed, and
are files beside the review: a comment shows no file that is not at an address for everybody who may read it.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.git import Repository
from dreg.adapters.through_dvc import open_own
from dreg.adapters.written import written
from dreg.core.ci.reviewed import Picture
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.diff.samples import recorded
from dreg.errors import DregError, Refused
from dreg.output import size
from dreg.registry import Dataset

FILE = "thumbnails.png"
FOLDER = "pictures"
LARGEST = 4 * 1024 * 1024  # bytes of a picture that a review brings along


@dataclass(frozen=True)
class Pictures:
    """Those `shown` from the repository, files `beside` the review, and what there is to say of `unseen` ones."""

    shown: tuple[Picture, ...] = ()
    beside: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Side:
    """The picture of a release or, without, of the tree: in git at `commit`, or `bytes` long and kept by DVC."""

    called: str
    md5: str
    bytes: int
    commit: str | None


def pictures(dataset: Dataset, last: Release | None, head: str, results: Path | None) -> Pictures:
    """The last release's and the reviewed one's, if they are not the same; files go below `results`, if there is one."""
    sides = [_side(dataset, last, last.commit) if last else None, _side(dataset, None, head)]
    if sides[0] and sides[1] and sides[0].md5 == sides[1].md5:
        del sides[0]
    there = [side for side in sides if side]
    shown = tuple(Picture(_path(dataset), side.commit) for side in there if side.commit)
    beside, unseen = [], []
    for side in there:
        if side.commit or results is None:
            continue
        name = f"{FOLDER}/{dataset.name}-{side.called}.png"
        try:
            _bring(dataset, side, results.expanduser().absolute() / name)
            beside.append(name)
        except DregError as error:
            unseen.append(f"thumbnails ({side.called}) could not be had: {error.fact}")
    return Pictures(shown, tuple(beside), tuple(unseen))


def _path(dataset: Dataset) -> str:
    return f"{dataset.folders[1]}/{FILE}"


def _side(dataset: Dataset, release: Release | None, commit: str) -> _Side | None:
    called = str(release.version) if release else "now"
    data = Repository(dataset.root).read(release.commit if release else "HEAD", _path(dataset))
    if data is not None:
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return _Side(called, md5, len(data), commit)
    record = recorded(dataset, release).get(_path(dataset))
    return _Side(called, record.md5, record.size or 0, None) if record else None


def _bring(dataset: Dataset, side: _Side, place: Path) -> None:
    """Raises Refused for one that is too large, Outside where it cannot be had."""
    if side.bytes > LARGEST:
        raise Refused(
            f"`{FILE}` has {size(side.bytes)}", hint="draw fewer: thumbnails.write(per_class=5)"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    cached = dvc.cache_path(dataset.root, side.md5)
    if dvc.cached(dataset.root, side.md5):
        with written(place) as file, cached.open("rb") as there:
            shutil.copyfileobj(there, file)
        return
    store = open_own(remote_of(dataset.root))
    store.download(
        object_key(side.md5), place, size=side.bytes, md5=side.md5, sha256=None,
        advance=_silent, called=FILE,
    )  # fmt: skip


def _silent(n: int, more: int = 0, /) -> None:
    """Of what is small nobody watches how it comes."""
