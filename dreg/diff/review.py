"""Reviewing a dataset: what changed since a release, and whether it keeps its contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from semver import Version

from dreg.catalog import choose, releases_of, warn_of_tags_elsewhere
from dreg.core.decision import above, decide, explained, priced
from dreg.core.release import Release, first_version, highest_final, last_final
from dreg.core.rules import USUAL, Finding
from dreg.core.samples import KINDS, Entry
from dreg.core.version import Bump, parse_request
from dreg.core.wording import as_markdown, printable, tick
from dreg.diff.samples import Samples, samples_since
from dreg.errors import BadRequest
from dreg.freshness import measured, tell_of_changes
from dreg.history import pricing_of, profile_of, promised_otherwise, tell_of_new_prices
from dreg.output import table
from dreg.registry import Registry


@dataclass(frozen=True)
class Difference:
    """What changed from release `old` to release `new`, or to the tree when `new` is null.

    `bump` is the highest price among the findings; `next` is the version that follows `old` at
    that price. Before the first release `old` is null. `findings` are the dearest first.
    """

    dataset: str
    old: Version | None
    new: Version | None
    bump: Bump
    next: Version
    findings: tuple[Finding, ...]
    samples: Samples | None = None

    def lines(self) -> Iterator[str]:
        yield self.headline
        if self.findings:
            yield ""
            yield from explained(self.findings)
        yield from self._samples()

    @property
    def headline(self) -> str:
        """From which version to which, at what price."""
        if self.old is None:
            return f"{self.dataset}: no release yet; the first will be {self.next}"
        if not self.findings:
            return (
                f"{self.dataset} {self.old}{f' -> {self.new}' if self.new else ''}: nothing changed"
            )
        free = self.bump is Bump.NONE
        price = "nothing that changed has a price" if free else priced(self.bump, self.next)
        return f"{self.dataset} {self.old} -> {self.new or self.next} ({price})"

    def _samples(self) -> Iterator[str]:
        samples = self.samples
        if samples is None or not samples.splits:
            return
        headers, rows = samples.table()
        yield ""
        yield from table([name.upper() for name in headers], [(f"{n[0]}", *n[1:]) for n in rows])
        if samples.listed:
            yield ""
            kinds, splits = (
                max(map(len, words)) for words in (KINDS, ["SPLIT", *samples.places()])
            )
            entries = map(_listed, samples.entries or ())
            for kind, where, key in chain([("SAMPLE", "SPLIT", "KEY")], entries):
                yield f"{kind:{kinds}}  {where:{splits}}  {key}".rstrip()
            if samples.more:
                yield f"and {samples.more:,} more; all of them: --limit 0"

    def markdown(self) -> Iterator[str]:
        """The same for a comment in a review."""
        yield f"### {self.headline}"
        if self.findings:
            yield from ("", "| price | what changed | who is hurt |", "|---|---|---|")
            for finding in self.findings:
                yield _row(
                    as_markdown(_priced(finding)),
                    f"{as_markdown(finding.text)} (`{finding.rule}`)",
                    as_markdown(finding.hurts),
                )
        samples = self.samples
        if samples is None or not samples.splits:
            return
        headers, rows = samples.table()
        yield from ("", _row(*headers), _row("---", *["---:"] * (len(headers) - 1)))
        yield from (_row(as_markdown(split), *counts) for split, *counts in rows)
        if samples.listed:
            yield from ("", "| sample | split | key |", "|---|---|---|")
            yield from (
                _row(kind, as_markdown(where), tick(key))
                for kind, where, key in map(_listed, samples.entries or ())
            )
            if samples.more:
                yield from ("", f"and {samples.more:,} more")


def _listed(entry: Entry) -> tuple[str, str, str]:
    where = f"{entry.before} -> {entry.split}" if entry.before else entry.split
    return entry.kind, where, printable(entry.key)


def _priced(finding: Finding) -> str:
    return f"{finding.bump} ({finding.override})" if finding.override else str(finding.bump)


def _row(*cells: object) -> str:
    """A row of a Markdown table, whatever is in the cells."""
    return "| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in cells) + " |"


def compare(
    registry: Registry,
    request: str,
    other: str | None = None,
    *,
    limit: int | None = None,
    indexes: bool = True,
) -> Difference:
    """The tree against the latest release; `name@version`: against that one, or another release.

    Reads profiles and sample indexes, no data; an index that is not here is downloaded. `limit`
    asks for samples one by one, 0 for all; without `indexes` single samples are not compared. Raises BadRequest for an unknown dataset or release, or
    a dataset that was never run; Outside when an index can't be had.
    """
    name, wanted = parse_request(request)
    dataset = registry.dataset(name)
    releases = releases_of(registry.root, name)
    warn_of_tags_elsewhere(dataset, {release.version for release in releases})
    if "@" in request or other is not None:
        old: Release | None = choose(name, wanted, releases)
    else:
        old = last_final(releases)
    new = None
    if other is not None:
        if parse_request(other)[0] != name:
            raise BadRequest(
                f"`{request}` and `{other}` are two datasets",
                hint=f"compare releases of one: dreg diff {name}@1.0.0 {name}@1.1.0",
            )
        new = choose(name, parse_request(other)[1], releases) if "@" in other else None
    after = measured(dataset) if new is None else profile_of(dataset, new)
    if new is None:
        tell_of_changes(dataset)
    if after is None:
        raise BadRequest(
            f"{name} {new.version if new else ''} has no profile that dreg reads",
            hint=f"compare the tree with it: dreg diff {request}",
        )
    before = profile_of(dataset, old) if old else None
    pricing = pricing_of(dataset, old) if old else USUAL
    if old and new is None:
        tell_of_new_prices(dataset, pricing)
    compared = None
    if indexes and old and before:
        compared = samples_since(dataset, old, before, new, after)
    decision = decide(
        before,
        after,
        old.version if old else None,
        first_version(releases),
        pricing,
        compared.changes if compared else None,
        promised_otherwise(dataset, old, new) if old else (),
    )
    if old == last_final(releases):
        decision = above(decision, highest_final(releases))
    return Difference(
        dataset=name,
        old=old.version if old else None,
        new=new.version if new else None,
        bump=decision.bump,
        next=decision.version,
        findings=decision.findings,
        samples=compared.answer(limit) if compared else None,
    )
