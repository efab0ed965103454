"""From two profiles and the last version to the next one, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from semver import Version

from dreg.core.contract_changes import CONTRACT_CHANGED
from dreg.core.profile import Profile
from dreg.core.rules import USUAL, Finding, Pricing, assess, dearest_first
from dreg.core.samples import SampleChanges
from dreg.core.version import FIRST, Bump

UNMEASURED = "unmeasured"


@dataclass(frozen=True)
class Decision:
    """What changed since version `last`, what it costs, and the version that follows.

    `last` is None before the first release. Without findings, `version` is `last`. `computed` is
    what the findings cost, where a person chose another `bump`.
    """

    findings: tuple[Finding, ...]
    bump: Bump
    version: Version
    last: Version | None = None
    computed: Bump | None = None

    @property
    def reason(self) -> str:
        """Why this version, in a few words."""
        if self.last is None:
            return "first release"
        return priced(self.bump, self.version) if self.findings else "nothing changed"

    @property
    def only_promises(self) -> bool:
        """Whether the data is as before, and the contract promises something else of it."""
        costly = {finding.rule for finding in self.findings if finding.bump is not Bump.NONE}
        return costly == {CONTRACT_CHANGED}

    def lines(self) -> Iterator[str]:
        """The findings for people: per rule its price, who is hurt, and what it saw."""
        return explained(self.findings)


def decide(
    old: Profile | None,
    new: Profile,
    last: Version | None,
    initial: Version = FIRST,
    pricing: Pricing = USUAL,
    changes: SampleChanges | None = None,
    promised: Sequence[Finding] = (),
) -> Decision:
    """The decision on `new`, given the profile and the prices of release `last`.

    `changes` is what became of single samples since, if that is known; `promised` what the contract
    promises otherwise.

    `old` is None if there is no release, or if that release has no profile that dreg reads:
    then anything may have changed.
    """
    if last is None:
        return Decision((), Bump.MAJOR, initial, None)
    if old is None:
        unread = f"release {last} has no profile that dreg reads, so anything may have changed"
        findings: tuple[Finding, ...] = (
            Finding(UNMEASURED, Bump.MAJOR, unread, hurts="Nobody knows who."),
        )
    else:
        findings = assess(old, new, pricing, changes)
    findings = dearest_first((*findings, *promised))
    bump = max((finding.bump for finding in findings), default=Bump.NONE)
    return Decision(findings, bump, bump.after(last), last)


def priced(bump: Bump, version: Version) -> str:
    """A bump in words, and why `version` is not the one that its name says."""
    counts = bump is Bump.MAJOR and version.major == 0
    return f"{bump}, which before 1.0.0 raises the minor number" if counts else str(bump)


def above(decision: Decision, taken: Version | None) -> Decision:
    """The decision with a version above `taken`, the highest that ever was released.

    It is higher than `last` where releases since are yanked: versions are never used again.
    """
    if decision.last is None or taken is None or taken <= decision.last:
        return decision
    if decision.bump is Bump.NONE:
        return decision
    return replace(decision, version=decision.bump.after(taken), last=taken)


def explained(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Findings for people, grouped by rule: price, rule, who is hurt; below, what it saw."""
    for (bump, rule), group in groupby(findings, key=lambda finding: (finding.bump, finding.rule)):
        same = list(group)
        hurts = f": {same[0].hurts}" if same[0].hurts else ""
        override = f" ({same[0].override})" if same[0].override else ""
        yield f"{bump}  {rule}{override}{hurts}"
        for finding in same:
            yield f"  - {finding.text}"
