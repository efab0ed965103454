"""What an automated run came to: its answer, `result.json`, and the summary that people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semver import Version

from dreg.core.ci.markup import code, row, sentence
from dreg.core.ci.result_schema import FORMAT
from dreg.core.rules import Finding
from dreg.core.version import Bump
from dreg.core.wording import numbered
from dreg.errors import DregError, Refused, Stale
from dreg.output import count, table
from dreg.release.answer import Released

MOST_FINDINGS = 20


@dataclass(frozen=True)
class Outcome:
    """What became of one dataset. `state`: changed (a new release), unchanged (the release that is
    there), stale (somebody else changed it meanwhile), refused (it would break a promise) or failed.

    `why`, `details` and `hint` say what kept it from a release, and the next move. `stages` are those that ran.
    """

    dataset: str
    state: str
    version: Version | None = None
    previous: Version | None = None
    bump: Bump = Bump.NONE
    tag: str | None = None
    commit: str | None = None
    manifest: str | None = None
    findings: tuple[Finding, ...] = ()
    exceptions: tuple[str, ...] = ()
    samples: int | None = None
    objects_pushed: int = 0
    stages: tuple[str, ...] = ()
    seconds: float = 0.0
    log: str | None = None
    why: str = ""
    details: tuple[str, ...] = ()
    hint: str = ""

    @property
    def told(self) -> str:
        """In a few words."""
        if self.state == "changed":
            since = f"{self.previous} -> {self.version}" if self.previous else f"{self.version}"
            return f"{since}, {self.bump}" if self.previous else f"{since}, first release"
        return f"{self.version}" if self.state == "unchanged" else self.why


@dataclass(frozen=True)
class Trouble:
    """What went wrong with the whole run, and the next move."""

    fact: str
    details: tuple[str, ...]
    hint: str


@dataclass(frozen=True)
class Result:
    """The answer of `dreg ci run`, and what `result.json` has.

    `automated` says which run it was, null for a person's; `commit` is what was checked out. `dry_run`: nothing was
    pushed, and what is changed would be released. `error` is what kept the run from looking at all datasets.
    """

    format: int
    exit_code: int
    automated: str | None
    commit: str | None
    compute_type: str
    dry_run: bool
    datasets: tuple[Outcome, ...]
    error: Trouble | None = None

    def of(self, *states: str) -> list[Outcome]:
        """The outcomes in one of these states."""
        return [outcome for outcome in self.datasets if outcome.state in states]

    def lines(self) -> Iterator[str]:
        if not self.datasets:
            yield from () if self.error else ("no datasets",)
            return
        rows = [(o.dataset, o.state, count(o.samples), o.told) for o in self.datasets]
        yield from table(("DATASET", "STATE", "SAMPLES", "RELEASE OR WHY NOT"), rows)

    def markdown(self) -> Iterator[str]:
        """The same for a job's summary, with the reasons; whatever is in names and texts."""
        done = "would be released" if self.dry_run else "released"
        yield f"### {numbered(len(self.of('changed')), 'dataset')} {done}"
        if self.error:
            yield from ("", f"**{sentence(self.error.fact)}** {sentence(self.error.hint)}")
        if self.datasets:
            yield from ("", row("dataset", "state", "release"), row("---", "---", "---"))
        for one in self.datasets:
            where = code(one.tag) if one.tag else ""
            yield row(code(one.dataset), one.state, f"{where} {sentence(one.told)}".strip())
        for one in self.datasets:
            yield from _reasons(one)


def _reasons(one: Outcome) -> Iterator[str]:
    if one.state == "unchanged" or not (one.findings or one.exceptions or one.why):
        return
    yield from ("", f"#### {code(one.dataset)}", "")
    for finding in one.findings[:MOST_FINDINGS]:
        yield f"- {finding.bump}: {sentence(finding.text)} ({code(finding.rule)})"
    if len(one.findings) > MOST_FINDINGS:
        yield f"- and {len(one.findings) - MOST_FINDINGS:,} more, in the tag's message"
    yield from (f"- exception: {sentence(exception)}" for exception in one.exceptions)
    if one.why:
        yield f"- {sentence(one.why)}"
        yield from (f"  - {sentence(line)}" for line in one.details[:MOST_FINDINGS])
        yield f"- next: {code(one.hint)}"


def failed(dataset: str, error: DregError) -> Outcome:
    """What is told of a dataset that something went wrong with."""
    kind = (
        "stale"
        if isinstance(error, Stale)
        else "refused"
        if isinstance(error, Refused)
        else "failed"
    )
    return Outcome(dataset, kind, why=error.fact, details=error.details, hint=error.hint)


def settled(released: Released) -> Outcome:
    """What is told of a dataset that is released, now or before."""
    return Outcome(
        released.dataset,
        "unchanged" if released.state == "unchanged" else "changed",
        version=released.version,
        previous=released.previous,
        bump=released.bump,
        tag=released.tag,
        commit=released.commit,
        manifest=released.manifest,
        findings=released.findings,
        exceptions=released.exceptions,
        samples=released.samples,
        objects_pushed=released.objects_pushed,
    )


def result(
    outcomes: tuple[Outcome, ...],
    *,
    automated: str | None,
    commit: str | None,
    compute_type: str,
    dry_run: bool,
    error: DregError | None,
    complete: bool,
) -> Result:
    """The whole answer; `error` is what the command ends with, if it does not end well, and told for itself
    unless the outcomes are `complete`: then each has its own."""
    whole = None if error is None or complete else Trouble(error.fact, error.details, error.hint)
    code_ = error.exit_code if error else 0
    return Result(FORMAT, code_, automated, commit, compute_type, dry_run, outcomes, whole)
