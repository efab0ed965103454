"""Reviewing a pull request's datasets: next version, findings, gates, samples, and whom it reaches.

It asks for no secret. What only the data or a remote could tell, and cannot be had, is told as not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from semver import Version

from dreg.adapters.git import Repository
from dreg.adapters.step_files import tell_summary
from dreg.adapters.written import written
from dreg.catalog import releases_of
from dreg.ci.pictures import pictures
from dreg.ci.planning import planned
from dreg.core.ci.comment import LIMIT, comment
from dreg.core.ci.reviewed import (
    FORMAT,
    Column,
    Downstream,
    InSplit,
    Reviewed,
    Sample,
    Told,
)
from dreg.core.freshness import State
from dreg.core.gates import breaches
from dreg.core.profile import Feature, Profile
from dreg.core.release import last_final
from dreg.core.violations import violations
from dreg.core.wording import numbered
from dreg.diff.review import Difference, compare
from dreg.errors import DregError
from dreg.freshness import state_of
from dreg.history import profile_of
from dreg.inspection import breached, violated
from dreg.output import jsonable
from dreg.registry import Dataset, Registry

FILE, TEXT = "review.json", "review.md"
MOST_SAMPLES = 10
SUMMARY_LIMIT = 512 * 1024
NOT_SEEN = "single samples could not be compared, and may cost more"
NOT_READ = "the data is not here, so gates and promises that only it tells were not looked at"


@dataclass(frozen=True)
class Review:
    """The answer of `dreg ci review`, and what `review.json` has: datasets that were touched since `base`.

    `head` is the commit that was reviewed, `pull` the pull request's number where it is known.
    `gone` are datasets that were there at `base`.
    """

    format: int
    base: str
    head: str
    pull: int | None
    datasets: tuple[Reviewed, ...]
    gone: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        yield from self.markdown().splitlines()

    def markdown(self, limit: int = LIMIT) -> str:
        """The comment, without pictures: those are on GitHub."""
        return comment(self.datasets, gone=self.gone, head=self.head, limit=limit)


def ci_review(
    registry: Registry,
    base: str,
    *,
    head: str | None = None,
    pull: int | None = None,
    results: Path | None = None,
) -> Review:
    """What the commits since `base` do to datasets; `results` is the folder for review.json, review.md and pictures.

    `head` is what to call the reviewed commit, if not HEAD: a pull request is checked out as merged.
    Raises BadRequest for a base that is nowhere.
    """
    found = planned(registry, since=base)
    why = {touched.name: touched.why for touched in found.datasets}
    commit = Repository(registry.root).ask("rev-parse", "HEAD")
    review = Review(
        FORMAT,
        found.since or base,
        head or commit,
        pull,
        tuple(
            _reviewed(registry, name, reasons, head or commit, results)
            for name, reasons in why.items()
        ),
        found.gone,
    )
    if results is not None:
        for name, text in (
            (FILE, json.dumps(jsonable(review), indent=2)),
            (TEXT, review.markdown()),
        ):
            with written(results.expanduser().absolute() / name) as file:
                file.write(f"{text}\n".encode())
    tell_summary(review.markdown(SUMMARY_LIMIT).splitlines())
    return review


def _reviewed(
    registry: Registry, name: str, why: tuple[str, ...], head: str, results: Path | None
) -> Reviewed:
    try:
        dataset = registry.dataset(name)
        state = str(state_of(dataset).state)
        return _compared(registry, dataset, why, state, head, results)
    except DregError as error:
        details = error.details[:1]
        return Reviewed(name, why, "broken", error="; ".join([error.fact, *details]))


def _compared(
    registry: Registry,
    dataset: Dataset,
    why: tuple[str, ...],
    state: str,
    head: str,
    results: Path | None,
) -> Reviewed:
    name = dataset.name
    profile = dataset.profile()
    if profile is None:
        if state == str(State.NEVER_RUN):
            return Reviewed(name, why, state, error="it was never run")
        return Reviewed(name, why, "broken", error="it has no profile")
    difference, unseen = _difference(registry, name)
    last = last_final(releases_of(registry.root, name))
    before = profile_of(dataset, last) if last else None
    problems, unread = _problems(dataset, profile, before)
    drawn = pictures(dataset, last, head, results)
    samples = difference.samples
    entries = islice(samples.entries or (), MOST_SAMPLES) if samples else ()
    headers, rows = samples.table() if samples and samples.splits else ((), [])
    return Reviewed(
        name=name,
        why=why,
        state=state,
        unseen=(*unseen, *unread, *drawn.unseen),
        last=str(difference.old) if difference.old else None,
        next=str(difference.next),
        bump=str(difference.bump),
        findings=tuple(
            Told(f"{f.bump} ({f.override})" if f.override else str(f.bump), f.rule, f.text, f.hurts)
            for f in difference.findings
        ),
        problems=problems,
        columns=tuple(_columns(before, profile)),
        splits=tuple(_splits(before, profile)),
        counts=((headers, *rows) if rows else ()),
        samples=tuple(
            Sample(e.kind, f"{e.before} -> {e.split}" if e.before else e.split, e.key)
            for e in entries
        ),
        more_samples=samples.more if samples else 0,
        pictures=drawn.shown,
        pictures_beside=drawn.beside,
        downstream=tuple(_downstream(registry, name, difference.next)),
    )


def _difference(registry: Registry, name: str) -> tuple[Difference, tuple[str, ...]]:
    """The difference, and what could not be seen of it: an index may be out of reach without a key."""
    try:
        return compare(registry, name, limit=MOST_SAMPLES), ()
    except DregError:
        return compare(registry, name, indexes=False), (NOT_SEEN,)


def _problems(
    dataset: Dataset, profile: Profile, before: Profile | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What breaks the contract, and whether there was more to look at: by the data if it is here."""
    contract = dataset.contract()
    try:
        found = (
            *violated(dataset, contract, profile),
            *breached(dataset, contract, profile, before),
        )
        return tuple(map(str, found)), ()
    except DregError:
        gates = breaches(contract.gates, contract.classes, profile, before)
        return tuple(map(str, (*violations(contract, profile), *gates))), (NOT_READ,)


def _columns(before: Profile | None, now: Profile) -> Iterator[Column]:
    old = before.features if before else {}
    for name in dict.fromkeys([*old, *now.features]):
        was, is_ = _words(old.get(name)), _words(now.features.get(name))
        if was != is_ and before:
            yield Column(name, was, is_)


def _words(feature: Feature | None) -> str | None:
    if feature is None:
        return None
    told = feature.type
    told += f" {'x'.join(map(str, feature.shape))}" if feature.shape else ""
    told += ", may be null" if feature.nullable else ""
    told += f", {numbered(len(feature.classes), 'class')}" if feature.classes else ""
    return told + (f", {feature.unit}" if feature.unit else "")


def _splits(before: Profile | None, now: Profile) -> Iterator[InSplit]:
    old = before.splits if before else {}
    for name in dict.fromkeys([*old, *now.splits]):
        was, is_ = old.get(name), now.splits.get(name)
        yield InSplit(name, was.num_samples if was else None, is_.num_samples if is_ else None)


def _downstream(registry: Registry, name: str, following: Version) -> Iterator[Downstream]:
    for other in registry.names:
        try:
            wanted = registry.dataset(other).contract().upstream.get(name)
        except DregError:
            continue
        if wanted is not None:
            fits = not wanted.bounds or following in wanted
            yield Downstream(other, str(wanted) or "any version", fits)
