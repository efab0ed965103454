"""From a release to who uses it: runs, models, locks, datasets made from it; and where a sample is."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semver import Version

from dreg.adapters.index.looking import export, found
from dreg.adapters.lock_file import find_locks, read_lock, refuse_no_folder
from dreg.adapters.mlflow.connecting import URI, store_here
from dreg.adapters.mlflow.reading import ModelVersion, Run
from dreg.api.dataset import Dataset
from dreg.api.files import ReleaseFiles, kept_index
from dreg.core.lineage import training_splits
from dreg.core.release import Release
from dreg.core.snapshot import INDEX
from dreg.core.wording import numbered, printable
from dreg.errors import DregError
from dreg.fetch.pin import Request, resolve
from dreg.fetch.requested import requests
from dreg.output import count, out, table
from dreg.released_manifests import Manifests
from dreg.trace.data import Listing, Used, UsedSplit, no_index, refuse_unknown
from dreg.trace.model import Wanted, ask_store, day
from dreg.yank.known import warn


@dataclass(frozen=True)
class Lock:
    """A dreg.lock that pins the release, and the request that it was."""

    path: str
    request: str


@dataclass(frozen=True)
class Downstream:
    """A release of another dataset that was made from this one, by its manifest."""

    dataset: str
    version: Version
    tag: str


@dataclass(frozen=True)
class Seen:
    """A sample in a release: `changed` if its content is not that of the release before."""

    version: Version
    split: str
    key: str
    hash: str
    changed: bool


@dataclass(frozen=True)
class Sighted:
    """In which releases a sample is, newest first; `absent` are those without it, `unknown` those
    without a sample index."""

    sample: str
    seen: tuple[Seen, ...]
    absent: tuple[Version, ...]
    unknown: tuple[Version, ...]


@dataclass(frozen=True)
class ReleaseTrace:
    """A release and who uses it, as far as that can be known here. `runs` and `models` are null where
    no tracking server is known. `data` has its splits and, if asked for, samples."""

    asked: str
    data: Used
    runs: tuple[Run, ...] | None
    models: tuple[ModelVersion, ...] | None
    locks: tuple[Lock, ...]
    downstream: tuple[Downstream, ...]
    sighted: Sighted | None = None

    def lines(self) -> Iterator[str]:
        one = self.data
        yield f"release   {one.tag} of {one.repo}"
        yield f"commit    {one.commit}"
        if one.manifest:
            yield f"manifest  sha256:{one.manifest}"
        if one.yanked is not None:
            yield f"yanked    {one.yanked}"
        told = ", ".join(f"{s.split} {count(s.samples)}" for s in one.splits)
        yield f"samples   {told or 'not recorded'}"
        if one.exported:
            yield f"exported  {one.exported}: {numbered(one.samples or 0, 'sample')}"
        yield from one.sample_lines()
        if self.sighted is not None:
            yield ""
            yield from _sighted(self.sighted)
            return
        yield ""
        yield from self._users()

    def _users(self) -> Iterator[str]:
        if self.runs is None or self.models is None:
            yield from _listed("runs", [f"not known: no tracking server ({URI} or --tracking)"])
        else:
            yield from _listed(
                "runs",
                (
                    f"{r.id}  {printable(r.name)}, {day(r.started)}"
                    f"{r.marks(self.data.tag, self.data.repo)}"
                    for r in self.runs
                ),
            )
            yield from _listed(
                "models",
                (
                    f"{m.uri}{f' @{m.aliases[0]}' if m.aliases else ''}, {day(m.registered)}"
                    for m in self.models
                ),
            )
        yield from _listed("locks", (f"{lock.path} ({lock.request})" for lock in self.locks))
        yield from _listed("upstream of", (f"{d.dataset} {d.version}" for d in self.downstream))


def _listed(what: str, told: Iterable[str]) -> Iterator[str]:
    several = list(told)
    for i, line in enumerate(several or ["none"]):
        yield f"{what if i == 0 else '':<11} {line}"


def _sighted(one: Sighted) -> Iterator[str]:
    if one.seen:
        rows = [
            (s.version, s.split, printable(s.key), s.hash, "changed" if s.changed else "")
            for s in one.seen
        ]
        yield from table(("RELEASE", "SPLIT", "KEY", "HASH", ""), rows)
    elif one.absent:
        with_index = " with a sample index" if one.unknown else ""
        yield f"no release{with_index} has the sample {printable(one.sample)!r}"
    else:
        yield f"where the sample {printable(one.sample)!r} is can't be told: no release has a sample index"
    if one.absent and (one.seen or one.unknown):
        yield f"not in    {', '.join(map(str, one.absent))}"
    if one.unknown:
        yield f"unknown   {', '.join(map(str, one.unknown))}: no sample index"


def trace_release(
    asked: str,
    wanted: Wanted,
    *,
    repo: str | None,
    remote: str | None,
    tracking: str | None,
    locks: Sequence[Path] = (),
) -> ReleaseTrace:
    """The newest release in the request's range, who uses it, and where a sample is.

    Raises BadRequest for what is not there, Outside when a neighbour fails.
    """
    refuse_no_folder(locks)
    (request,) = requests(read_lock(Path.cwd()), asked, repo=repo, output=None, raw=False)
    files = ReleaseFiles(request, resolve(request), Path.cwd(), remote)
    data = replace(_data(files, wanted), yanked=warn(request.repo, files.release))
    manifests = Manifests(request.repo, remote)
    if wanted.sample is not None:
        sighted = _sightings(manifests, data.dataset, wanted.sample)
        return ReleaseTrace(asked, data, None, None, (), (), sighted)
    runs, models = _tracked(tracking, data, files.found.release)
    return ReleaseTrace(
        asked=asked,
        data=data,
        runs=runs,
        models=models,
        locks=tuple(_locks(request, files.release, locks)),
        downstream=tuple(_downstream(manifests, data)),
    )


def _data(files: ReleaseFiles, wanted: Wanted) -> Used:
    dataset, release = Dataset(files), files.found.release
    profile = dataset.profile
    there = tuple(profile.splits) if profile else ()
    refuse_unknown(wanted.splits, there, f"{dataset.name} {dataset.version}")
    chosen = tuple(wanted.splits) or (training_splits(profile) if profile else ())
    names = there if "all" in chosen or not chosen else chosen
    splits = tuple(
        UsedSplit(name, split.role, split.num_samples, name in names, name in names)
        for name, split in (profile.splits if profile else {}).items()
    )
    samples = sum(split.samples for split in splits if split.chosen)
    listed, more, exported = None, 0, None
    if wanted.limit is not None or wanted.into is not None:
        index = files.index()
        if index is None:
            raise no_index(dataset.name, str(dataset.version))
        if wanted.limit is not None:
            listed = Listing(index, names, wanted.limit)
            more = max(0, samples - wanted.limit) if wanted.limit else 0
        if wanted.into is not None:
            told = {
                "dataset": dataset.name,
                "version": str(dataset.version),
                "commit": release.commit,
            }
            export(wanted.into, [(index, names, told)])
            exported = str(wanted.into)
    return Used(
        dataset=dataset.name,
        version=str(dataset.version),
        tag=dataset.tag,
        repo=dataset.repo,
        commit=release.commit,
        manifest=release.manifest,
        recorded=None,
        moved=False,
        gone=False,
        forms=(),
        splits=splits,
        samples=samples,
        listed=listed,
        more=more,
        exported=exported,
    )


def _tracked(
    tracking: str | None, data: Used, release: Release
) -> tuple[tuple[Run, ...] | None, tuple[ModelVersion, ...] | None]:
    if store_here(tracking) is None:
        return None, None
    store = ask_store(tracking)
    digest = (release.manifest or release.commit)[:32]
    named = store.runs_with(data.dataset, data.version, digest)
    told = release.tag, release.commit, release.manifest
    runs = [run for run in named if any(one.names(*told) for one in run.lineage)]
    if others := [run.id for run in named if run not in runs]:
        out.warn(
            f"{numbered(len(others), 'run')} used another release called {release.tag}, by commit or "
            f"manifest: {', '.join(others[:5])}"
        )
    models = [model for run in runs for model in store.models_of(run.id)]
    models.sort(key=lambda m: m.registered, reverse=True)
    return tuple(runs), tuple(models)


def _locks(request: Request, release: Release, folders: Sequence[Path]) -> Iterator[Lock]:
    for path in find_locks(folders or (Path.cwd(),)):
        try:
            pin = read_lock(path.parent).pins.get(release.dataset)
        except DregError as error:
            out.warn(error.fact)
            continue
        if pin is not None and pin.commit == release.commit:
            yield Lock(
                str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path),
                pin.request,
            )


def _downstream(manifests: Manifests, data: Used) -> Iterator[Downstream]:
    for release, manifest in manifests.all():
        for pin in manifest.made_from:
            if (pin.dataset, pin.version) == (data.dataset, data.version):
                yield Downstream(release.dataset, release.version, release.tag)


def _sightings(manifests: Manifests, dataset: str, sample: str) -> Sighted:
    seen: list[Seen] = []
    absent, unknown, before = [], [], None
    look = functools.cache(found)  # releases often have one and the same index
    for release, manifest in manifests.of(
        dataset
    ):  # oldest first: a change is against the one before
        file = next((f for f in manifest.snapshot.files if f.path == INDEX), None)
        if file is None:
            unknown.append(release.version)
            continue
        here = look(kept_index(manifests.store, file, str(release.version)), sample)
        for row in here:
            changed = before is not None and row.hash not in before
            seen.append(Seen(release.version, row.split, row.key, row.hash, changed))
        if here:
            before = {row.hash for row in here}
        else:
            absent.append(release.version)
    return Sighted(sample, tuple(reversed(seen)), tuple(reversed(absent)), tuple(reversed(unknown)))
