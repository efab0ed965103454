"""How far splits have drifted from those of another profile."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from dreg.core.drift import Drift, of_classes, of_histograms
from dreg.core.profile import Profile, Split
from dreg.core.rules.figures import identifies
from dreg.core.wording import tick

MOVED = {
    "mean": "has its mean {:.6g} old deviations away",
    "std": "has a deviation that is {:.6g} times as wide or narrow",
    "classes": "has a PSI of its classes of {:.6g}",
    "psi": "has a PSI of {:.6g}",
}


def drifts(
    before: Profile, after: Profile, bounded: Collection[str]
) -> Iterator[tuple[str, str, float]]:
    """What drifted of what both have: what it is about, the kind of drift, by how much.

    Numbers that are the key drift with every new sample, and are left out.
    """
    for name in sorted(before.splits.keys() & after.splits.keys()):
        old, new = before.splits[name], after.splits[name]
        compared = [
            column
            for column in sorted(old.columns.keys() & new.columns.keys())
            if not identifies(before, after, column)
        ]
        yield from _moments(name, old, new, compared)
        for column in compared:
            if column not in old.histograms or column not in new.histograms:
                continue
            drift = of_histograms(old.histograms[column], new.histograms[column])
            yield f"column {tick(column)} of split {tick(name)}", "psi", _beyond_chance(drift)
        classes = of_classes(old.class_distribution, new.class_distribution)
        kind = "classes" if "classes" in bounded else "psi"
        yield f"split {tick(name)}", kind, _beyond_chance(classes)


def _moments(
    split: str, old: Split, new: Split, columns: Sequence[str]
) -> Iterator[tuple[str, str, float]]:
    for column in columns:
        before, after = old.columns[column], new.columns[column]
        about = f"column {tick(column)} of split {tick(split)}"
        if {"mean", "std"} <= before.keys() & after.keys():
            distance = abs(float(after["mean"]) - float(before["mean"]))
            yield about, "mean", _ratio(distance, float(before["std"])) if distance else 0.0
            wide, narrow = sorted((float(before["std"]), float(after["std"])), reverse=True)
            yield about, "std", _ratio(wide, narrow) if wide else 1.0


def _beyond_chance(drift: Drift) -> float:
    """What chance explains is no drift."""
    return drift.psi if drift.psi > drift.chance else 0.0


def _ratio(one: float, other: float) -> float:
    return one / other if other else math.inf
