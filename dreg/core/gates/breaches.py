"""Which bounds are not kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dreg.core.evidence import Evidence, Problem
from dreg.core.gates.bounds import Gates
from dreg.core.gates.drifts import MOVED, drifts
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
) -> tuple[Breach, ...]:
    """Every bound that is not kept, sorted.

    `classes` are those that the label promises; `before` is the last release's profile, None before
    the first: then nothing has drifted. `shared` is what is in more than one split; without it,
    nobody looked.
    """
    found = [
        *_samples(gates, profile),
        *_classes(gates, classes, profile),
        *_nulls(gates, profile),
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


def _nulls(gates: Gates, profile: Profile) -> Iterator[Breach]:
    for column, most in gates.max_nulls.items():
        feature = profile.features.get(column)
        if feature is None or not feature.nullable:
            continue  # a missing column breaks a promise, and says so
        about = f"column {tick(column)}"
        for name, split in profile.splits.items():
            nulls = split.columns.get(column, {}).get("nulls")
            if nulls is None:
                text = f"has no count of nulls in split {tick(name)}, and a bound on them"
                yield Breach(about, text, gate="max_nulls")
            elif whole(most) and nulls > most:
                text = f"has {numbered(int(nulls), 'null')} in split {tick(name)}, at most {most:,} may be"
                yield Breach(about, text, gate="max_nulls")
            elif not whole(most) and exceeds(nulls, split.num_samples, most):
                share = nulls / split.num_samples if split.num_samples else 1.0
                text = f"has {100 * share:.6g}% nulls in split {tick(name)}, at most {100 * most:.6g}% may be"
                yield Breach(about, text, gate="max_nulls")


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
    for about, drift, figure in drifts(before, after, gates.max_drift):
        most = gates.max_drift.get(drift)
        if most is not None and (over(figure, most) or math.isnan(figure)):
            text = (
                f"{MOVED[drift].format(figure)} since the last release, at most {most:.6g} may be"
            )
            yield Breach(about, text, gate="max_drift")
