"""What a rule is: a priced sentence about two profiles."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from dreg.core.profile import Number, Profile, Split
from dreg.core.samples import SampleChanges
from dreg.core.version import Bump
from dreg.core.wording import tick


@dataclass(frozen=True)
class Finding:
    """A rule's hit: the rule's id, its price, what it saw in one sentence, and who is hurt by it.

    `instead_of` is the rule's usual price where the contract has another one, for a `reason`.
    """

    rule: str
    bump: Bump
    text: str
    instead_of: Bump | None = None
    reason: str = ""
    hurts: str = ""

    @property
    def override(self) -> str:
        """The usual price and why it is not due, for a sentence; empty if it is."""
        return f"instead of {self.instead_of}: {self.reason}" if self.instead_of is not None else ""

    @property
    def told(self) -> str:
        """What it saw and who says so, for a list."""
        return (
            f"{self.text} ({self.rule}{f', {self.bump} {self.override}' if self.override else ''})"
        )


@dataclass(frozen=True)
class Rule:
    """A kind of difference and its price.

    `hurts` says who is hurt, `seen_by` how the difference is recognised, where that has to be said.
    `before` and `after` are an example: the part of metadata.json that the rule looks at, as YAML; `samples` what became of single samples. `check` gives a sentence a
    finding; single samples, where they are known, are its third argument. `thresholds` are what it tolerates, by name; `shares` says which
    of them are another rule's: what that one tolerates, this one tells.
    """

    id: str
    bump: Bump
    hurts: str
    seen_by: str
    before: str
    after: str
    samples: str
    thresholds: Mapping[str, float]
    shares: Mapping[str, tuple[str, str]]
    check: Callable[..., Iterable[str]]


RULES: dict[str, Rule] = {}


def rule(
    bump: Bump, **shares: tuple[str, str]
) -> Callable[[Callable[..., Iterator[str]]], Callable[..., Iterator[str]]]:
    """Register a function as the rule of its name; keyword-only parameters are thresholds.

    It is given two profiles; one that has a third parameter, `samples`, also what became of single
    samples, or None where that is not known. `shares` gives a parameter the threshold of another rule: `share=("samples-added", "share")`.
    """

    def register(check: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
        name = check.__name__.replace("_", "-")
        told, _, example = inspect.cleandoc(check.__doc__ or "").partition("\nBefore:")
        hurts, _, seen_by = told.partition("\n\n")
        before, _, after = example.partition("\nAfter:")
        after, _, samples = after.partition("\nSamples:")
        parameters = inspect.signature(check).parameters

        def asked(
            old: Profile, new: Profile, samples: SampleChanges | None = None, **thresholds: float
        ) -> Iterator[str]:
            if "samples" in parameters:
                return check(old, new, samples, **thresholds)
            return check(old, new, **thresholds)

        RULES[name] = Rule(
            id=name,
            bump=bump,
            hurts=" ".join(hurts.split()),
            seen_by=" ".join(seen_by.split()),
            before=textwrap.dedent(before).strip(),
            after=textwrap.dedent(after).strip(),
            samples=samples.strip(),
            thresholds={
                parameter.name: parameter.default
                for parameter in parameters.values()
                if parameter.kind is inspect.Parameter.KEYWORD_ONLY
            },
            shares=shares,
            check=asked,
        )
        return check

    return register


def shared(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Names in both, sorted: what a rule that compares can compare."""
    return sorted(set(old) & set(new))


def gone(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Names in `old` only, sorted."""
    return sorted(set(old) - set(new))


def relabelled(old: Profile, new: Profile) -> bool:
    """Whether another column is the label, or none is: then classes are of something else."""
    return bool(old.label) and new.label is not None and old.label != new.label


def counted(split: Split) -> dict[str, int]:
    """Samples by class, without classes that have none: those may be listed or not."""
    return {label: samples for label, samples in split.class_distribution.items() if samples}


def few(items: list[str], most: int = 5) -> str:
    """A list for a sentence, cut short when long."""
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def ticked(names: Iterable[str]) -> str:
    """Names in backticks, for a sentence."""
    return few([tick(name) for name in names])


def telling(figures: Mapping[str, Number]) -> bool:
    """Whether another column would hardly have these figures by chance.

    One or two values, or texts of one length, are nothing to recognise a column by.
    """
    return figures.get("distinct", 3) >= 3 and any(
        low < figures.get(name.replace("min", "max"), low)
        for name, low in figures.items()
        if name.split("_")[0] == "min"
    )
