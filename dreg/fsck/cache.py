"""The local side of `fsck`: what git says releases consist of, held against DVC's cache."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters import dvc
from dreg.adapters.git import Repository
from dreg.adapters.objects import Checksums, many
from dreg.adapters.yaml_files import parse_yaml
from dreg.core.dvc_files import Out, children, outs
from dreg.core.release import Release
from dreg.core.soundness import Problem
from dreg.errors import DregError

CHUNK = 4 * 1024 * 1024
READERS = 4


@dataclass(frozen=True)
class Locally:
    """What the local cache has of the releases; `size` in bytes of what was read."""

    objects: int
    size: int
    not_here: int
    problems: tuple[Problem, ...]


def check_cache(root: Path, releases: Sequence[Release]) -> Locally:
    """Read every object of the releases that is in the cache."""
    repository = Repository(root)
    users: dict[Out, list[str]] = {}
    problems: list[Problem] = []
    for release in releases:
        try:
            for out in _outs(repository, release):
                users.setdefault(out, []).append(release.tag)
        except DregError as error:
            problems.append(Problem("lock-unreadable", (release.tag,), error.fact))
    by_md5: dict[str, tuple[str, list[str]]] = {}
    for out, tags in users.items():
        by_md5.setdefault(out.md5, (out.path, []))[1].extend(tags)
        if out.is_folder:
            listing = dvc.cache_path(root, out.md5)
            try:
                for child in children(out, listing.read_bytes()) if listing.is_file() else ():
                    by_md5.setdefault(child.md5, (child.path, []))[1].extend(tags)
            except DregError:
                pass  # its md5 is wrong too, which is told below
    found = many(
        [functools.partial(_read, dvc.cache_path(root, md5), md5) for md5 in by_md5], READERS
    ) if by_md5 else []  # fmt: skip
    for (md5, (path, tags)), (_, right) in zip(by_md5.items(), found, strict=True):
        if not right:
            where = dvc.cache_path(root, md5)
            text = f"`{path}` is damaged in the local cache: {where}"
            problems.append(Problem("damaged-cache", tuple(dict.fromkeys(tags)), text))
    return Locally(
        objects=sum(size is not None for size, _ in found),
        size=sum(size or 0 for size, _ in found),
        not_here=sum(size is None for size, _ in found),
        problems=tuple(problems),
    )


def _outs(repository: Repository, release: Release) -> list[Out]:
    """What dvc.lock at the release names, without what is in git itself."""
    where = f"pipelines/{release.dataset}/dvc.lock"
    text = repository.read(release.commit, where)
    if text is None:
        return []
    found = []
    for out in outs(parse_yaml(text.decode(errors="replace"), where), f"{release.tag}:{where}"):
        in_git = repository.read(release.commit, out.path) if not out.is_folder else None
        if in_git is None or hashlib.md5(in_git, usedforsecurity=False).hexdigest() != out.md5:
            found.append(out)
    return found


def _read(path: Path, md5: str) -> tuple[int | None, bool]:
    """Size and whether the md5 is right; no size if the object is not here."""
    sums = Checksums()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                sums.update(chunk)
    except FileNotFoundError:
        return None, True
    return sums.size, sums.md5 == md5[:32]
