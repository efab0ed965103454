"""The exact samples of a release that a run used: by the manifest that it recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from dreg.adapters import git
from dreg.adapters.index.looking import Row, found, read_rows
from dreg.adapters.objects import Stores
from dreg.api.dataset import Dataset
from dreg.api.files import ReleaseFiles, kept_index
from dreg.core.lineage import Lineage, training_splits
from dreg.core.manifest import Manifest
from dreg.core.profile import Profile
from dreg.core.release import Release, marked
from dreg.core.snapshot import INDEX
from dreg.core.version import Range
from dreg.core.wording import numbered, printable
from dreg.core.yank import Yank, tags_about
from dreg.errors import BadRequest, DregError, Refused
from dreg.fetch.pin import Request
from dreg.fetch.requested import default_repo
from dreg.output import count, out, table
from dreg.released_manifests import Manifests
from dreg.yank.known import warn


@dataclass(frozen=True)
class UsedSplit:
    """A split of the release; `used` says whether the run trained on it, `samples` how many it has,
    `chosen` whether they are told: those of the splits that were asked for, or else trained on."""

    split: str
    role: str
    samples: int
    used: bool
    chosen: bool


@dataclass(frozen=True)
class Used:
    """A release that a run used. `forms` say where in the run that is written.

    `recorded` is the commit that the run recorded, null if it recorded none. `moved`: the tag leads
    elsewhere by now, or with `gone` is not in the registry, and what is told is by the manifest that the
    run recorded. `samples` are those of the splits that are chosen, null where nothing tells them, `listed` some of them, `more` how many are left out; `sample` says
    where the one asked for is, `exported` the file that has them all. `yanked` says why the release is, null
    if it isn't.
    """

    dataset: str
    version: str
    tag: str
    repo: str
    commit: str
    manifest: str | None
    recorded: str | None
    moved: bool
    gone: bool
    forms: tuple[str, ...]
    splits: tuple[UsedSplit, ...]
    samples: int | None
    listed: Iterable[Row] | None = None
    more: int = 0
    sample: tuple[Row, ...] | None = None
    exported: str | None = None
    yanked: Yank | None = None

    def lines(self) -> Iterator[str]:
        yield f"data      {self.dataset} {self.version}, by {', '.join(self.forms)}"
        yield f"release   {self.tag} of {self.repo}"
        yield f"commit    {self.commit or 'not recorded'} ({self._state()})"
        if self.manifest:
            yield f"manifest  sha256:{self.manifest}"
        if self.yanked is not None:
            yield f"yanked    {self.yanked}"
        names = ", ".join(s.split for s in self.splits if s.chosen)
        known = self.samples is not None
        yield f"samples   {f'{count(self.samples)}, of {names}' if known else 'not recorded'}"

    def _state(self) -> str:
        if self.moved:
            return "the registry has no such tag" if self.gone else "the tag moved since"
        return "recorded by the run" if self.recorded else "the run recorded none"

    def sample_lines(self) -> Iterator[str]:
        """The samples that were asked for, as a table."""
        if self.listed is None:
            return
        yield ""
        rows = [(row.split, printable(row.key), row.hash) for row in self.listed]
        yield from table(("SPLIT", "KEY", "HASH"), rows)
        if self.more:
            yield f"and {numbered(self.more, 'more sample')}: --limit 0, or --export FILE.parquet"


class Located:
    """A release that a run names, found again in its registry. Raises as `dreg.load` does, and Refused
    for a tag that moved or is not there, unless the manifest that the run recorded still is."""

    def __init__(
        self, lineage: Lineage, repo: str | None, remote: str | None, started: str = ""
    ) -> None:
        self.lineage = lineage
        self.repo = repo or lineage.repo or default_repo(None)
        exactly = Range.parse(str(lineage.version))
        request = Request(
            lineage.dataset, exactly, self.repo, f"data/{lineage.dataset}", False, None
        )
        tags = self._tags(recorded=repo is None and lineage.repo is not None)
        tag = tags.get(lineage.tag)
        self.gone = tag is None
        self.moved = tag is None or not lineage.is_of(tag.commit, None)
        commit = lineage.commit if self.moved and lineage.commit else tag.commit if tag else ""
        release = Release(lineage.dataset, lineage.version, lineage.tag, commit)
        (release,) = marked([release], tags)
        self.yanked = warn(self.repo, release)
        self.files = ReleaseFiles(request, release, Path.cwd(), remote)
        self.manifest: str | None = lineage.manifest
        if not self.moved:
            now = self.files.found.release.manifest
            self.moved = lineage.manifest not in (None, now)
            self.manifest = lineage.manifest or now
        if self.moved:
            self._refuse_unless_recorded()
        elif lineage.commit is None and lineage.manifest is None:
            self._warn_of_later_tag(started)

    def _tags(self, *, recorded: bool) -> dict[str, git.Tag]:
        try:
            return git.remote_tags(self.repo, *tags_about(self.lineage.dataset))
        except (git.Unreachable, BadRequest) as error:
            if not recorded:
                raise
            raise type(error)(
                f"the run recorded the registry `{git.public_url(self.repo)}`, and from here {error.fact}",
                hint="name it as it is reached from here: --repo URL",
                details=error.details,
            ) from error

    def _warn_of_later_tag(self, started: str) -> None:
        """The run says no more than the version: a tag younger than the run cannot be what it used."""
        made = self.files.found.revision.date
        if made and started and datetime.fromisoformat(made) > datetime.fromisoformat(started):
            out.warn(
                f"the run names {self.lineage.tag} without its commit, and that tag was made after the run "
                "started: it may have led elsewhere then"
            )

    def _refuse_unless_recorded(self) -> None:
        where = f"`{git.public_url(self.repo)}` has no release `{self.lineage.tag}`"
        moved = f"the tag `{self.lineage.tag}` is not where it was when the run used it"
        if self.lineage.manifest is None:
            raise Refused(
                where if self.gone else moved,
                hint="the run recorded no manifest, so its bytes can't be told: "
                + (self._elsewhere() if self.gone else "ask the registry's owner"),
            )
        if self.gone:
            try:
                self._manifest()
            except DregError as error:
                raise Refused(where, hint=self._elsewhere(), details=[error.fact]) from error
        out.warn(
            f"{where if self.gone else moved}; what follows is by the manifest that the run recorded"
        )

    def _elsewhere(self) -> str:
        """Which registry to ask instead."""
        recorded = self.lineage.repo
        if recorded is None or git.public_url(self.repo) == git.public_url(recorded):
            return "name the registry that has it: --repo URL"
        return f"the run recorded another registry: --repo {recorded}"

    def _manifest(self) -> tuple[Manifest, Stores]:
        """What the run recorded. Raises as `Manifests.read` does."""
        manifests = Manifests(self.repo, self.files.remote)
        return manifests.read(self.manifest or ""), manifests.store

    @property
    def commit(self) -> str:
        return self.files.release.commit

    def profile(self) -> Profile | None:
        """The release's profile; None where it has none, or its commit is gone."""
        try:
            return Dataset(self.files).profile
        except DregError:
            return None

    def index(self) -> Path | None:
        """The sample index, here; None if the release has none."""
        if not self.moved:
            return self.files.index()
        manifest, store = self._manifest()
        files = [file for file in manifest.snapshot.files if file.path == INDEX]
        return kept_index(store, files[0], str(self.lineage.version)) if files else None

    def trained(self, profile: Profile | None) -> tuple[str, ...]:
        """The splits that the run names; else by their role."""
        there = tuple(profile.splits) if profile else self.lineage.splits
        named = tuple(name for name in self.lineage.splits if name in there)
        return named or (training_splits(profile) if profile else ("train",))

    def asked(self, profile: Profile | None, wanted: Sequence[str]) -> tuple[str, ...]:
        """The splits that are asked for. Raises BadRequest for one that there is not."""
        there = tuple(profile.splits) if profile else self.lineage.splits
        asked = tuple(there if "all" in wanted else wanted)
        refuse_unknown(asked, there, f"{self.lineage.dataset} {self.lineage.version}")
        return asked


