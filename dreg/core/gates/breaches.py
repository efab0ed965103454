"""Which bounds are not kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dreg.core.evidence import Evidence, Problem
from dreg.core.gates.bounds import Gates
from dreg.core.profile import Profile
from dreg.core.reader import whole
from dreg.core.shares import exceeds, over
from dreg.core.wording import numbered, tick


@dataclass(frozen=True)
class Breach(Problem):
    """A bound that is not kept: the gate, what it is about, the figure and the bound."""

    gate: str = ""

    def __str__(self) -> str:
        return f"{self.gate}: {self.about} {self.text}"


@dataclass(frozen=True)
class Shared:
    """What is in more than one split: samples, and values by column."""

    samples: Evidence = field(default_factory=Evidence)
    values: Mapping[str, Evidence] = field(default_factory=dict)


def breaches(
    gates: Gates,
    classes: Sequence[str],
    profile: Profile,
    before: Profile | None = None,
    shared: Shared | None = None,
    nulls: Mapping[tuple[str, str], Evidence] | None = None,
) -> tuple[Breach, ...]:
    """Every bound that is not kept, sorted.

    `classes` are those that the label promises; `before` is the last release's profile, None before
    the first: then nothing has drifted. `shared` is what is in more than one split; without it,
    nobody looked. `nulls` are samples that have them, by column and split.
    """
    found = [
        *_samples(gates, profile),
        *_classes(gates, classes, profile),
        *_nulls(gates, profile, nulls or {}),
        *_metrics(gates, profile),
        *(_shared(gates, shared) if shared else ()),
        *(_drift(gates, before, profile) if before else ()),
    ]
    return tuple(sorted(found, key=str))


def _samples(gates: Gates, profile: Profile) -> Iterator[Breach]:
    for name, least in gates.min_samples.items():
        samples = profile.splits[name].num_samples if name in profile.splits else 0
        if samples < least:
            text = f"has {numbered(samples, 'sample')}, at least {_asked(least)}"
            yield Breach(f"split {tick(name)}", text, gate="min_samples")


def _asked(least: int) -> str:
    return f"{least:,} {'is' if least == 1 else 'are'} asked for"


def _classes(gates: Gates, classes: Sequence[str], profile: Profile) -> Iterator[Breach]:
    for name, least in gates.min_samples_per_class.items():
        counts = profile.splits[name].class_distribution if name in profile.splits else {}
        for label in sorted({*classes, *counts}):
            samples = counts.get(label, 0)
            if samples < least:
                text = (
                    f"has {numbered(samples, 'sample')} of {tick(label)}, at least {_asked(least)}"
                )
                yield Breach(f"split {tick(name)}", text, gate="min_samples_per_class")


def _nulls(
    gates: Gates, profile: Profile, known: Mapping[tuple[str, str], Evidence]
) -> Iterator[Breach]:
    for column, split in uncounted_nulls(gates, profile):
        text = f"has no count of nulls in split {tick(split)}, and a bound on them"
        yield Breach(f"column {tick(column)}", text, gate="max_nulls")
    for column, split, nulls in too_many_nulls(gates, profile):
        most, samples = gates.max_nulls[column], profile.splits[split].num_samples
        where = f"in split {tick(split)}, at most"
        share = nulls / samples if samples else 1.0
        text = (
            f"has {numbered(nulls, 'null')} {where} {most:,} may be"
            if whole(most)
            else f"has {100 * share:.6g}% nulls {where} {100 * most:.6g}% may be"
        )
        found = known.get((column, split), Evidence())
        yield Breach(f"column {tick(column)}", text, found.count, found.samples, "max_nulls")


def uncounted_nulls(gates: Gates, profile: Profile) -> Iterator[tuple[str, str]]:
    """Columns with a bound on nulls, and splits of which no profile says how many there are."""
    for column, name in _bounded(gates, profile):
        if profile.splits[name].columns.get(column, {}).get("nulls") is None:
            yield column, name


def too_many_nulls(gates: Gates, profile: Profile) -> Iterator[tuple[str, str, int]]:
    """Columns with more nulls in a split than may be: column, split, how many."""
    for column, name in _bounded(gates, profile):
        most, split = gates.max_nulls[column], profile.splits[name]
        nulls = split.columns.get(column, {}).get("nulls", 0)
        if nulls > most if whole(most) else exceeds(nulls, split.num_samples, most):
            yield column, name, int(nulls)


def _bounded(gates: Gates, profile: Profile) -> Iterator[tuple[str, str]]:
    for column in gates.max_nulls:
        feature = profile.features.get(column)
        if feature is not None and feature.nullable:  # a missing one breaks a promise, and says so
            yield from ((column, name) for name in profile.splits)


def _metrics(gates: Gates, profile: Profile) -> Iterator[Breach]:
    for split, bounds in gates.metrics.items():
        for name, bound in bounds.items():
            about = f"figure {tick(name)} of split {tick(split)}"
            figure = profile.metrics.get(split, {}).get(name)
            if figure is None:
                yield Breach(about, "is not measured, and has a bound", gate="metrics")
                continue
            # Asked this way round, NaN is within no bound.
            if bound.min is not None and not figure >= bound.min:
                text = f"is {figure:.6g}, at least {bound.min:.6g} is asked for"
                yield Breach(about, text, gate="metrics")
            if bound.max is not None and not figure <= bound.max:
                yield Breach(
                    about, f"is {figure:.6g}, at most {bound.max:.6g} may be", gate="metrics"
                )


def _shared(gates: Gates, shared: Shared) -> Iterator[Breach]:
    most, found = gates.max_leakage, shared.samples
    if most is not None and found.count > most:
        text = f"are in more than one split: {found.count:,}, at most {most:,} may be"
        yield Breach("samples", text, found.count, found.samples, "max_leakage")
    for column, most in gates.max_near_duplicates.items():
        found = shared.values.get(column, Evidence())
        if found.count > most:
            text = (
                f"has {numbered(found.count, 'value')} in more than one split but for case and punctuation, "
                f"at most {most:,} may be"
            )
            about = f"column {tick(column)}"
            yield Breach(about, text, found.count, found.samples, "max_near_duplicates")


def _drift(gates: Gates, before: Profile, after: Profile) -> Iterator[Breach]:
    from dreg.core.gates.drifts import MOVED, drifts  # which needs every rule

    for about, drift, figure in drifts(before, after, gates.max_drift):
        most = gates.max_drift.get(drift)
        if most is not None and (over(figure, most) or math.isnan(figure)):
            text = (
                f"{MOVED[drift].format(figure)} since the last release, at most {most:.6g} may be"
            )
            yield Breach(about, text, gate="max_drift")
