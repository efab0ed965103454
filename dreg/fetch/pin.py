"""From a request to exact bytes: which release is meant, which registry has it, what it lists."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from semver import Version

from dreg.adapters import git
from dreg.adapters.dvc_config import Remotely
from dreg.adapters.object_cache import ObjectCache
from dreg.adapters.objects import Stores
from dreg.catalog import choose
from dreg.core.json_text import parse_json
from dreg.core.lock import Pin
from dreg.core.manifest import Manifest, manifest_digest
from dreg.core.release import Release
from dreg.core.requests import Requests
from dreg.core.snapshot import File, Snapshot
from dreg.core.split_paths import METADATA
from dreg.core.subset import Subset, splits_of, with_named
from dreg.core.version import Range, parse_tag
from dreg.core.yank import tags_about
from dreg.errors import BadRequest, Outside, Refused
from dreg.fetch.moved import refuse_moved
from dreg.fetch.offline import as_known
from dreg.fetch.tagged import tagged
from dreg.manifests import manifest_of, store_of
from dreg.output import out
from dreg.registry import unknown_dataset
from dreg.yank.known import warn_of_leaving


@dataclass(frozen=True)
class Request:
    """What is wanted. `pin` is what the lock has for the dataset, `exact` that it must be that;
    `only_locked` that the lock stays as it is; `signers` whose signature there has to be; `asked` is
    what the training repository asks for. `output_said`: a person named `output`, no committed file;
    `as_locked`: nobody named the registry, dreg.lock has it.

    `repo` is as git gets it; there may be a token in it, so only `public_repo` is shown or written.
    """

    dataset: str
    wanted: Range
    repo: str = field(repr=False)
    output: str
    raw: bool
    pin: Pin | None
    exact: bool = False
    only_locked: bool = False
    signers: git.Signers | None = None
    subset: Subset = field(default_factory=Subset)
    asked: Requests = field(default_factory=Requests)
    revision: str | None = None
    output_said: bool = False
    as_locked: bool = False

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
        if self.revision is not None:
            return pin if self.revision == pin.commit else None
        only = self.wanted.bounds == (("=", pin.version),)
        return pin if self.exact or only else None


class NoSuchRevision(BadRequest):
    """The registry has no tag, branch or commit of that name; its cause says so, and nothing of ranges."""


class Found:
    """A release to be placed: `files` are those that are wanted, `snapshot` all that it publishes.

    Where its bytes are (`store`), and where what is in git is read (`revision`), is looked up when
    it is needed: with everything in dreg's cache nobody is asked.
    """

    def __init__(self, request: Request, release: Release, remote: Remotely = None) -> None:
        self.request = request
        self.release = release
        self._remote = remote

    @property
    def columns(self) -> Sequence[str]:
        """The columns of Parquet files that are wanted; none means all of them."""
        return self.request.subset.columns

    @property
    def called(self) -> str:
        """Dataset and version, for messages."""
        return f"{self.release.dataset} {self.release.version}"

    @property
    def manifest(self) -> str | None:
        """The digest of the release's manifest; None in a plain DVC repository."""
        return self.release.manifest

    def from_git(self, file: File) -> bytes:
        """The bytes of a file that is in the release's commit. Raises Outside if it isn't."""
        path = f"data/{self.release.dataset}/{file.path}"
        data = self.revision.read(path)
        if data is None:
            raise Outside(
                f"the commit of `{self.release.tag}` lacks `{path}`, which its manifest lists",
                hint="nothing was written; tell the registry's owner",
            )
        return data

    @functools.cached_property
    def revision(self) -> git.Revision:
        """The release's commit. Raises Refused when the tag moved, or is not signed as it must be."""
        request, release = self.request, self.release
        revision = git.revision(request.repo, release.tag, release.tag_object)
        if request.signers is not None:
            out.note(
                f"{release.tag}: {git.refuse_unsigned(revision, release.tag, request.signers)}"
            )
            if revision.commit != release.commit:
                raise Refused(f"`{release.tag}` moved meanwhile", hint="fetch again")
        pin = request.pin
        accepted = request.revision == revision.commit
        if pin and request.same_registry and pin.tag == release.tag and not accepted:
            pin.check_not_moved(revision.commit, manifest_digest(revision.message))
        return revision

    @functools.cached_property
    def store(self) -> Stores:
        """The remotes that have the bytes, as they are reached from here, in order."""
        return store_of(self.request.repo, self.revision, self._remote, self.request.asked)

    @functools.cached_property
    def snapshot(self) -> Snapshot:
        """What the release publishes, with its raw files if they are wanted.

        Raises Refused when it is not what was locked.
        """
        whole = self._manifest.snapshot if self._manifest else self._plain()
        pin = self.request.pin
        if pin is not None and self.request.same_registry and pin.commit == self.release.commit:
            pin.check_digest(whole.published.digest())
        return whole if self.request.raw else whole.published

    @functools.cached_property
    def _manifest(self) -> Manifest | None:
        def get(key: str, limit: int) -> bytes:  # only now is the store needed
            return self.store.get_bytes(key, limit)

        return manifest_of(self.release, get)

    def _plain(self) -> Snapshot:
        from dreg.fetch.plain import plain_snapshot

        return plain_snapshot(self.revision, self.store, self.release.dataset)

    @functools.cached_property
    def files(self) -> list[File]:
        """The files that are wanted. Raises BadRequest when there are none such."""
        return self.request.subset.choose(self.snapshot.files, self._splits)

    def rows(self, file: File) -> int | None:
        """How many rows the table has by the metadata; None where that does not say it."""
        paths = [file.path for file in self.snapshot.files]
        told = self._metadata.get("splits") if isinstance(self._metadata, dict) else None
        for name, files in splits_of(self._metadata, paths).items():
            if tuple(files) == (file.path,) and isinstance(told, dict):
                rows = told[name].get("num_samples") if isinstance(told[name], dict) else None
                return rows if isinstance(rows, int) else None
        return None

    def _splits(self) -> Mapping[str, Sequence[str]]:
        paths = [file.path for file in self.snapshot.files]
        return with_named(self._metadata, splits_of(self._metadata, paths), paths)

    @functools.cached_property
    def _metadata(self) -> Any:
        file = next((file for file in self.snapshot.files if file.path == METADATA), None)
        text = ObjectCache().read(file) if file else None
        if text is None and file is not None and file.in_git:
            text = self.revision.read(f"data/{self.release.dataset}/{METADATA}")
        try:
            return parse_json(text or b"{}")
        except ValueError:
            return {}