def used(located: Located, splits: Iterable[str], limit: int | None, sample: str | None) -> Used:
    """What the run used of the release; `limit` asks for samples one by one, 0 for all of them."""
    lineage, profile = located.lineage, located.profile()
    trained = located.trained(profile)
    chosen = located.asked(profile, tuple(splits)) or trained
    index = located.index() if profile is None or limit is not None or sample else None
    told = _splits(profile, index, trained, chosen)
    samples = sum(split.samples for split in told if split.chosen) if told else None
    if index is None and (limit is not None or sample):
        raise no_index(lineage.dataset, str(lineage.version))
    answer = Used(
        dataset=lineage.dataset,
        version=str(lineage.version),
        tag=lineage.tag,
        repo=git.public_url(located.repo),
        commit=located.commit,
        manifest=located.manifest,
        recorded=lineage.commit,
        moved=located.moved,
        gone=located.gone,
        forms=lineage.forms,
        splits=told,
        samples=samples,
        yanked=located.yanked,
    )
    if index is not None and limit is not None:
        rows = Listing(index, chosen, limit)
        answer = replace(answer, listed=rows, more=max(0, (samples or 0) - limit) if limit else 0)
    if index is not None and sample:
        answer = replace(answer, sample=tuple(found(index, sample)))
    return answer


def refuse_unknown(splits: Iterable[str], there: Sequence[str], called: str) -> None:
    """Raises BadRequest for a split that there is not, if it is known which there are."""
    for name in splits:
        if there and name != "all" and name not in there:
            raise BadRequest(
                f"{called} has no split `{name}`", hint=f"splits: {', '.join(there)}, or all"
            )


def no_index(dataset: str, version: str) -> BadRequest:
    """The error for single samples of a release that has no sample index."""
    return BadRequest(
        f"{dataset} {version} has no sample index, so single samples can't be told",
        hint=f"it was released before there were any; fetch its files: dreg fetch {dataset}@{version}",
    )


class Listing:
    """Samples of some splits, read from the index each time that one goes through them."""

    def __init__(self, index: Path, splits: tuple[str, ...], limit: int) -> None:
        self._index, self._splits, self._limit = index, splits, limit

    def __iter__(self) -> Iterator[Row]:
        return islice(read_rows(self._index, self._splits), self._limit or None)


def _splits(
    profile: Profile | None, index: Path | None, trained: tuple[str, ...], chosen: tuple[str, ...]
) -> tuple[UsedSplit, ...]:
    if profile is not None:
        return tuple(
            UsedSplit(name, split.role, split.num_samples, name in trained, name in chosen)
            for name, split in profile.splits.items()
        )
    if index is None:
        return ()
    counts: dict[str, int] = {}
    for row in read_rows(index, None):
        counts[row.split] = counts.get(row.split, 0) + 1
    return tuple(
        UsedSplit(name, "", number, name in trained, name in chosen)
        for name, number in counts.items()
    )
