"""The rules for people: a list of all, or one with an example of what it finds."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dreg.adapters.yaml_files import parse_yaml, yaml_text
from dreg.core.profile import Profile
from dreg.core.rules import RULES, Rule
from dreg.core.samples import SampleChanges
from dreg.core.version import Bump
from dreg.errors import BadRequest
from dreg.output import table


@dataclass(frozen=True)
class Explained:
    """A rule, its price, who is hurt, how it recognises the difference, and what it tolerates.

    `shares` says which `thresholds` are set at another rule, and what they are called there.
    `before` and `after` are an example, the part of metadata.json that the rule looks at, `samples`
    what became of single samples, if it looks at them, and `finds` what it says about them.
    """

    rule: str
    bump: Bump
    hurts: str
    seen_by: str
    thresholds: Mapping[str, float]
    shares: Mapping[str, str]
    before: str
    after: str
    samples: str
    finds: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        yield f"{self.rule} ({self.bump})"
        yield ""
        yield self.hurts
        if self.seen_by:
            yield self.seen_by
        if self.thresholds:
            yield f"Tolerates: {self.tolerated_by_whom}"
        for title, text in self.example:
            yield from ("", title, *(f"  {line}" for line in text.splitlines()))
        yield from ("", "finds", *(f"  {text}" for text in self.finds))

    @property
    def tolerated(self) -> str:
        """The thresholds of its own in a few words; empty if there are none."""
        own = {n: value for n, value in self.thresholds.items() if n not in self.shares}
        return ", ".join(f"{n} {value:g}" for n, value in own.items())

    @property
    def tolerated_by_whom(self) -> str:
        """All thresholds, those that are set at another rule with its name."""
        return ", ".join(
            f"{self.shares[n]} {value:g}" if n in self.shares else f"{n} {value:g}"
            for n, value in self.thresholds.items()
        )

    @property
    def example(self) -> Iterator[tuple[str, str]]:
        """The example's parts by title, in the lines that metadata.json would have."""
        yield "before", self.before
        yield "after", self.after
        if self.samples:
            yield "samples", self.samples


@dataclass(frozen=True)
class Rules:
    """Every rule, the dearest first."""

    rules: tuple[Explained, ...]

    def lines(self) -> Iterator[str]:
        yield from table(
            ("RULE", "PRICE", "TOLERATES", "WHO IS HURT"),
            [(r.rule, r.bump, r.tolerated, r.hurts) for r in self.rules],
        )


def every_rule() -> Rules:
    """All rules by price, then by name."""
    ordered = sorted(RULES.values(), key=lambda rule: (-rule.bump, rule.id))
    return Rules(tuple(_explained(rule) for rule in ordered))


def explain(name: str) -> Explained:
    """One rule. Raises BadRequest for an unknown one, suggesting the closest."""
    if name not in RULES:
        close = difflib.get_close_matches(name, RULES, n=1)
        raise BadRequest(
            f"no rule named `{name}`",
            hint=f"did you mean `{close[0]}`?" if close else "list them: dreg rules",
        )
    return _explained(RULES[name])


def _explained(rule: Rule) -> Explained:
    return Explained(
        rule=rule.id,
        bump=rule.bump,
        hurts=rule.hurts,
        seen_by=rule.seen_by,
        thresholds=rule.thresholds,
        shares={name: f"{owner}: {theirs}" for name, (owner, theirs) in rule.shares.items()},
        before=_readable(rule.before),
        after=_readable(rule.after),
        samples=_readable(rule.samples),
        finds=tuple(rule.check(_example(rule.before), _example(rule.after), _samples(rule))),
    )


def _readable(text: str) -> str:
    return yaml_text(parse_yaml(text, "the example")) if text else ""


def _samples(rule: Rule) -> SampleChanges | None:
    """What became of single samples in the rule's example, if that says so."""
    if not rule.samples:
        return None
    return SampleChanges.from_json(parse_yaml(rule.samples, "the example"))


def _example(text: str) -> Profile:
    """A profile with what `text` says and nothing else of note."""
    nothing: dict[str, Any] = {
        "dataset": {},
        "schema": {"features": {}},
        "splits": {},
        "metrics": {},
        "snapshot": {"files": 0, "size": 0, "digest": ""},
    }
    return Profile.from_json(nothing | parse_yaml(text, "the example"), "the example")
