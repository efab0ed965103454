"""Releasing: plan it (the value that `--dry-run` prints), then carry out that very plan.

Order of carrying out: objects, verified on the remote -> manifest -> commit and tag, in one
atomic push. A tag on the remote therefore means that every byte can be fetched, and a crash at
any step leaves nothing half-visible: the same command again finishes the work.
"""

from __future__ import annotations

import functools
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from semver import Version

from dreg.adapters.git import Repository, remote_tags
from dreg.adapters.git_publish import LostRace, Publisher
from dreg.adapters.objects import many
from dreg.catalog import releases_of
from dreg.core.decision import Decision, decide
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.profile import Profile
from dreg.core.release import Release, commit_message, newest, tag_message
from dreg.core.version import Bump, tag_of
from dreg.core.violations import violations
from dreg.errors import Outside, Refused
from dreg.holdings import Holdings, holdings
from dreg.output import count, out, size
from dreg.registry import Dataset, Registry

GIT_REMOTE = "origin"
ATTEMPTS = 8


@dataclass(frozen=True)
class Base:
    """What the release commit goes on: the fetched tip of the branch, or HEAD where it is ahead.

    `tip` is None when the branch is not on the git remote yet; `branch` is None when there is no
    git remote at all and the release stays in this repository.
    """

    head: str
    commit: str
    tip: str | None
    branch: str | None


@dataclass(frozen=True)
class Plan:
    """A release before it is made."""

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
            size=self.manifest.snapshot.published.size,
            manifest=self.manifest.digest,
        )


@dataclass(frozen=True)
class Released:
    """What happened to one dataset. `state`: released, unchanged, or planned (`--dry-run`)."""

    dataset: str
    state: str
    version: Version
    previous: Version | None
    bump: Bump
    tag: str
    reasons: tuple[str, ...]
    samples: int
    files: int
    size: int
    objects_pushed: int
    manifest: str
    commit: str | None
    pushed_to: str | None

    def lines(self) -> Iterator[str]:
        if self.state == "unchanged":
            yield f"{self.dataset} {self.version}: nothing to release, the tree is this release"
            return
        since = f"{self.previous} -> " if self.previous else ""
        would = "would release " if self.state == "planned" else "released "
        yield f"{would}{self.dataset} {since}{self.version} ({self.bump})"
        for reason in self.reasons:
            yield f"  {reason}"
        yield f"  {count(self.samples)} samples, {count(self.files)} files, {size(self.size)}"
        yield f"  objects   {count(self.objects_pushed)} {'to push' if self.state == 'planned' else 'pushed'}"
        yield f"  manifest  sha256:{self.manifest}"
        where = f" on {self.pushed_to}" if self.pushed_to else ", only in this repository"
        yield f"  tag       {self.tag}{where}"


@dataclass(frozen=True)
class Releases:
    """The answer of `dreg release`: one entry a dataset."""

    releases: tuple[Released, ...]

    def lines(self) -> Iterator[str]:
        if not self.releases:
            yield "nothing to release: no dataset has changed since its last release"
        for i, released in enumerate(self.releases):
            if i:
                yield ""
            yield from released.lines()


def release(
    registry: Registry,
    names: list[str] | None = None,
    *,
    bump: Bump | None = None,
    dry_run: bool = False,
    branch: str | None = None,
) -> Releases:
    """Release the named datasets, or every one that changed since its last release.

    Raises Refused when a promise would be broken (dirty tree, pipeline not up to date, contract
    violated, bump lowered, branches diverged), Outside when git or the remote fails.
    """
    done = []
    for dataset in registry.datasets(names):
        if names is None and dataset.profile() is None:
            continue  # never run: not asked for by name, and there is nothing to release
        done.append(_release_one(dataset, bump, dry_run, branch))
    if names is None:
        done = [released for released in done if released.state != "unchanged"]
    return Releases(tuple(done))


