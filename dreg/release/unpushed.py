"""Releases that were never pushed: every byte is on the remote, and commit and tag are just here.

They were made with `--no-push`, or while there was no git remote yet. A reference `refs/dreg/unpushed/<tag>`,
or `refs/dreg/alone/<tag>`, tells such a tag from one that was deleted on the git remote, which must not come
back. Whoever deletes the tag here has dropped the release.
"""

from __future__ import annotations

from collections.abc import Iterable

from dreg.adapters.dvc_config import remote_of
from dreg.adapters.git import Repository
from dreg.adapters.git.following import delete_reference
from dreg.adapters.git.publish import Published, Publisher
from dreg.adapters.git.signing import is_signed, signatures
from dreg.adapters.objects import Store
from dreg.adapters.through_dvc import open_own
from dreg.catalog import releases_of
from dreg.core.about import About
from dreg.core.manifest import Manifest
from dreg.core.release import Release
from dreg.core.rules import Finding
from dreg.core.version import Bump, parse_version
from dreg.errors import Outside, Refused
from dreg.fsck.remote import check_remote
from dreg.manifests import read_manifest
from dreg.push.announcing import announced
from dreg.registry import Dataset
from dreg.release.answer import Released
from dreg.release.branch_tip import GIT_REMOTE

PREFIX = "refs/dreg/unpushed/"
ALONE = "refs/dreg/alone/"  # there is nowhere else to publish it, so it counts as published here
MARKS = (PREFIX, ALONE)


def unpushed(dataset: Dataset, published: Iterable[Release]) -> list[Release]:
    """The dataset's releases that were not pushed, oldest first; marks of others are removed."""
    repository = Repository(dataset.root)
    there = {release.tag: release.commit for release in published}
    here = {release.tag: release for release in releases_of(dataset.root, dataset.name)}
    found = []
    marks = repository.ask("for-each-ref", "--format=%(refname) %(objectname)", *MARKS)
    for line in marks.splitlines():
        reference, _, oid = line.partition(" ")
        tag = reference.removeprefix(PREFIX).removeprefix(ALONE)
        own = here.get(tag)
        pushed = own is not None and there.get(tag) == own.commit
        if pushed or repository.try_("rev-parse", "--verify", f"refs/tags/{tag}") != oid:
            delete_reference(repository.root, reference, oid)
        elif own is not None and tag not in there:
            found.append(own)
    return sorted(found, key=lambda release: release.version)


def push_release(
    dataset: Dataset, release: Release, branch: str, tip: str | None, sign: bool | None = None
) -> Released:
    """Publish a release that was made here, if all of it is on the remote as it was then.

    Raises Refused when the branch went another way, or tag or commit are not signed and should be
    (`sign`, or by default `tag.gpgSign` and `commit.gpgSign`), Outside when a byte is gone, LostRace when
    somebody pushed meanwhile.
    """
    repository, publisher = Repository(dataset.root), Publisher(dataset.root)
    anew = f"git tag -d {release.tag}; git pull --rebase; then release again"
    store = open_own(remote_of(dataset.root))
    tag_object = repository.ask("rev-parse", f"refs/tags/{release.tag}")
    said = {"tag": repository.ask("cat-file", "tag", tag_object),
            "commit": repository.ask("cat-file", "commit", release.commit)}  # fmt: skip
    signed = {"tag": bool(signatures(said["tag"])), "commit": is_signed(said["commit"])}
    if lacks := [what for what in said if publisher.signs(what, sign) and not signed[what]]:
        raise Refused(
            f"`{release.tag}` was made here and never pushed, and its {' and '.join(lacks)} "
            f"{'are' if len(lacks) > 1 else 'is'} not signed",
            hint=f"make it anew, signed: git tag -d {release.tag}; then release again; "
            "or push it as it is: --no-sign",
        )
    made = Published(release.commit, release.tag, tag_object)
    manifest = _still_there(store, release, anew)
    with announced(store, manifest):
        _still_there(store, release, anew)  # from here on it stays so
        if tip is not None and repository.is_ancestor(release.commit, tip):
            publisher.push_tag(GIT_REMOTE, made)
        elif tip is None or repository.is_ancestor(tip, release.commit):
            publisher.push(GIT_REMOTE, branch, tip, made)
        else:
            raise Refused(
                f"`{release.tag}` was made here and never pushed, and `{branch}` on {GIT_REMOTE} has moved since",
                hint=f"make it anew: {anew}",
            )
    for mark in MARKS:
        delete_reference(dataset.root, f"{mark}{release.tag}")
    about: About | None = manifest.about
    return Released(
        dataset=dataset.name,
        state="released",
        version=release.version,
        previous=parse_version(about.previous) if about and about.previous else None,
        bump=Bump[about.bump.upper()] if about else Bump.NONE,
        tag=release.tag,
        findings=tuple(Finding(f.rule, Bump[f.bump.upper()], f.text) for f in about.findings)
        if about
        else (),
        exceptions=about.exceptions if about else (),
        samples=release.samples or 0,
        files=len(manifest.snapshot.data.files),
        size=manifest.snapshot.data.size,
        objects_pushed=0,
        pushes=(),
        manifest=release.manifest,
        changelog="",
        commit=release.commit,
        pushed_to=repository.remote_url(GIT_REMOTE),
    )


def _still_there(store: Store, release: Release, anew: str) -> Manifest:
    """The release's manifest, if all that it names is on the remote. Raises Outside."""
    problems = check_remote(store, [release], deep=False, source=None).problems
    manifest = None if problems else read_manifest(store, release)
    if manifest is None:
        raise Outside(
            f"what `{release.tag}` needs is not on {store.location} any more",
            hint=f"make it anew: {anew}",
            details=[str(problem) for problem in problems[:10]],
        )
    return manifest
