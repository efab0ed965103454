"""What earlier releases of a dataset say, by the tags that count."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dreg.adapters.git import Repository, Revision, remote_tags
from dreg.adapters.git.publish import Publisher
from dreg.adapters.objects import Store, Stores
from dreg.adapters.through_dvc import open_own
from dreg.adapters.yaml_files import parse_yaml
from dreg.catalog import releases_in, releases_of
from dreg.core.contract import Contract
from dreg.core.contract_changes import contract_changes
from dreg.core.decision import Decision
from dreg.core.json_text import parse_json
from dreg.core.profile import FORMAT, Profile
from dreg.core.release import Release, newest
from dreg.core.remotes import SCHEMES
from dreg.core.rules import Finding, Pricing, assess
from dreg.core.version import Bump
from dreg.core.yank import tags_about
from dreg.errors import BadRequest, Refused
from dreg.manifests import store_of
from dreg.output import out
from dreg.registry import Dataset
from dreg.release.branch_tip import GIT_REMOTE


@dataclass(frozen=True)
class Published:
    """A dataset's releases, and the lightweight tags that have the names of releases and are none."""

    releases: list[Release]
    light: frozenset[str]


def published(dataset: Dataset) -> list[Release]:
    """The releases by the git remote's tags; by those here where there is no git remote.

    A tag that is just here was never released. Raises Outside when the remote cannot be reached.
    """
    return published_tags(dataset).releases


def published_tags(dataset: Dataset) -> Published:
    """As `published`, with the tags that don't count."""
    name, repository = dataset.name, Repository(dataset.root)
    if repository.remote_url(GIT_REMOTE) is None:
        tags = repository.full_tags(*tags_about(name))
    else:
        tags = list(remote_tags(GIT_REMOTE, *tags_about(name), cwd=dataset.root).values())
    own = sorted((r for r in releases_in(tags) if r.dataset == name), key=lambda r: r.version)
    return Published(own, frozenset(tag.name for tag in tags if not tag.annotated))


def fetched(dataset: Dataset, release: Release) -> Release:
    """The release with what its tag says and points to here, got from the git remote if need be.

    Where another tag of that name is here, which stays, a warning says so once.
    """
    here = {found.tag: found for found in releases_of(dataset.root, dataset.name)}
    own = here.get(release.tag)
    if own is not None and own.commit == release.commit:
        return own
    if release.tag in Repository(dataset.root).tags():
        there = _as_on_remote(dataset.root, release.tag, release.commit)
        return replace(there, yanked=release.yanked) if there else release
    Publisher(dataset.root).fetch_tags(GIT_REMOTE, [release.tag])
    here = {found.tag: found for found in releases_of(dataset.root, dataset.name)}
    return here.get(release.tag, release)


@functools.cache
def _as_on_remote(root: Path, tag: str, commit: str) -> Release | None:
    """The release as the git remote's tag has it, which points to `commit`, and this clone's not."""
    out.warn(
        f"the tag `{tag}` here is not the one on {GIT_REMOTE}, which counts; to have that one: "
        f"git tag -d {tag}; git fetch {GIT_REMOTE} tag {tag}"
    )
    found = Publisher(root).tag_there(GIT_REMOTE, tag)
    if found is None or found.commit != commit:
        return None  # somebody has just replaced it
    return Release.of(tag, commit, found.message) if found.annotated else None


def profile_of(dataset: Dataset, release: Release) -> Profile | None:
    """The profile of a release; None if it has none or one that dreg didn't write.

    Raises BadRequest for one that a newer dreg wrote: nothing is decided on what can't be read.
    """
    path = f"{dataset.folders[1]}/metadata.json"
    text = Repository(dataset.root).read(release.commit, path)
    try:
        data = parse_json(text or b"")
    except ValueError:
        return None
    try:
        return Profile.from_json(data, f"{release.tag}:{path}")
    except BadRequest:
        form = data.get("format") if isinstance(data, dict) else None
        if isinstance(form, int) and form > FORMAT:
            raise
        return None