def _release_one(
    dataset: Dataset, bump: Bump | None, dry_run: bool, branch: str | None
) -> Released:
    for attempt in range(ATTEMPTS):
        prepared = plan(dataset, bump=bump, branch=branch)
        if dry_run or not prepared.needed:
            return _answer(prepared, "planned" if prepared.needed else "unchanged", dataset)
        try:
            for step in carry_out(prepared, dataset):
                out.note(step)
            return _answer(prepared, "released", dataset)
        except LostRace:
            out.note("somebody else pushed first; planning again from the new tip")
            time.sleep(random.uniform(0, 0.2 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise Refused(
        f"`{dataset.name}` could not be pushed: others were faster {ATTEMPTS} times",
        hint=f"nothing was released; try again: dreg release {dataset.name}",
    )


def plan(dataset: Dataset, *, bump: Bump | None = None, branch: str | None = None) -> Plan:
    """Everything that a release of the tree would do, decided before any of it is done."""
    repository = Repository(dataset.root)
    _refuse_dirty(repository)
    base = _base(dataset, repository, branch)
    profile = _ready(dataset)
    last, old = _last_release(dataset, repository)
    decision = decide(old, profile, last.version if last else None)
    decision = _raised(dataset, decision, bump, last.version if last else None)
    version = decision.version
    held = holdings(dataset)
    manifest = Manifest(dataset.name, version, held.snapshot, held.directories)
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
    )


def carry_out(plan: Plan, dataset: Dataset) -> Iterator[str]:
    """Do what the plan says, yielding a line before each step.

    Raises LostRace when somebody pushed first; nothing was published then.
    """
    store = plan.holdings.store
    yield f"pushing {count(len(plan.holdings.missing))} objects to {store.location}"
    _push(plan.holdings)
    yield "checking that they are on the remote"
    _verify(plan.holdings)
    # The manifest goes last: its presence proves that every object above is there.
    store.put_bytes(manifest_key(plan.manifest.digest), plan.manifest.to_text().encode())
    yield f"tagging {plan.tag}"
    publisher = Publisher(dataset.root)
    commit = publisher.commit(
        plan.base.commit,
        dataset.folders,
        commit_message(plan.dataset, plan.version, plan.reasons),
    )
    published = publisher.tag(plan.tag, commit, plan.tag_message())
    remote_branch = None
    if plan.base.branch is not None:
        publisher.push(GIT_REMOTE, plan.base.branch, plan.base.tip, published)
        remote_branch = f"{GIT_REMOTE}/{plan.base.branch}"
    publisher.adopt(published, dataset.folders, plan.base.head, remote_branch)


def _answer(plan: Plan, state: str, dataset: Dataset) -> Released:
    repository = Repository(dataset.root)
    return Released(
        dataset=plan.dataset,
        state=state,
        version=plan.version,
        previous=plan.previous,
        bump=plan.bump,
        tag=plan.tag,
        reasons=plan.reasons,
        samples=plan.samples,
        files=len(plan.manifest.snapshot.published.files),
        size=plan.manifest.snapshot.published.size,
        objects_pushed=len(plan.holdings.missing) if state != "unchanged" else 0,
        manifest=plan.manifest.digest,
        commit=repository.tags().get(plan.tag),
        pushed_to=repository.remote_url(GIT_REMOTE),
    )


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


def _base(dataset: Dataset, repository: Repository, branch: str | None) -> Base:
    head = repository.head()
    if head is None:
        raise Refused(
            "the registry has no commit yet", hint="git add --all && git commit -m 'start'"
        )
    on = branch or repository.branch()
    if repository.remote_url(GIT_REMOTE) is None:
        return Base(head, head, None, None)
    publisher = Publisher(dataset.root)
    if on is None:
        on = publisher.default_branch(GIT_REMOTE) or "main"
        tip = publisher.fetch_tip(GIT_REMOTE, on)
        if tip != head and not (tip and repository.is_ancestor(head, tip)):
            raise Refused(
                f"HEAD is detached, and not a commit of `{on}` on {GIT_REMOTE}",
                hint=f"git switch {on}, or name the branch to release on: --branch NAME",
            )
    else:
        tip = publisher.fetch_tip(GIT_REMOTE, on)
    if tip is None or repository.is_ancestor(tip, head):
        return Base(head, head, tip, on)
    if not repository.is_ancestor(head, tip):
        raise Refused(
            f"`{on}` and `{GIT_REMOTE}/{on}` have diverged",
            hint=f"git pull --rebase {GIT_REMOTE} {on}, then release again",
        )
    if repository.try_("diff", "--quiet", head, tip, "--", *dataset.folders) is None:
        raise Refused(
            f"stale: `{dataset.name}` was changed on `{GIT_REMOTE}/{on}` since this clone was updated",
            hint=f"git stash; git pull; git stash pop; dreg run {dataset.name}; then release again",
        )
    return Base(head, tip, tip, on)


def _ready(dataset: Dataset) -> Profile:
    from dreg.pipeline import refuse_unfinished

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


def _push(held: Holdings) -> None:
    files = [entry for entry in held.missing if not entry.is_directory]
    with out.progress("pushing", sum(entry.size for entry in files), "bytes") as advance:
        many([functools.partial(held.push, entry, advance) for entry in files])
    for entry in held.missing:  # a `.dir` object only once every file it names is there
        if entry.is_directory:
            held.push(entry, lambda n: None)


def _verify(held: Holdings) -> None:
    absent = held.absent()
    if absent:
        raise Outside(
            f"{count(len(absent))} objects are not on {held.store.location} although they were pushed",
            hint="check the remote: dreg remote check; then release again",
            details=[entry.path for entry in absent[:10]],
        )