def find(request: Request, release: Release, remote: Remotely = None) -> Found:
    """The release's files, by its manifest or by DVC's own files.

    Raises Refused when the tag moved or lists what cannot be trusted, Outside when a neighbour
    fails.
    """
    found = Found(request, release, remote)
    if release.manifest is None or request.signers is not None:
        digest = manifest_digest(found.revision.message)
        found.release = replace(release, commit=found.revision.commit, manifest=digest)
    found.files  # noqa: B018 (what cannot be had is said before anything is written)
    return found


def resolve(request: Request) -> Release:
    """The release meant, by the registry's tags only (`ls-remote`); of a revision, its commit.

    Where the registry cannot be reached, an exact version is what is known of it. Raises BadRequest
    for an unknown dataset or a range that no release satisfies, Refused when the tag moved away from
    the locked commit.
    """
    try:
        tags = git.remote_tags(request.repo, *tags_about(request.dataset))
        if all((parse_tag(tag) or ("",))[0] != request.dataset for tag in tags):
            tags = git.remote_tags(request.repo, "*-v*")  # to tell what there is instead
    except git.Unreachable as error:
        if request.revision is not None:
            raise
        return as_known(request.repo, request.dataset, request.wanted, error)
    names = tuple(sorted({parsed[0] for tag in tags if (parsed := parse_tag(tag))}))
    if not names and request.revision is None:
        raise BadRequest(
            f"`{request.public_repo}` has no releases",
            hint="check the URL: releases are tags NAME-v1.0.0",
        )
    if request.revision is not None:
        return _at_revision(request, tagged(request.repo, tags, request.dataset))
    if request.dataset not in names:
        raise unknown_dataset(request.dataset, names)
    own = tagged(request.repo, tags, request.dataset)
    release = choose(request.dataset, request.wanted, own, request.public_repo)
    pin = request.pin
    if pin is not None and request.same_registry and pin.version != release.version:
        warn_of_leaving(request.repo, pin, own)
    if pin is not None and request.same_registry and pin.version == release.version:
        pin.check_not_moved(release.commit, pin.manifest)
    else:
        refuse_moved(request.repo, release, accepted=False)
    return release


def _at_revision(request: Request, releases: Sequence[Release]) -> Release:
    """The release at a branch's tip or a commit; where none is, the files as DVC has them there."""
    wanted = request.revision or ""
    try:
        commit = git.revision(request.repo, wanted).commit
    except BadRequest as error:
        if wanted.startswith("refs/"):
            name = wanted.rpartition("/")[2]
            raise NoSuchRevision(
                f"`{request.public_repo}` has no `{wanted}`",
                hint=f"a branch of that name is {request.dataset}@refs/heads/{name}",
            ) from error
        raise NoSuchRevision(
            f"`{wanted}` is not a version range, and `{request.public_repo}` has no such branch or commit",
            hint="ranges look like ^1.0, ~1.2, '>=1.0,<2', 1.x, 1.2.0 or latest",
        ) from error
    for release in releases:
        if release.commit == commit and not release.light:
            if wanted == commit:
                refuse_moved(request.repo, release, accepted=True)
            return release
    return Release(request.dataset, version_at(commit, ()), commit, commit)


def version_at(commit: str, releases: Sequence[Release]) -> Version:
    """The version of the release at a commit; of one that is none, its id behind 0.0.0."""
    here = (r.version for r in releases if r.commit == commit and not r.light)
    return next(here, Version(0, 0, 0, build=f"g{commit[:12]}"))


def signers_of(*, required: bool, allowed: str | None) -> git.Signers | None:
    """Whose signature a release needs; None if it needs none. Raises BadRequest."""
    return git.Signers.of(allowed) if required or allowed is not None else None


def check_signed(request: Request, release: Release) -> None:
    """Raises Refused unless the release is signed as the request wants it; asks only if it does."""
    if request.signers is not None:
        Found(request, release).revision  # noqa: B018
