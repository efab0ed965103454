"""Taking newer releases into dreg.lock, and what that would change, before taking it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from semver import Version

from dreg.adapters import git
from dreg.adapters.dvc_config import Remotely
from dreg.adapters.lock_file import read_lock
from dreg.adapters.requests_file import read_requests
from dreg.core.decision import explained
from dreg.core.lock import Pin
from dreg.core.profile import Profile
from dreg.core.release import Release, usable
from dreg.core.rules import Finding, assess
from dreg.core.version import Bump
from dreg.errors import DregError
from dreg.fetch.answer import Fetched, Fetches
from dreg.fetch.fetching import fetch
from dreg.fetch.outdated import Known, asked_for, pins_of, place_of, standing
from dreg.fetch.spare import refuse_no_mirror
from dreg.output import count


@dataclass(frozen=True)
class Step:
    """One release on the way: its version, and what its tag says of it, without trailers."""

    version: Version
    message: str


@dataclass(frozen=True)
class Change:
    """What taking the newer release would change. `new` is null when the locked one is the newest.

    `bump` is the highest price among the `findings`, which hold the two profiles against each other;
    both are null where one of them has no profile that dreg reads. `steps` are the releases between.
    `yanked` says whether the locked one is, `latest` is the newest of all if that is not the locked one.
    """

    dataset: str
    old: Version
    new: Version | None
    bump: Bump | None = None
    findings: tuple[Finding, ...] | None = None
    samples: tuple[int, int] | None = None
    steps: tuple[Step, ...] = ()
    yanked: bool = False
    latest: Version | None = None

    def _beyond(self) -> str:
        return f"; {self.latest} is newer" if self.yanked and self.latest else ""

    def lines(self) -> Iterator[str]:
        if self.new is None:
            state = "yanked, and nothing else is" if self.yanked else "the newest"
            yield f"{self.dataset} {self.old} is {state} in its range{self._beyond()}"
            return
        price = "no profile to compare" if self.bump is None else str(self.bump)
        yield f"{self.dataset} {self.old} -> {self.new} ({price})"
        if self.samples:
            yield f"  samples  {count(self.samples[0])} -> {count(self.samples[1])}"
        if self.findings:
            yield ""
            yield from explained(self.findings)
        for step in self.steps:
            yield ""
            yield f"{step.version} says"
            yield from (f"  {line}".rstrip() for line in step.message.splitlines())


@dataclass(frozen=True)
class Changes:
    """The answer of `dreg update --explain`: nothing was changed."""

    datasets: tuple[Change, ...]

    def lines(self) -> Iterator[str]:
        for number, change in enumerate(self.datasets):
            if number:
                yield ""
            yield from change.lines()
        if any(change.new for change in self.datasets):
            yield ""
            yield "take it: dreg update"


def explain(name: str | None = None, repo: str | None = None) -> Changes:
    """What `update` would change, by the profiles at the tags; no data is read.

    Raises BadRequest for what is not locked, Outside when a registry does not answer.
    """
    lock, asked, known = read_lock(Path.cwd()), read_requests(Path.cwd()), Known()
    changes = []
    for pin in pins_of(lock, name):
        stands = standing(pin, asked, known, repo)
        new = stands.update
        if new is None:
            told = {"yanked": stands.yanked, "latest": stands.latest}
            changes.append(Change(pin.dataset, pin.version, None, **told))  # type: ignore[arg-type]
        else:
            _, revision = asked_for(pin, asked)
            place = known.asked_at(place_of(pin, asked, repo), pin, repo)
            releases = known.of(place, pin.dataset)
            changes.append(_change(pin, new, releases, place, revision))
    return Changes(tuple(changes))


def _change(
    pin: Pin, new: Version, releases: list[Release], place: str, revision: str | None
) -> Change:
    between = sorted(
        (r for r in usable(releases) if _between(pin.version, r.version, new)),
        key=lambda r: r.version,
    )
    said = {tag.name: tag.message or "" for tag in git.fetch_tags(place, [r.tag for r in between])}
    steps = tuple(Step(r.version, _body(said.get(r.tag, ""))) for r in between)
    target = revision or next(r.tag for r in releases if r.version == new)
    before = _before(pin, place)
    after = _profile(place, pin.dataset, target)
    if before is None or after is None:
        return Change(pin.dataset, pin.version, new, steps=steps)
    findings = assess(before, after)
    return Change(
        dataset=pin.dataset,
        old=pin.version,
        new=new,
        bump=max((finding.bump for finding in findings), default=Bump.NONE),
        findings=findings,
        samples=(before.num_samples, after.num_samples),
        steps=steps,
    )


def _between(old: Version, version: Version, new: Version) -> bool:
    final = version.prerelease is None or version == new
    return final and old < version <= new


def _body(message: str) -> str:
    """A tag's message without its trailers and signature."""
    text = message.split("-----BEGIN ", 1)[0].rstrip()
    paragraphs = text.split("\n\n")
    if paragraphs and all(line.startswith("Dreg-") for line in paragraphs[-1].splitlines()):
        paragraphs.pop()
    return "\n\n".join(paragraphs).strip()


def _before(pin: Pin, place: str) -> Profile | None:
    """The locked profile. Another registry may have its commit too; the old one may be gone."""
    if git.public_url(place) == pin.repo:
        return _profile(place, pin.dataset, pin.commit)
    for repo in (place, pin.repo):
        with suppress(DregError):
            return _profile(repo, pin.dataset, pin.commit)
    return None


def _profile(repo: str, dataset: str, revision: str) -> Profile | None:
    text = git.revision(repo, revision).read(f"data/{dataset}/metadata.json")
    try:
        return Profile.from_json(json.loads(text)) if text else None
    except (DregError, ValueError):
        return None


def update(
    name: str | None = None,
    *,
    repo: str | None = None,
    remote: Remotely = None,
    force: bool = False,
) -> Fetches:
    """Bring the newest releases in the ranges of what is locked, or of one dataset.

    Raises as `fetch` does, once all others were brought; they are the error's answer.
    """
    asked, known = read_requests(Path.cwd()), Known()
    taken: list[Fetched] = []
    failed: list[tuple[str, DregError]] = []
    for pin in pins_of(read_lock(Path.cwd()), name):
        entry = asked.datasets.get(pin.dataset)
        wanted = (entry.revision or entry.wanted.text) if entry else pin.request
        place = place_of(pin, asked, repo)
        try:
            there = known.asked_at(place, pin, repo)
            instead = there if there != place else None
            if instead:
                refuse_no_mirror(pin, instead, known.of(instead, pin.dataset))
            found = fetch(
                f"{pin.dataset}@{wanted}", repo=place, remote=remote, force=force, instead=instead
            )
            taken += found.datasets
        except DregError as error:
            failed.append((pin.dataset, error))
    if failed:
        (_, first), *others = failed
        first.answer = Fetches(tuple(taken)) if taken else None
        first.details += tuple(f"{name}: {error.fact}" for name, error in others)
        raise first
    return Fetches(tuple(taken))