def refuse_yanked(
    dataset: Dataset, profile: Profile, releases: Iterable[Release], *, promises: bool = False
) -> None:
    """Raises Refused when the tree has what a yanked release had: it would only come back.

    With `promises`, data that is promised otherwise is something else: a good release has it, too.
    """
    for release in releases:
        before = profile_of(dataset, fetched(dataset, release)) if release.yanked else None
        if before is None or assess(before, profile):
            continue
        if not (promises and promised_otherwise(dataset, fetched(dataset, release))):
            raise Refused(
                f"the tree has the data of `{dataset.name}` {release.version}, which is yanked",
                hint=f"correct the data, then: dreg run {dataset.name}; or take the yank back: "
                f"dreg unyank {dataset.name}@{release.version}",
            )


def pricing_of(dataset: Dataset, release: Release) -> Pricing:
    """The prices and thresholds in the contract of a release, which what follows it is priced by.

    So no release lowers its own price: what the tree's contract says counts for the next.
    """
    path = f"{dataset.folders[0]}/dataset.yaml"
    where = f"{release.tag}:{path}"
    text = Repository(dataset.root).read(release.commit, path)
    try:
        return Pricing.parse(parse_yaml((text or b"").decode(), where), where)
    except (BadRequest, UnicodeDecodeError) as error:
        # It cannot be corrected any more; the usual prices are the careful answer.
        out.warn(f"the usual prices count: {getattr(error, 'fact', error)}")
        return Pricing()


def promised_otherwise(
    dataset: Dataset, old: Release, new: Release | None = None
) -> tuple[Finding, ...]:
    """What the contract of release `new`, or of the tree, promises otherwise than that of `old`.

    Nothing where one of the two can't be read any more: the profiles still tell what they can.
    """
    path = f"{dataset.folders[0]}/dataset.yaml"
    repository = Repository(dataset.root)
    before = repository.read(old.commit, path)
    after = repository.read(new.commit, path) if new else (dataset.root / path).read_bytes()
    if before is None or after is None or before == after:
        return ()
    try:
        was = _contract(before, f"{old.tag}:{path}")
        now = _contract(after, f"{new.tag}:{path}") if new else dataset.contract()
    except (BadRequest, UnicodeDecodeError):
        return ()
    return contract_changes(was, now)


def _contract(text: bytes, where: str) -> Contract:
    return Contract.parse(parse_yaml(text.decode(), where), where)


def tell_of_new_prices(dataset: Dataset, pricing: Pricing) -> None:
    """Note that the tree's prices are not those that count yet."""
    if dataset.contract().pricing != pricing:
        out.note(
            f"overrides and thresholds in {dataset.folders[0]}/dataset.yaml count from the next "
            "release on; this one is priced by the last release's"
        )


def unless_repeated(
    dataset: Dataset, decision: Decision, releases: list[Release], profile: Profile
) -> Decision:
    """The decision on a prerelease; nothing to release if the one before is of the same data."""
    word = str(decision.version.prerelease).rpartition(".")[0]
    before = newest(
        release
        for release in releases
        if release.version < decision.version
        and release.version.finalize_version() == decision.version.finalize_version()
        and str(release.version.prerelease).rpartition(".")[0] == word
    )
    if before is None:
        return decision
    before = fetched(dataset, before)
    if profile_of(dataset, before) != profile or promised_otherwise(dataset, before):
        return decision
    return replace(decision, findings=(), bump=Bump.NONE, version=before.version, computed=None)


def own_store_of(place: str, revision: Revision) -> Store | Stores:
    """As `store_of`, in a registry that somebody works in: what only DVC opens counts as well."""
    stores = store_of(place, revision)
    first = stores.remotes[0]
    return stores if first.scheme in ("", *SCHEMES) else open_own(first)
