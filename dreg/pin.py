"""From a request to exact bytes: which release is meant, which registry has it, what it lists."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from dreg.adapters import git
from dreg.adapters.objects import Store
from dreg.catalog import choose
from dreg.core.lock import Lock, Pin
from dreg.core.manifest import manifest_digest
from dreg.core.release import Release, marked
from dreg.core.snapshot import Snapshot
from dreg.core.version import Range, parse_request, parse_tag
from dreg.errors import BadRequest, DregError, Refused
from dreg.manifests import read_manifest, store_of
from dreg.output import out
from dreg.registry import Registry, unknown_dataset
from dreg.yanks import warn_of_leaving


@dataclass(frozen=True)
class Request:
    """What is wanted. `pin` is what the lock has for the dataset, `exact` that it must be that;
    `signers` whose signature there has to be.

    `repo` is as git gets it; there may be a token in it, so only `public_repo` is shown or written.
    """

    dataset: str
    wanted: Range
    repo: str = field(repr=False)
    output: str
    raw: bool
    pin: Pin | None
    exact: bool = False
    signers: git.Signers | None = None

    @property
    def public_repo(self) -> str:
        return git.public_url(self.repo)

    @property
    def same_registry(self) -> bool:
        return self.pin is not None and self.pin.repo == self.public_repo

    @property
    def settled(self) -> Pin | None:
        """The pin, when it answers the request for good: no newer release could."""
        pin = self.pin
        if pin is None or not self.same_registry:
            return None
        only = self.wanted.bounds == (("=", pin.version),)
        return pin if self.exact or only else None


@dataclass(frozen=True)
class Found:
    """A release to be placed, where its bytes are, and where what is in git is read."""

    release: Release
    snapshot: Snapshot
    store: Store
    revision: git.Revision


def requests(
    lock: Lock, text: str | None, *, repo: str | None, output: str | None, raw: bool
) -> list[Request]:
    """What `dreg fetch` is to bring: `text`, or all that is locked.

    Raises BadRequest when that is nothing, or no registry is known.
    """
    environment = os.environ.get("DVC_DATA_VERSION", "")
    if text is None and not lock.pins:
        text = environment or None
    if text is None:
        if not lock.pins:
            raise BadRequest(
                "there is no dreg.lock here that says what to fetch",
                hint="name a dataset: dreg fetch NAME@^1.0 --repo URL",
            )
        if output is not None:
            raise BadRequest(
                "-o is the folder of one dataset", hint="name it: dreg fetch NAME -o DIR"
            )
        return [_locked(pin, repo, raw) for _, pin in sorted(lock.pins.items())]
    name, wanted = _parsed(text, environment, lock)
    pin = lock.pins.get(name)
    found = repo or default_repo(pin)
    place = output or (pin.output if pin else f"data/{name}")
    _refuse_shared(name, place, lock)
    return [Request(name, wanted, found, place, raw, pin)]


def _refuse_shared(name: str, place: str, lock: Lock) -> None:
    """Raises BadRequest for a folder that holds, or lies in, the one of another locked dataset."""
    folder = Path(place).expanduser().resolve()
    for other, pin in lock.pins.items():
        taken = Path(pin.output).expanduser().resolve()
        if other != name and (folder in (taken, *taken.parents) or taken in folder.parents):
            raise BadRequest(
                f"`{place}` and `{pin.output}`, where `{other}` is, would replace each other",
                hint=f"give each dataset a folder of its own: -o data/{name}",
            )


def _locked(pin: Pin, repo: str | None, raw: bool) -> Request:
    if repo is not None:  # a mirror of the registry: the commit and manifest must be the same
        pin = replace(pin, repo=git.public_url(repo))
    exactly = Range.parse(str(pin.version))
    return Request(
        pin.dataset, exactly, repo or pin.repo, pin.output, raw or pin.raw, pin, exact=True
    )


def _parsed(text: str, environment: str, lock: Lock) -> tuple[str, Range]:
    """Dataset and range of `name@range` or of a tag; a bare name asks the environment, then the lock."""
    tag = parse_tag(text)
    if tag is not None:
        return tag[0], Range.parse(str(tag[1]))
    name, wanted = parse_request(text)
    if "@" in text:
        return name, wanted
    set_by_environment = parse_tag(environment)
    if set_by_environment is not None and set_by_environment[0] == name:
        return name, Range.parse(str(set_by_environment[1]))
    pin = lock.pins.get(name)
    return name, Range.parse(pin.request) if pin else wanted


def default_repo(pin: Pin | None) -> str:
    given = os.environ.get("DREG_REPO") or os.environ.get("DVC_REPO")
    if given:
        return given
    if pin is not None:
        return pin.repo
    try:
        return str(Registry.here().root)
    except DregError as error:
        raise BadRequest(
            "no registry to fetch from", hint="name it with --repo URL, or set DREG_REPO"
        ) from error


def resolve(request: Request) -> Release:
    """The release meant, by the registry's tags only (`ls-remote`).

    Raises BadRequest for an unknown dataset or a range that no release satisfies, Refused when
    the tag moved away from the locked commit.
    """
    tags = git.remote_tags(request.repo, "*-v*").values()  # what yanks a release matches too
    releases = [r for tag in tags if (r := Release.of(tag.name, tag.commit)) is not None]
    names = tuple(sorted({release.dataset for release in releases}))
    if not names:
        raise BadRequest(
            f"`{request.public_repo}` has no releases",
            hint="check the URL: releases are tags NAME-v1.0.0",
        )
    if request.dataset not in names:
        raise unknown_dataset(request.dataset, names)
    own = [release for release in releases if release.dataset == request.dataset]
    own = marked(own, [tag.name for tag in tags])
    release = choose(request.dataset, request.wanted, own)
    pin = request.pin
    if pin is not None and request.same_registry and pin.version != release.version:
        warn_of_leaving(request.repo, pin, own)
    if pin is not None and request.same_registry and pin.version == release.version:
        pin.check_not_moved(release.commit, pin.manifest)
    return release


def signers_of(*, required: bool, allowed: str | None) -> git.Signers | None:
    """Whose signature a release needs; None if it needs none. Raises BadRequest."""
    return git.Signers.of(allowed) if required or allowed is not None else None


def check_signed(request: Request, release: Release) -> None:
    """Raises Refused unless the release is signed as the request wants it; asks only if it does."""
    if request.signers is not None:
        _revision(request, release)


def _revision(request: Request, release: Release) -> git.Revision:
    revision = git.revision(request.repo, release.tag)
    if request.signers is not None:
        out.note(f"{release.tag}: {git.refuse_unsigned(revision, release.tag, request.signers)}")
        if revision.commit != release.commit:
            raise Refused(f"`{release.tag}` moved meanwhile", hint="fetch again")
    return revision


def find(request: Request, release: Release, remote: str | None) -> Found:
    """The release's files, by its manifest or by DVC's own files.

    Raises Refused when the tag moved or lists what cannot be trusted, Outside when a neighbour
    fails.
    """
    revision = _revision(request, release)
    digest = manifest_digest(revision.message)
    pin = request.pin
    if pin is not None and request.same_registry and pin.version == release.version:
        pin.check_not_moved(revision.commit, digest)
    release = Release(
        release.dataset, release.version, release.tag, revision.commit, manifest=digest
    )
    store = store_of(request.repo, revision, remote)
    manifest = read_manifest(store, release)
    if manifest is None:
        from dreg.plain import plain_snapshot

        snapshot = plain_snapshot(revision, store, release.dataset)
    else:
        snapshot = manifest.snapshot
    return Found(release, snapshot if request.raw else snapshot.published, store, revision)
