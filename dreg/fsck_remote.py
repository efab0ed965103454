"""The remote's side of `fsck`: manifests and objects, and copying right bytes from another one."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dreg.adapters.inspection import Wanted, inspect
from dreg.adapters.objects import Missing, Store, many
from dreg.adapters.scratch import scratch_folder
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.release import Release
from dreg.core.soundness import Needed, Problem, needed
from dreg.core.stored import State
from dreg.errors import DregError
from dreg.output import out

LIMIT = 256 * 1024 * 1024
REPAIRS = 16  # at once: each may have one file on this disk


@dataclass(frozen=True)
class Remotely:
    """What the remote has of the releases; `size` in bytes."""

    objects: int
    size: int
    unread: int
    problems: tuple[Problem, ...]


def check_remote(
    store: Store, releases: Sequence[Release], *, deep: bool, source: Store | None
) -> Remotely:
    """Check (and with `source` repair) all that the releases need. Raises Outside when the store
    cannot be asked."""
    read = many([functools.partial(_manifest, store, release, source) for release in releases])
    problems = [problem for _, problem in read if problem]
    objects = needed(
        (release.tag, manifest)
        for release, (manifest, _) in zip(releases, read, strict=True)
        if manifest
    )
    wanted = [Wanted(o.key, o.md5, o.size, o.sha256) for o in objects]
    with out.progress("checking", len(wanted)) as advance:
        states = inspect(store, wanted, deep=deep, done=advance)
    bad = [
        (each, state)
        for each, state in zip(objects, states, strict=True)
        if state not in (State.RIGHT, State.UNREAD)
    ]
    # A folder's object only after the files that it names, as everywhere.
    bad.sort(key=lambda pair: pair[0].path.endswith("/"))
    problems += _objects(store, bad, source)
    return Remotely(
        objects=len(objects) + len(releases),
        size=sum(each.size or 0 for each in objects),
        unread=states.count(State.UNREAD),
        problems=tuple(problems),
    )


def _manifest(
    store: Store, release: Release, source: Store | None
) -> tuple[Manifest | None, Problem | None]:
    """The manifest, if it is there or was brought back, and what is or was wrong with it."""
    assert release.manifest is not None
    key = manifest_key(release.manifest)
    try:
        return _parsed(store.get_bytes(key, LIMIT), release), None
    except Missing:
        problem = Problem("manifest-missing", (release.tag,), "its manifest is not there", key)
    except DregError as error:
        if not _answered(store, key):
            raise
        problem = Problem("manifest-wrong", (release.tag,), error.fact, key)
    if source is None:
        return None, problem
    try:
        text = source.get_bytes(key, LIMIT)
        manifest = _parsed(text, release)
    except DregError as error:
        return None, replace(problem, text=f"{problem.text}; not repaired: {error.fact}")
    store.put_bytes(key, text)
    return manifest, replace(problem, repaired=True)


def _parsed(text: bytes, release: Release) -> Manifest:
    manifest = Manifest.parse(text, release.manifest or "")
    if (manifest.dataset, manifest.version) != (release.dataset, release.version):
        raise DregError(
            f"the manifest is that of {manifest.dataset} {manifest.version}", hint="dreg fsck"
        )
    return manifest


def _answered(store: Store, key: str) -> bool:
    """Whether the store works, and so the object is at fault. Raises Outside if it doesn't."""
    return store.stat(key) is not None


def _objects(
    store: Store, bad: Sequence[tuple[Needed, State]], source: Store | None
) -> list[Problem]:
    problems = [
        Problem(
            state.value,
            each.releases,
            f"`{each.path}` is not there"
            if state is State.MISSING
            else f"`{each.path}` has {state.words}",
            each.key,
        )
        for each, state in bad
    ]
    if source is None:
        return problems
    with scratch_folder() as folder:
        jobs = [
            functools.partial(_repair, store, source, each, folder, problem)
            for (each, _), problem in zip(bad, problems, strict=True)
        ]
        files = sum(not each.path.endswith("/") for each, _ in bad)
        done = many(jobs[:files], REPAIRS) if files else []
        return done + (many(jobs[files:], REPAIRS) if jobs[files:] else [])


def _repair(store: Store, source: Store, each: Needed, folder: Path, problem: Problem) -> Problem:
    """Write the bytes that the source has, if they are right, and read back that they arrived."""
    copy = folder / hashlib.sha256(each.key.encode()).hexdigest()
    try:
        there = source.stat(each.key)
        size = there.size if there and each.size is None else each.size or 0
        source.download(
            each.key, copy, size=size, md5=each.md5, sha256=each.sha256, called=each.path
        )
    except DregError as error:
        return replace(problem, text=f"{problem.text}; not repaired: {error.fact}")
    try:
        store.put_file(each.key, copy)
    finally:
        copy.unlink()
    (state,) = inspect(store, [Wanted(each.key, each.md5, each.size, each.sha256)], deep=True)
    if state is not State.RIGHT:
        return replace(problem, text=f"{problem.text}; not repaired: {state.words} once written")
    return replace(problem, repaired=True)
