"""Which of many datasets have nothing to release, told of all of them at once.

A plan asks git a score of questions about one dataset. Of those that are in every respect as their last release left
them a few questions tell it together; who is not surely so gets a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from dreg.adapters.claims import Claims
from dreg.adapters.dvc import Pipeline
from dreg.adapters.git import Repository, Tag, remote_tags
from dreg.adapters.git.publish import Publisher
from dreg.catalog import releases_in
from dreg.core.choices import Choices
from dreg.core.freshness import State
from dreg.core.release import Release, last_final
from dreg.core.version import Bump
from dreg.core.wording import numbered
from dreg.errors import DregError
from dreg.freshness import native_state
from dreg.output import out
from dreg.registry import Dataset, Registry
from dreg.release.answer import Released
from dreg.release.branch_tip import GIT_REMOTE
from dreg.release.manner import Manner
from dreg.release.unpushed import MARKS

MANY = 4  # a few plans take as long as finding out


@dataclass(frozen=True)
class Surely:
    """What is known of a dataset that git has as its last release left it."""

    dataset: Dataset
    release: Release
    pushed_to: str

    def unchanged(self, then: Sequence[bytes | None]) -> Released | None:
        """The answer, if the tree is that release, too; `then` are the files that tell snapshots apart, at it."""
        dataset = self.dataset
        profile = dataset.profile()
        pipeline = Pipeline(dataset.root, dataset.name)
        fresh = native_state(pipeline).state in (State.UP_TO_DATE, State.MISSING)
        # What it is made from may have changed, or been yanked.
        alone = not dataset.contract().upstream and not pipeline.reads()
        if profile is None or not (fresh and alone) or list(then) != _telling_now(dataset):
            return None
        version = self.release.version
        return Released(
            dataset=dataset.name, state="unchanged", version=version, previous=version, bump=Bump.NONE,
            tag=self.release.tag, findings=(), exceptions=(), samples=profile.num_samples,
            files=profile.snapshot.files, size=profile.snapshot.size, objects_pushed=0, pushes=(),
            manifest=self.release.manifest, changelog="", commit=self.release.commit, pushed_to=self.pushed_to,
        )  # fmt: skip


def surely_unchanged(
    registry: Registry,
    datasets: Sequence[Dataset],
    choices: Choices,
    manner: Manner,
) -> dict[str, Released]:
    """Those of the datasets that have surely nothing to release, by name. None of a few, nor of any that are asked for
    by name; one that another dreg is at is left out."""
    plain = replace(choices, bump=None, reason="") == Choices(named=False)
    if len(datasets) < MANY or not plain or manner.branch is not None:
        return {}
    try:
        known = list(_as_in_git(registry, datasets))
    except DregError:
        return {}  # each one's plan tells
    claims = Claims(registry.root, "dreg release", 0.0, lambda _: None)
    asked = [(one.release.commit, path) for one in known for path in _telling(one.dataset)]
    then = Repository(registry.root).read_all(asked)
    found = {}
    for number, one in enumerate(known):
        try:
            with nullcontext() if manner.dry_run else claims.of(one.dataset.name):
                released = one.unchanged(then[2 * number : 2 * number + 2])
        except DregError:
            continue
        if released:
            found[one.dataset.name] = released
    return found


def _as_in_git(registry: Registry, datasets: Sequence[Dataset]) -> Iterator[Surely]:
    """The datasets that HEAD, the branch's tip on the git remote, and the last release have alike, and nobody touched."""
    repository, publisher = Repository(registry.root), Publisher(registry.root)
    head, url = repository.head(), repository.remote_url(GIT_REMOTE)
    if head is None or url is None or repository.ask("for-each-ref", "--count=1", *MARKS):
        return
    here = repository.branch()
    branch = here or publisher.default_branch(GIT_REMOTE) or "main"
    tip = publisher.fetch_tip(GIT_REMOTE, branch, head)
    if tip is None or not (tip == head or (here and repository.is_ancestor(tip, head))):
        return
    outside = repository.changed(tracked_only=True)
    if not all(path.startswith(("pipelines/", "data/")) for path in outside):
        return
    touched = {"/".join(path.split("/")[:2]) for path in repository.changed(["pipelines", "data"])}
    there = remote_tags(GIT_REMOTE, cwd=registry.root)
    last = dict(_last(releases_in(there.values()), {dataset.name for dataset in datasets}))
    told = _told_here(repository, publisher, [there[release.tag] for release in last.values()])
    folders = {d.name: d.folders for d in datasets if d.name in last}
    wanted = [
        f"{commit}:{folder}"
        for name, both in folders.items()
        for commit in (head, tip, last[name].commit)
        for folder in both
    ]
    trees = iter(repository.objects(wanted))
    for dataset in datasets:
        if dataset.name not in last:
            continue
        at_head, at_tip, released = ([next(trees), next(trees)] for _ in range(3))
        release = told.get(last[dataset.name].tag)
        if (
            release
            and at_head == at_tip == released
            and None not in released
            and not touched & set(dataset.folders)
        ):
            yield Surely(dataset, release, url)


def _last(releases: Iterable[Release], names: set[str]) -> Iterator[tuple[str, Release]]:
    """The release that each dataset was left at; none where a yank or a prerelease came behind it."""
    by_name: dict[str, list[Release]] = {}
    for release in releases:
        if release.dataset in names:
            by_name.setdefault(release.dataset, []).append(release)
    for name, own in by_name.items():
        last = last_final(own)
        if last and last.yanked is None and all(one.version <= last.version for one in own):
            yield name, last


def _told_here(
    repository: Repository, publisher: Publisher, tags: Sequence[Tag]
) -> Mapping[str, Release]:
    """The releases with what their tags say, got from the git remote where they are not here; those that are other
    tags here are left out."""
    here = {tag.name: tag for tag in repository.full_tags()}
    missing = [tag.name for tag in tags if tag.name not in here]
    if missing:
        out.phase(f"getting {numbered(len(missing), 'tag')}")
        publisher.fetch_tags(GIT_REMOTE, missing)
        here = {tag.name: tag for tag in repository.full_tags()}
    same = [tag for tag in tags if tag.name in here and here[tag.name].object == tag.object]
    return {release.tag: release for release in releases_in(here[tag.name] for tag in same)}


def _telling(dataset: Dataset) -> tuple[str, str]:
    """The files in git that tell one snapshot of a dataset from another."""
    pipeline, data = dataset.folders
    return f"{pipeline}/dvc.lock", f"{data}/metadata.json"


def _telling_now(dataset: Dataset) -> list[bytes | None]:
    paths = [dataset.root / path for path in _telling(dataset)]
    return [path.read_bytes() if path.is_file() else None for path in paths]
