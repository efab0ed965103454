"""Rules about measured figures: a dataset's own metrics, statistics of columns, class shares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dreg.core.profile import Number, Profile
from dreg.core.rules.rule import counted, few, gone, rule, shared, ticked
from dreg.core.version import Bump

METRIC_SHARE = 0.05
SHIFT = 0.1
CLASS_SHARE = 0.05


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
    for path, before, after in _metrics(old, new):
        if differs(before, after) and beyond(before, after, share * abs(before)):
            yield f"figure `{path}` is {after:.6g} instead of {before:.6g}"


@rule(Bump.MINOR)
def column_drifted(old: Profile, new: Profile, *, shift: float = SHIFT) -> Iterator[str]:
    """Models trained before meet other values: the mean or spread moved, in old deviations.

    Before: splits: {train: {num_samples: 9, columns: {pH: {mean: 3.2, std: 0.16}}}}
    After: splits: {train: {num_samples: 9, columns: {pH: {mean: 3.4, std: 0.16}}}}
    """
    for split in shared(old.splits, new.splits):
        for name, before, after in _columns(old, new, split):
            if moved := _drift(before, after, shift):
                yield f"column `{name}` of split `{split}`: {moved}"


@rule(Bump.MINOR)
def class_balance_drifted(
    old: Profile, new: Profile, *, share: float = CLASS_SHARE
) -> Iterator[str]:
    """Models trained before expect other odds of the classes.

    Before: splits: {train: {num_samples: 100, class_distribution: {cat: 50, dog: 50}}}
    After: splits: {train: {num_samples: 100, class_distribution: {cat: 80, dog: 20}}}
    """
    for split in shared(old.splits, new.splits):
        moved = _moved_shares(counted(old.splits[split]), counted(new.splits[split]), share)
        if moved:
            yield f"in split `{split}`, {few(moved)}"


@rule(
    Bump.PATCH,
    shift=("column-drifted", "shift"),
    share=("metric-drifted", "share"),
    class_share=("class-balance-drifted", "share"),
)
def statistics_changed(
    old: Profile,
    new: Profile,
    *,
    shift: float = SHIFT,
    share: float = METRIC_SHARE,
    class_share: float = CLASS_SHARE,
) -> Iterator[str]:
    """Nobody much: figures moved within what the rules about drift tolerate.

    Before: splits: {train: {num_samples: 9, columns: {pH: {mean: 3.2, std: 0.16}}}}
    After: splits: {train: {num_samples: 9, columns: {pH: {mean: 3.201, std: 0.16}}}}
    """
    for path, before, after in _metrics(old, new):
        if differs(before, after) and not beyond(before, after, share * abs(before)):
            yield f"figure `{path}` is {after:.6g} instead of {before:.6g}"
    for split in shared(old.splits, new.splits):
        columns = [
            name
            for name, before, after in _columns(old, new, split)
            if changed_figures(before, after) and not _drift(before, after, shift)
        ]
        if columns:
            yield f"split `{split}` has slightly other statistics of {ticked(columns)}"
    for split in shared(old.splits, new.splits):
        counts, recounts = counted(old.splits[split]), counted(new.splits[split])
        if counts != recounts and not _moved_shares(counts, recounts, class_share):
            yield f"split `{split}` has slightly other counts per class"


def differs(before: Number, after: Number) -> bool:
    """Whether two figures are different, but for the last digits of a float."""
    if math.isnan(before) or math.isnan(after):
        return math.isnan(before) != math.isnan(after)
    return not math.isclose(before, after, rel_tol=1e-9, abs_tol=1e-12)


def beyond(before: Number, after: Number, tolerance: float) -> bool:
    """Whether two figures are further apart than `tolerance`; nothing is near NaN or infinity."""
    distance = abs(float(after) - float(before)) if before != after else 0.0
    return not distance <= tolerance or math.isinf(distance)


def changed_figures(before: Mapping[str, Number], after: Mapping[str, Number]) -> list[str]:
    """Names of the figures in both that differ, sorted."""
    return [name for name in shared(before, after) if differs(before[name], after[name])]


def _gone_figures(
    old: Mapping[str, Mapping[str, Number]], new: Mapping[str, Mapping[str, Number]]
) -> list[tuple[str, str]]:
    """Split and name of the figures in `old` only, sorted."""
    return sorted((split, name) for split in old for name in gone(old[split], new.get(split, {})))


def _metrics(old: Profile, new: Profile) -> Iterator[tuple[str, Number, Number]]:
    for split in shared(old.metrics, new.metrics):
        before, after = old.metrics[split], new.metrics[split]
        for name in shared(before, after):
            yield f"metrics.{split}.{name}", before[name], after[name]


def _columns(
    old: Profile, new: Profile, split: str
) -> Iterator[tuple[str, Mapping[str, Number], Mapping[str, Number]]]:
    """Statistics of the columns that the split has in both."""
    before, after = old.splits[split].columns, new.splits[split].columns
    for name in shared(before, after):
        yield name, before[name], after[name]


def _drift(before: Mapping[str, Number], after: Mapping[str, Number], shift: float) -> str:
    """What moved by more than `shift` old standard deviations, in words; empty if nothing.

    Texts have no deviation: their mean length counts in shares of itself.
    """
    units = {"mean": "std", "std": "std", "mean_length": "mean_length"}
    for name, unit in units.items():
        if name not in before or name not in after or not differs(before[name], after[name]):
            continue
        if beyond(before[name], after[name], shift * abs(before.get(unit, 0))):
            shown = name.replace("_", " ")
            return f"{shown} {before[name]:.6g} -> {after[name]:.6g}"
    return ""


def _moved_shares(before: Mapping[str, int], after: Mapping[str, int], share: float) -> list[str]:
    """Classes whose share of the samples moved by more than `share`, in words."""
    old_total, new_total = sum(before.values()), sum(after.values())
    if old_total <= 0 or new_total <= 0:
        return []
    shares = {
        label: (before.get(label, 0) / old_total, after.get(label, 0) / new_total)
        for label in before.keys() | after.keys()
    }
    return [
        f"class `{label}` makes up {now:.1%} instead of {then:.1%}"
        for label, (then, now) in sorted(shares.items())
        if abs(now - then) > share
    ]
