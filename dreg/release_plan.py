"""The plan of a release: everything it would do, decided before any of it is done."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from semver import Version

from dreg.adapters.git import Repository, remote_tags
from dreg.adapters.git.publish import Publisher
from dreg.catalog import releases_of
from dreg.core.changelog import Entry, with_entry
from dreg.core.decision import Decision, decide
from dreg.core.links import tag_page
from dreg.core.manifest import Manifest
from dreg.core.profile import Profile
from dreg.core.release import Release, newest, tag_message
from dreg.core.version import Bump, tag_of
from dreg.core.violations import violations
from dreg.errors import Refused
from dreg.holdings import Holdings, holdings
from dreg.pipeline import refuse_unfinished
from dreg.registry import Dataset
from dreg.release_base import GIT_REMOTE, Base, release_base


@dataclass(frozen=True)
class Plan:
    """A release before it is made. `changelog` is the file's whole text with the `entry`."""

    dataset: str
    previous: Version | None
    version: Version
    tag: str
    bump: Bump
    decision: Decision
    samples: int
    base: Base
    holdings: Holdings
    manifest: Manifest
    entry: Entry
    changelog: str

    @property
    def needed(self) -> bool:
        """False when what is in the tree was released already."""
        return self.bump is not Bump.NONE

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(f"{finding.text} ({finding.rule})" for finding in self.decision.findings)

    def tag_message(self) -> str:
        return tag_message(
            dataset=self.dataset,
            version=self.version,
            previous=self.previous,
            bump=self.bump,
            reasons=self.reasons,
            samples=self.samples,
            size=self.manifest.snapshot.data.size,
            manifest=self.manifest.digest,
        )


def plan(
    dataset: Dataset, *, date: str, bump: Bump | None = None, branch: str | None = None
) -> Plan:
    """What releasing the tree would do; `date` is the day for the changelog, `YYYY-MM-DD`.

    Raises Refused when a promise would be broken: dirty tree, pipeline not up to date, contract
    violated, bump lowered, branches diverged, bytes not here.
    """
    repository = Repository(dataset.root)
    _refuse_dirty(repository)
    base = release_base(dataset, repository, branch)
    profile = _ready(dataset)
    last, old = _last_release(dataset, repository)
    decision = decide(old, profile, last.version if last else None)
    decision = _raised(dataset, decision, bump, last.version if last else None)
    version = decision.version
    held = holdings(dataset)
    manifest = Manifest(dataset.name, version, held.snapshot, held.directories)
    entry = Entry(
        version=version,
        date=date,
        findings=decision.findings,
        samples=_samples(profile),
        before=_samples(old) if old else None,
        link=tag_page(
            repository.remote_url(GIT_REMOTE),
            tag_of(dataset.name, version),
            last.tag if last else None,
        ),
    )
    return Plan(
        dataset=dataset.name,
        previous=last.version if last else None,
        version=version,
        tag=tag_of(dataset.name, version),
        bump=decision.bump,
        decision=decision,
        samples=profile.num_samples,
        base=base,
        holdings=held,
        manifest=manifest,
        entry=entry,
        changelog=with_entry(_changelog(dataset, repository, base), dataset.name, entry),
    )


def _samples(profile: Profile) -> dict[str, int]:
    return {name: split.num_samples for name, split in profile.splits.items()}


def _changelog(dataset: Dataset, repository: Repository, base: Base) -> str:
    """The tree's, or that of a base which already has the tree's and more."""
    if not base.unfinished:
        return dataset.changelog()
    return (repository.read(base.commit, dataset.changelog_path) or b"").decode(errors="replace")


def _refuse_dirty(repository: Repository) -> None:
    changed = [
        path
        for path in repository.changed(tracked_only=True)
        if not path.startswith(("pipelines/", "data/"))
    ]
    if changed:
        raise Refused(
            "the work tree has uncommitted changes outside the datasets",
            hint="commit or stash them, then release again",
            details=changed[:10],
        )


def _ready(dataset: Dataset) -> Profile:
    refuse_unfinished(dataset)
    profile = dataset.profile()
    if profile is None:
        raise Refused(f"`{dataset.name}` was never run", hint=f"dreg run {dataset.name}")
    broken = violations(dataset.contract(), profile)
    if broken:
        raise Refused(
            f"`{dataset.name}` does not keep its contract",
            hint=f"correct the data or pipelines/{dataset.name}/dataset.yaml, then: dreg check {dataset.name}",
            details=[str(violation) for violation in broken],
        )
    return profile


def _last_release(
    dataset: Dataset, repository: Repository
) -> tuple[Release | None, Profile | None]:
    """The newest release and its profile, by the git remote's tags where there is a remote."""
    name = dataset.name
    here = {release.tag: release for release in releases_of(dataset.root, name)}
    if repository.remote_url(GIT_REMOTE) is None:
        last = newest(here.values())
    else:
        # Only published tags count: a tag that is just here was never released.
        tags = remote_tags(GIT_REMOTE, f"{name}-v*", dataset.root).values()
        found = (Release.of(tag.name, tag.commit) for tag in tags)
        last = newest([r for r in found if r is not None and r.dataset == name])
        if last and (last.tag not in here or here[last.tag].commit != last.commit):
            Publisher(dataset.root).fetch_tag(GIT_REMOTE, last.tag)
            here = {release.tag: release for release in releases_of(dataset.root, name)}
        last = here.get(last.tag, last) if last else None
    if last is None:
        return None, None
    path = f"data/{name}/metadata.json"
    text = repository.read(last.commit, path)
    if text is None:  # released by other means: anything may have changed
        return last, None
    return last, Profile.from_json(json.loads(text), f"{last.tag}:{path}")


def _raised(
    dataset: Dataset, decision: Decision, bump: Bump | None, last: Version | None
) -> Decision:
    """The decision with the bump the user asked for; only ever a higher one."""
    if bump is None or last is None or decision.bump is Bump.NONE:
        return decision
    if bump < decision.bump:
        raise Refused(
            f"`--bump {bump}` is lower than what changed in `{dataset.name}`: {decision.bump}",
            hint=f"see why: dreg diff {dataset.name}",
            details=[f"{finding.text} ({finding.rule})" for finding in decision.findings],
        )
    return replace(decision, bump=bump, version=bump.after(last))
