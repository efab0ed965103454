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
from dreg.manifests import MANIFEST_LIMIT
from dreg.output import out
from dreg.push.pushing import write_manifest

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
    objects = needed(
        (release.tag, each.manifest)
        for release, each in zip(releases, read, strict=True)
        if each.manifest
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
    of_objects = _objects(store, bad, source)
    unsound = {tag for each in of_objects if not each.repaired for tag in each.releases}
    of_manifests = [
        _bring_back(store, each, each.problem, unsound) for each in read if each.problem is not None
    ]
    return Remotely(
        objects=len(objects) + len(releases),
        size=sum(each.size or 0 for each in objects),
        unread=states.count(State.UNREAD),
        problems=(*of_manifests, *of_objects),
    )


@dataclass(frozen=True)
class _Read:
    """A manifest, and what is wrong with it on the remote; then the `text` may be from elsewhere."""

    manifest: Manifest | None
    problem: Problem | None = None
    text: bytes = b""


def _manifest(store: Store, release: Release, source: Store | None) -> _Read:
    """The manifest, if it is there or the `source` has it, and what is wrong with it there."""
    assert release.manifest is not None
    key = manifest_key(release.manifest)
    try:
        return _Read(_parsed(store.get_bytes(key, MANIFEST_LIMIT), release))
    except Missing:
        problem = Problem("manifest-missing", (release.tag,), "its manifest is not there", key)
    except DregError as error:
        if not _answered(store, key):
            raise
        problem = Problem("manifest-wrong", (release.tag,), error.fact, key)
    if source is None:
        return _Read(None, problem)
    try:
        text = source.get_bytes(key, MANIFEST_LIMIT)
        return _Read(_parsed(text, release), problem, text)
    except DregError as error:
        return _Read(None, replace(problem, text=f"{problem.text}; not repaired: {error.fact}"))


def _bring_back(store: Store, read: _Read, problem: Problem, unsound: set[str]) -> Problem:
    """Write a manifest that was not there: last, as its presence says that all it names is there."""
    if not read.text:
        return problem
    if unsound & set(problem.releases):
        return replace(problem, text=f"{problem.text}; not repaired: objects that it names are not")
    write_manifest(store, read.text)
    return replace(problem, repaired=True)


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
