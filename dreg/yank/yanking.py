"""Yanking a release: recorded as a tag on the git remote, so that no range resolves to it any more.

The release itself stays as it is: who has it in a lock, or asks for just that version, gets it
and is told. Taking a yank back is another tag; none ever moves or goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from semver import Version

from dreg.adapters.git import Repository, public_url, remote_tags
from dreg.adapters.git.publish import Publisher
from dreg.adapters.git.pushing import LostRace
from dreg.adapters.lock_file import find_locks, read_lock, refuse_no_folder
from dreg.adapters.scratch import tidy
from dreg.adapters.yaml_files import shown
from dreg.catalog import releases_in, yank_in
from dreg.core.release import Release, Story, newest, usable
from dreg.core.version import Range, parse_request, parse_tag
from dreg.core.wording import printable
from dreg.core.yank import Records, Yank, check_reason, record_message, records, tags_about
from dreg.errors import BadRequest, DregError, Refused
from dreg.history import fetched
from dreg.output import out
from dreg.registry import Dataset, Registry, unknown_dataset
from dreg.release.branch_tip import GIT_REMOTE, refuse_other_remotes

ATTEMPTS = 8


@dataclass(frozen=True)
class Affected:
    """Who depends on the release: `kind` is `lock`, `run`, `release` or `dataset`; `who` the lock's or
    dataset's path, the run's id, or the tag of a release that was made from it; `how` the locked
    request, the run's name, or `upstream`. `instead` is what a lock's request resolves to now, null
    if nothing."""

    kind: str
    who: str
    how: str
    instead: Version | None


@dataclass(frozen=True)
class Yanked:
    """What became of a release. `state`: yanked, unyanked, or unchanged, when it was so already.

    `yank` says why it is yanked, null if it isn't. `record` is the tag that says so, or takes it
    back. `latest` is what a range without bounds resolves to now. `affected` are those that dreg
    can know of here.
    """

    dataset: str
    version: Version
    tag: str
    state: str
    yank: Yank | None
    record: str | None
    latest: Version | None
    affected: tuple[Affected, ...]
    pushed_to: str | None

    def lines(self) -> Iterator[str]:
        name = f"{self.dataset} {self.version}"
        if self.yank is None:
            yield f"{name} is not yanked" if self.state == "unchanged" else f"unyanked {name}"
        else:
            was = self.state == "unchanged"
            yield f"{name} is yanked already: {self.yank}" if was else f"yanked {name}: {self.yank}"
        if self.record:
            where = f" on {self.pushed_to}" if self.pushed_to else ", only in this repository"
            yield f"  record    {self.record}{where}"
        now = f"resolve to {self.latest}" if self.latest else "resolve to nothing"
        yield f"  ranges    {now}, if nothing else is asked for"
        for one in self.affected:
            if one.kind == "lock":
                instead = f"would get {one.instead}" if one.instead else "has nothing else"
                yield f"  affected  {one.who} has it; `{one.how}` {instead}"
            elif one.kind == "run":
                yield f"  affected  run {one.who} used it: {printable(one.how)}"
            elif one.kind == "release":
                yield f"  affected  {one.who} was made from it"
            else:
                yield f"  affected  {one.who} is made from {self.dataset}"


@dataclass(frozen=True)
class Places:
    """Where users of a release are looked for: folders with a dreg.lock in or below them (by default
    the registry's), and MLflow's store (by default as the environment says)."""

    locks: tuple[Path, ...] = ()
    tracking: str | None = None


def yank(registry: Registry, request: str, reason: str, places: Places = Places()) -> Yanked:
    """Let no range resolve to a release any more, for a reason that consumers are shown.

    Raises BadRequest for a release that doesn't exist, a reason that says nothing, or a folder to look
    for locks in that is not there.
    """
    refuse_no_folder(places.locks)
    return _record(registry, request, "yank", check_reason(reason), places)


def unyank(registry: Registry, request: str, reason: str | None = None) -> Yanked:
    """Take a yank back. Raises BadRequest for a release that doesn't exist."""
    said = "" if reason is None else check_reason(reason)
    return _record(registry, request, "unyank", said, Places())


def _record(registry: Registry, request: str, kind: str, reason: str, places: Places) -> Yanked:
    name, version = _exactly(request)
    dataset = Dataset(registry.root, name)
    tidy(Repository(registry.root).git_folder)
    lost = ""
    for _ in range(ATTEMPTS):
        releases, about = _known(dataset, registry, version)
        release = next(r for r in releases if r.version == version)
        standing = about.get(release.tag, Records(release.tag))
        if (standing.yanked is not None) == (kind == "yank"):
            answer = _answer(registry, release, releases, "unchanged", standing.newest, places)
            if answer.yank and answer.yank.reason != reason:
                out.warn(
                    f"the reason `{reason}` was not recorded: the first one stays; to give another: "
                    f"dreg unyank {name}@{version}, then yank it again"
                )
            return answer
        record = standing.next_yank if kind == "yank" else standing.next_unyank
        try:
            _publish(dataset, release, record, record_message(kind, release.tag, reason))
        except LostRace as race:  # somebody else has just recorded something: look again
            lost = str(race)
            continue
        now, _ = _known(dataset, registry, version, here=True)
        commit = release.commit  # the tag here may be another one
        release = replace(next(r for r in now if r.version == version), commit=commit)
        return _answer(registry, release, now, f"{kind}ed", record, places)
    raise Refused(
        f"`{name}` {version} could not be {kind}ed: others were faster {ATTEMPTS} times",
        hint="nothing was recorded; try again",
        details=lost.strip().splitlines()[-3:],
    )


def _exactly(request: str) -> tuple[str, Version]:
    """Dataset and version of `name@1.2.0` or of a tag. Raises BadRequest for a range."""
    tag = parse_tag(request)
    if tag is not None:
        return tag
    name, wanted = parse_request(request)
    if [operator for operator, _ in wanted.bounds] != ["="]:
        raise BadRequest(
            f"`{request}` does not name one version",
            hint=f"name the release: {name}@1.2.0; dreg list has the latest",
        )
    return name, wanted.bounds[0][1]


def _known(
    dataset: Dataset, registry: Registry, version: Version, *, here: bool = False
) -> tuple[list[Release], dict[str, Records]]:
    """The dataset's releases, and what was recorded about them, on the git remote or here.

    Raises BadRequest unless `version` is among them.
    """
    name, repository = dataset.name, Repository(dataset.root)
    patterns = tags_about(name)
    if repository.remote_url(GIT_REMOTE) is None:
        refuse_other_remotes(repository)
        here = True
    if here:
        tags = {tag.name: tag for tag in repository.full_tags(*patterns)}
    else:
        tags = remote_tags(GIT_REMOTE, *patterns, cwd=dataset.root)
    own = [release for release in releases_in(tags.values()) if release.dataset == name]
    if not own and name not in registry.names:
        raise unknown_dataset(name, registry.names)
    if version not in [release.version for release in own]:
        there = ", ".join(map(str, sorted(release.version for release in own)[-5:]))
        raise BadRequest(
            f"`{name}` has no release {version}",
            hint=f"there are: {there}" if there else f"release it first: dreg release {name}",
        )
    return own, records(tags)


def _publish(dataset: Dataset, release: Release, record: str, message: str) -> None:
    """The record's tag: its object first, then on the git remote if it is new there, then here."""
    repository, publisher = Repository(dataset.root), Publisher(dataset.root)
    remote = repository.remote_url(GIT_REMOTE) is not None
    if remote:
        fetched(dataset, release)
    published = publisher.tag(record, release.commit, message)
    if not remote:
        publisher.adopt_tag(published)
        return
    publisher.push_tag(GIT_REMOTE, published)
    before = repository.try_("rev-parse", "--verify", "--quiet", f"refs/tags/{record}")
    if before is not None and before != published.tag_object:  # never pushed, or it would be there
        out.warn(f"the tag `{record}` that was only here is now the pushed one; it was {before}")
    publisher.adopt_tag(published, before)


def _answer(
    registry: Registry,
    release: Release,
    releases: list[Release],
    state: str,
    record: str | None,
    places: Places,
) -> Yanked:
    repository = Repository(registry.root)
    if (
        record and record not in repository.tags()
    ):  # recorded elsewhere, or by a run that was killed
        Publisher(registry.root).fetch_tags(GIT_REMOTE, [record])
    why = yank_in(repository.full_tags(record), release) if record else None
    last = newest(usable(releases))
    return Yanked(
        dataset=release.dataset,
        version=release.version,
        tag=release.tag,
        state=state,
        yank=why if release.yanked else None,
        record=record,
        latest=last.version if last else None,
        affected=tuple(_affected(registry, release, releases, places)),
        pushed_to=repository.remote_url(GIT_REMOTE),
    )


def _affected(
    registry: Registry, release: Release, releases: list[Release], places: Places
) -> Iterator[Affected]:
    yield from _locks(registry, release, releases, places.locks)
    url = Repository(registry.root).remote_url(GIT_REMOTE)
    yield from _runs(release, places.tracking, url and public_url(url))
    for tag in Repository(registry.root).full_tags("*-v*"):
        if release.tag in Story.of(tag.message or "").upstream:
            yield Affected("release", tag.name, "upstream", None)
    for name in registry.names:
        try:
            upstream = registry.dataset(name).contract().upstream
        except DregError as error:
            out.warn(error.fact)
            continue
        if release.dataset in upstream:
            yield Affected("dataset", f"pipelines/{name}", "upstream", None)


def _locks(
    registry: Registry, release: Release, releases: list[Release], folders: tuple[Path, ...]
) -> Iterator[Affected]:
    for path in find_locks(folders or (registry.root,)):
        try:
            pin = read_lock(path.parent).pins.get(release.dataset)
        except DregError as error:
            out.warn(error.fact)
            continue
        if pin is not None and pin.commit == release.commit:
            instead = Range.parse(pin.request).newest(r.version for r in usable(releases))
            yield Affected("lock", shown(path), pin.request, instead)


def _runs(release: Release, tracking: str | None, repo: str | None) -> Iterator[Affected]:
    """Runs that MLflow has of the release, where a store is known; that it can't be asked is told."""
    from dreg.adapters.mlflow.connecting import store_here
    from dreg.adapters.mlflow.reading import Tracking

    uri = store_here(tracking)
    if uri is None:
        return
    digest = (release.manifest or release.commit)[:32]
    try:
        for run in Tracking(uri).runs_with(release.dataset, str(release.version), digest):
            told = release.tag, release.commit, release.manifest
            if any(one.names(*told) for one in run.lineage):
                yield Affected("run", run.id, f"{run.name}{run.marks(release.tag, repo)}", None)
    except DregError as error:
        out.warn(f"which runs are affected is not known: {error.fact}")
