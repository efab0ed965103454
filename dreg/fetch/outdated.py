"""What is newer than what dreg.lock has, by the registries' tags alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from semver import Version

from dreg.adapters import git
from dreg.adapters.lock_file import read_lock
from dreg.adapters.requests_file import read_requests
from dreg.core.about import COMMIT
from dreg.core.lock import Lock, Pin
from dreg.core.release import Release, finals, newest, usable
from dreg.core.requests import Requests
from dreg.core.version import Range, range_or_revision
from dreg.errors import BadRequest, DregError
from dreg.fetch.pin import version_at
from dreg.fetch.spare import other_than, tell
from dreg.fetch.tagged import tagged
from dreg.output import out, table
from dreg.yank.known import warn

PEELED = "^{}"  # behind an annotated tag: the commit it leads to


@dataclass(frozen=True)
class Standing:
    """One locked dataset. `update` is the newest release in its range, or what its branch has now, `latest` the newest of all;
    null where that is the locked one, or nothing is newer. `yanked` says whether the locked one is,
    `gone` that the registry has its tag no more. `registry` is the one that dreg.toml names by now, null
    where that is the locked one.
    """

    dataset: str
    request: str
    locked: Version
    update: Version | None
    latest: Version | None
    yanked: bool = False
    gone: bool = False
    registry: str | None = None

    @property
    def state(self) -> str:
        """What is wrong with the locked one, to be put behind it."""
        if self.registry is not None:
            return " (elsewhere)"
        return " (gone)" if self.gone else " (yanked)" if self.yanked else ""


@dataclass(frozen=True)
class Outdated:
    """Every locked dataset, and which have something newer."""

    datasets: tuple[Standing, ...]

    def lines(self) -> Iterator[str]:
        behind = [one for one in self.datasets if one.update or one.latest or one.state]
        if not behind:
            yield "everything in dreg.lock is up to date"
            return
        yield from table(
            ("DATASET", "REQUEST", "LOCKED", "IN RANGE", "LATEST"),
            [
                (
                    one.dataset,
                    one.request,
                    f"{one.locked}{one.state}",
                    one.update or "-",
                    one.latest or "-",
                )
                for one in behind
            ],
        )
        moved = [one for one in behind if one.registry is not None]
        for number, one in enumerate(moved):
            yield from () if number else [""]
            yield f"{one.dataset} is asked for from {one.registry} by now"
        if any(one.update for one in behind):
            yield ""
            yield "see what changed: dreg update --explain"


@dataclass
class Known:
    """The releases of the registries that are asked, each of them once."""

    tags: dict[str, dict[str, git.Tag]] = field(default_factory=dict)
    releases: dict[tuple[str, str], list[Release]] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)

    def of(self, repo: str, dataset: str) -> list[Release]:
        """The dataset's releases, marked where yanked. Raises Outside when nobody answers."""
        if repo not in self.tags:
            self.tags[repo] = git.remote_tags(repo, "*-v*")
        if (repo, dataset) not in self.releases:
            self.releases[repo, dataset] = tagged(repo, self.tags[repo], dataset)
        return self.releases[repo, dataset]

    def asked_at(self, repo: str, pin: Pin, said: str | None) -> str:
        """The registry; or, if it is the locked one, nobody `said` so, and it does not answer, that which the environment
        names, if that one does."""
        other = other_than(repo)
        if repo in self.tags or other is None or said is not None or repo != pin.repo:
            return repo
        if repo not in self.instead:
            try:
                self.tags[repo] = git.remote_tags(repo, "*-v*")
                return repo
            except git.Unreachable as error:
                try:
                    self.tags[other] = git.remote_tags(other, "*-v*")
                except DregError:
                    raise error from None
            tell(repo, other)
            self.instead[repo] = other
        return self.instead[repo]


def outdated(repo: str | None = None) -> Outdated:
    """How the locked releases stand. Raises BadRequest without a lock, Outside when nobody answers."""
    lock, asked, known = read_lock(Path.cwd()), read_requests(Path.cwd()), Known()
    return Outdated(tuple(standing(pin, asked, known, repo) for pin in pins_of(lock, None)))


def pins_of(lock: Lock, name: str | None) -> list[Pin]:
    """The locked datasets, or the one named. Raises BadRequest when there is none such."""
    if not lock.pins:
        asked = read_requests(Path.cwd()).datasets
        raise BadRequest(
            "there is no dreg.lock here, or nothing in it",
            hint="lock what dreg.toml asks for: dreg fetch"
            if asked
            else "name a dataset: dreg fetch NAME@^1.0 --repo URL",
        )
    if name is None:
        return [pin for _, pin in sorted(lock.pins.items())]
    if name not in lock.pins:
        raise BadRequest(
            f"dreg.lock has no `{name}`", hint=f"it has {', '.join(sorted(lock.pins))}"
        )
    return [lock.pins[name]]


def standing(pin: Pin, asked: Requests, known: Known, repo: str | None = None) -> Standing:
    """How one locked release stands."""
    place = place_of(pin, asked, repo)
    elsewhere = repo is None and git.public_url(place) != pin.repo
    place = known.asked_at(place, pin, repo)
    releases = known.of(place, pin.dataset)
    own = None if elsewhere else next((r for r in releases if r.tag == pin.tag), None)
    if own is not None:
        pin.check_not_moved(own.commit, pin.manifest)
        _tell(place, own)
    good = usable(releases)
    wanted, revision = asked_for(pin, asked)
    update = wanted.newest(r.version for r in good)
    if revision is not None:
        commit = _commit_of(place, revision)
        update = version_at(commit, releases) if commit else None
    last = newest(finals(good))
    return Standing(
        dataset=pin.dataset,
        request=pin.request,
        locked=pin.version,
        update=update if update and (elsewhere or str(update) != str(pin.version)) else None,
        latest=last.version if last and last.version > pin.version else None,
        yanked=own is not None and own.yanked is not None,
        gone=(own is None and pin.tag != pin.commit and not elsewhere)
        or _is_gone(revision, update),
        registry=git.public_url(place) if elsewhere else None,
    )


def place_of(pin: Pin, asked: Requests, repo: str | None = None) -> str:
    """The registry of a locked dataset: the one named, or that dreg.toml names, or as it is locked."""
    entry = asked.datasets.get(pin.dataset)
    return repo or (entry.repo if entry else None) or asked.repo or pin.repo


def _is_gone(revision: str | None, update: Version | None) -> bool:
    """Whether a branch or tag that is asked for is no more; a commit's id is never looked up."""
    return revision is not None and update is None and not COMMIT.fullmatch(revision)


def asked_for(pin: Pin, asked: Requests) -> tuple[Range, str | None]:
    """The range that the dataset is asked for in, or the branch, tag or commit."""
    entry = asked.datasets.get(pin.dataset)
    return (entry.wanted, entry.revision) if entry is not None else range_or_revision(pin.request)


def _commit_of(repo: str, revision: str) -> str | None:
    """Where a branch or tag is now; None if it is gone, or of a commit, which is where it is."""
    tag, branch = (f"refs/{kind}/{revision}" for kind in ("tags", "heads"))
    names = [revision] if revision.startswith("refs/") else [tag, branch]
    found = git.remote_references(repo, *(n + p for n in names for p in ("", PEELED)))
    there = [found.get(name + PEELED) or found.get(name) for name in names]
    return next(filter(None, there), None)


def _tell(repo: str, release: Release) -> None:
    try:
        warn(repo, release)
    except DregError as error:
        out.note(f"note: {error.fact}")
