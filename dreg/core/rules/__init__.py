"""The rules that price a difference between two profiles, and `assess`, which asks them all.

One rule is one small function of two profiles; its docstring says who is hurt and shows an
example that a test proves. To add one, write it here and a case in `tests/rules/`.
"""

from __future__ import annotations

from collections.abc import Iterable

from dreg.core.pricing import Override, Pricing
from dreg.core.profile import Profile
from dreg.core.rules import (
    classes,
    columns,
    documents,
    figures,
    layout,
    metrics,
    renames,
    samples,
    splits,
    units,
)
from dreg.core.rules.rule import RULES, Finding, Rule, rule
from dreg.core.samples import SampleChanges
from dreg.core.wording import printable

__all__ = [
    "RULES",
    "USUAL",
    "Finding",
    "Override",
    "Pricing",
    "Rule",
    "assess",
    "dearest_first",
    "rule",
]

# Imported for the rules that they register.
_ = (columns, classes, splits, samples, layout, metrics, figures, units, documents)
RENAMES = ("column-renamed", "class-renamed")


USUAL = Pricing()


def assess(
    old: Profile,
    new: Profile,
    pricing: Pricing = USUAL,
    changes: SampleChanges | None = None,
) -> tuple[Finding, ...]:
    """Every rule's findings, the dearest first, then by rule; `pricing` is `old`'s contract's.

    `changes` is what became of single samples; without it profiles alone are compared. A split,
    column or class that is called otherwise is compared with what it was: to other rules, it is not
    another.
    """
    names = splits.renamed_splits(old, new, changes)
    split = splits.with_splits(old, names)
    same = renames.followed(split, new)
    known = changes.renamed(names) if changes else None
    sides = {"split-renamed": (old, changes)} | dict.fromkeys(RENAMES, (split, known))
    findings = [
        # One line each, whatever a column is called: findings go into messages with trailers, and
        # to terminals.
        _finding(rule, printable(" ".join(text.split())), pricing)
        for rule in RULES.values()
        for before, told in [sides.get(rule.id, (same, known))]
        for text in rule.check(before, new, told, **pricing.tolerated(rule))
    ]
    return dearest_first(findings)


def dearest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by price, then by rule, in their order."""
    return tuple(sorted(findings, key=lambda finding: (-finding.bump, finding.rule)))


def _finding(rule: Rule, text: str, pricing: Pricing) -> Finding:
    override = pricing.overrides.get(rule.id)
    if override is None or override.price is rule.bump:
        return Finding(rule.id, rule.bump, text, hurts=rule.hurts)
    return Finding(rule.id, override.price, text, rule.bump, override.reason, rule.hurts)
