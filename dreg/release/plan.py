"""The plan of a release: everything it would do, decided before any of it is done."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass

from semver import Version

from dreg.adapters.claims import Claims
from dreg.adapters.git import Repository
from dreg.core.changelog import Entry, with_entry
from dreg.core.choices import Choices
from dreg.core.decision import Decision
from dreg.core.links import tag_page
from dreg.core.manifest import Manifest
from dreg.core.profile import Profile
from dreg.core.release import Release, newest, tag_message
from dreg.core.version import Bump, tag_of
from dreg.errors import Refused
from dreg.history import fetched
from dreg.push.holdings import Holdings, holdings, nothing
from dreg.registry import Dataset
from dreg.release.about import about
from dreg.release.branch_tip import GIT_REMOTE, Base, diverged, release_base
from dreg.release.deciding import Decided, decide_on, ready
from dreg.release.fetchable import refuse_unplaceable, refuse_unreadable_name
from dreg.upstream import upstream

UNMERGED = ("AA", "AU", "DD", "DU", "UA", "UD", "UU")  # as `git status` has them


@dataclass(frozen=True)
class Plan:
    """A release before it is made.

    `exceptions` are what a person decided against dreg, `reason` is why, `allowed` are the gates.
    `released` is the release that has the tree's data already.
    `changelog` is the file's whole text with the `entry`.
    """

    dataset: str
    previous: Version | None
    version: Version
    tag: str
    bump: Bump
    decision: Decision
    exceptions: tuple[str, ...]
    reason: str
    allowed: tuple[str, ...]
    samples: int
    files: int
    size: int
    base: Base
    holdings: Holdings
    manifest: Manifest
    released: Release | None
    entry: Entry
    changelog: str

    @property
    def needed(self) -> bool:
        """False when what is in the tree was released already."""
        return self.bump is not Bump.NONE

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(finding.told for finding in self.decision.findings)

    def tag_message(self, automated: str = "") -> str:
        return tag_message(
            dataset=self.dataset,
            version=self.version,
            previous=self.previous,
            bump=self.bump,
            reasons=self.reasons,
            samples=self.samples,
            size=self.size,
            manifest=self.manifest.digest,
            exceptions=self.exceptions,
            reason=self.reason,
            allowed=self.allowed,
            upstream=[pin.tag for pin in self.manifest.made_from if pin.tag],
            automated=automated,
        )


def plan(
    dataset: Dataset,
    choices: Choices,
    *,
    date: str,
    branch: str | None = None,
    claims: Claims | None = None,
    ahead: Collection[str] = (),
) -> Plan:
    """What releasing the tree would do; `date` is the day for the changelog, `YYYY-MM-DD`, `ahead` are the
    datasets that the same command releases, or plans to.

    With `claims`, another release in this clone is let finish what it does to git's index.

    Raises Refused when a promise would be broken: dirty tree, pipeline not up to date, contract
    violated, gate not passed, bump lowered, branches diverged, bytes not here, made from bytes that
    no release has.
    """
    repository = Repository(dataset.root)
    refuse_unreadable_name(dataset)
    base = release_base(dataset, repository, branch)
    with claims.clone() if claims else nullcontext():
        _refuse_dirty(repository, base)
    profile = ready(dataset)
    decided = decide_on(dataset, choices, profile)
    decision, last, version = decided.decision, decided.last, decided.decision.version
    tag, needed = tag_of(dataset.name, version), decision.bump is not Bump.NONE
    if needed and base.diverged:
        raise diverged(dataset, base.branch)
    if needed and tag in decided.light:
        raise _taken(tag, base)
    if needed and base.branch is not None:
        _refuse_tag_only_here(repository, tag)
    held = holdings(dataset, _before(dataset, decided)) if needed else nothing(dataset)
    refuse_unplaceable(dataset, held.snapshot)
    entry = Entry(
        version=version,
        date=date,
        findings=decision.findings,
        samples=_samples(profile),
        before=_samples(decided.old) if decided.old else None,
        exceptions=decided.exceptions,
        link=tag_page(base.url, tag, last.tag if last else None),
    )
    return Plan(
        dataset=dataset.name,
        previous=last.version if last else None,
        version=version,
        tag=tag,
        bump=decision.bump,
        decision=decision,
        exceptions=decided.exceptions,
        reason=choices.reason if decided.exceptions else "",
        allowed=tuple(dict.fromkeys(breach.gate for breach in decided.broken)),
        samples=profile.num_samples,
        files=profile.snapshot.files,
        size=profile.snapshot.size,
        base=base,
        holdings=held,
        manifest=_manifest(dataset, decided, profile, held, base, ahead if needed else None),
        released=None if needed else _released_as(dataset, tag, decided),
        entry=entry,
        changelog=with_entry(_changelog(dataset, repository, base), dataset.name, entry),
    )


def _before(dataset: Dataset, decided: Decided) -> Release | None:
    """The release whose objects are known to be on the remote."""
    if decided.last:
        return decided.last
    before = newest(decided.releases)
    return before and fetched(dataset, before)


def _manifest(
    dataset: Dataset,
    decided: Decided,
    profile: Profile,
    held: Holdings,
    base: Base,
    ahead: Collection[str] | None,
) -> Manifest:
    """The manifest of the release; where none is needed (`ahead` is None), one that says nothing about it."""
    said = None
    if ahead is not None:
        said = about(
            dataset,
            decided.decision,
            profile,
            held.snapshot,
            base=base.commit,
            previous=decided.last.version if decided.last else None,
            exceptions=decided.exceptions,
            upstream=upstream(dataset, ahead),
        )
    version = decided.decision.version
    return Manifest(dataset.name, version, held.snapshot, held.directories, said)


def _released_as(dataset: Dataset, tag: str, decided: Decided) -> Release | None:
    if decided.last and decided.last.tag == tag:
        return decided.last
    return next((fetched(dataset, one) for one in decided.releases if one.tag == tag), None)


def _samples(profile: Profile) -> dict[str, int]:
    return {name: split.num_samples for name, split in profile.splits.items()}


def _changelog(dataset: Dataset, repository: Repository, base: Base) -> str:
    """The tree's, or that of a base which already has the tree's and more."""
    if not base.unfinished:
        return dataset.changelog()
    return (repository.read(base.commit, dataset.changelog_path) or b"").decode(errors="replace")


def _refuse_dirty(repository: Repository, base: Base) -> None:
    tracked = repository.status(tracked_only=True)
    if repository.is_merging() or any(code in UNMERGED for code, _ in tracked):
        raise Refused(
            "a merge is in progress here, and this clone could not follow the release",
            hint="finish it (git status), or give it up (git merge --abort), then release again",
        )
    changed = [path for _, path in tracked if not path.startswith(("pipelines/", "data/"))]
    if changed and not _as_in(repository, base.commit, changed):
        raise Refused(
            "the work tree has uncommitted changes outside the datasets",
            hint="commit or stash them, then release again",
            details=changed[:10],
        )


def _as_in(repository: Repository, commit: str, paths: list[str]) -> bool:
    """Whether the tree has these files as `commit` does, and the index has them so or untouched.

    Then it was a killed release that changed them, while this clone was following it.
    """

    def other(*than: str) -> set[str]:
        diff = ("--literal-pathspecs", "diff", "--name-only", "-z", *than, "--", *paths)
        return set(repository.ask(*diff).split("\0")) - {""}

    return not other(commit) and not other("--cached", "HEAD") & other("--cached", commit)


def _taken(tag: str, base: Base) -> Refused:
    drop = f"git push {GIT_REMOTE} :refs/tags/{tag}; git tag -d {tag}" if base.branch else ""
    return Refused(
        f"this would be `{tag}`, and there is a lightweight tag of that name, which is no release",
        hint=f"remove it: {drop or f'git tag -d {tag}'}; or take a higher version: --bump minor, --bump major",
    )


def _refuse_tag_only_here(repository: Repository, tag: str) -> None:
    """Raises Refused for a tag that was never published: releasing would overwrite it."""
    if tag in repository.tags():
        raise Refused(
            f"there is a tag `{tag}` here that is not on {GIT_REMOTE}",
            hint=f"remove it (git tag -d {tag}), then release again",
        )
