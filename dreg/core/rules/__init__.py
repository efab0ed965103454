"""The rules that price a difference between two profiles, and `assess`, which asks them all.

One rule is one small function of two profiles; its docstring says who is hurt and shows an
example that a test proves. To add one, write it here and a case in `tests/rules/`.
"""

from __future__ import annotations

from dreg.core.profile import Profile
from dreg.core.rules import classes, columns, documents, figures, splits
from dreg.core.rules.rule import RULES, Finding, Rule, rule

__all__ = ["RULES", "Finding", "Rule", "assess", "rule"]

# Imported for the rules that they register.
_ = (columns, classes, splits, figures, documents)


def assess(old: Profile, new: Profile) -> tuple[Finding, ...]:
    """Every rule's findings, the dearest first, then by rule."""
    findings = [
        # One line each, whatever a column is called: findings go into messages with trailers.
        Finding(rule.id, rule.bump, " ".join(text.split()))
        for rule in RULES.values()
        for text in rule.check(old, new)
    ]
    return tuple(sorted(findings, key=lambda finding: (-finding.bump, finding.rule)))
