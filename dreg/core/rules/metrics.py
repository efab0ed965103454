"""Rules about a dataset's own figures in metadata.json; and when two figures differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dreg.core.profile import Number, Profile
from dreg.core.rules.rule import gone, rule, shared
from dreg.core.shares import over
from dreg.core.version import Bump
from dreg.core.wording import tick

METRIC_SHARE = 0.05


@rule(Bump.MAJOR)
def metric_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Code that reads the figure from metadata.json, to normalise images say, stops working.

    Before: metrics: {train: {pixel_mean: 0.286, pixel_std: 0.353}}
    After: metrics: {train: {pixel_mean: 0.286}}
    """
    for split, name in _gone_figures(old.metrics, new.metrics):
        yield f"figure `metrics.{split}.{name}` is gone"


@rule(Bump.MINOR)
def metric_added(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody: there is one more figure to read.

    Before: metrics: {train: {pixel_mean: 0.286}}
    After: metrics: {train: {pixel_mean: 0.286, pixel_std: 0.353}}
    """
    for split, name in _gone_figures(new.metrics, old.metrics):
        yield f"figure `metrics.{split}.{name}` is new"


@rule(Bump.MINOR)
def metric_drifted(old: Profile, new: Profile, *, share: float = METRIC_SHARE) -> Iterator[str]:
    """Models that were tuned to the figure see data that it doesn't describe.

    Before: metrics: {train: {pixel_mean: 0.286}}
    After: metrics: {train: {pixel_mean: 0.35}}
    """
    for path, before, after in figures_in_both(old, new):
        if differs(before, after) and beyond(before, after, share * abs(before)):
            yield f"figure {tick(path)} is {after:.6g} instead of {before:.6g}"


def differs(before: Number, after: Number) -> bool:
    """Whether two figures are different, but for the last digits of a float."""
    if math.isnan(before) or math.isnan(after):
        return math.isnan(before) != math.isnan(after)
    return not math.isclose(before, after, rel_tol=1e-9, abs_tol=1e-12)


def beyond(before: Number, after: Number, tolerance: float) -> bool:
    """Whether two figures are further apart than `tolerance`; nothing is near NaN or infinity."""
    distance = abs(float(after) - float(before)) if before != after else 0.0
    return over(distance, tolerance) or not math.isfinite(distance)


def changed_figures(before: Mapping[str, Number], after: Mapping[str, Number]) -> list[str]:
    """Names of the figures in both that differ, sorted."""
    return [name for name in shared(before, after) if differs(before[name], after[name])]


def _gone_figures(
    old: Mapping[str, Mapping[str, Number]], new: Mapping[str, Mapping[str, Number]]
) -> list[tuple[str, str]]:
    """Split and name of the figures in `old` only, sorted."""
    return sorted((split, name) for split in old for name in gone(old[split], new.get(split, {})))


def figures_in_both(old: Profile, new: Profile) -> Iterator[tuple[str, Number, Number]]:
    """The dataset's own figures that both have: path in metadata.json, before, after."""
    for split in shared(old.metrics, new.metrics):
        before, after = old.metrics[split], new.metrics[split]
        for name in shared(before, after):
            yield f"metrics.{split}.{name}", before[name], after[name]
