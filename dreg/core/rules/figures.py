"""Rules about measured figures: statistics of columns, and shares of classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dreg.core import drift
from dreg.core.drift import Histogram
from dreg.core.profile import Number, Profile, Split
from dreg.core.rules.metrics import METRIC_SHARE, beyond, changed_figures, differs, figures_in_both
from dreg.core.rules.rule import counted, few, relabelled, rule, shared, ticked
from dreg.core.shares import over
from dreg.core.types import spelled
from dreg.core.version import Bump
from dreg.core.wording import tick

NULLS = 0.05
PSI = 0.2  # by custom, more is a population to train a new model for
SHIFT = 0.1
CLASS_SHARE = 0.05
# What is compared where there is no histogram, and the figure that a shift is measured in.
MEANS = {"mean": "std", "std": "std", "mean_norm": "std_norm", "std_norm": "std_norm"} | {
    name: name for name in ("mean_length", "mean_width", "mean_height")
}


@rule(Bump.MINOR)
def column_drifted(
    old: Profile, new: Profile, *, psi: float = PSI, shift: float = SHIFT, nulls: float = NULLS
) -> Iterator[str]:
    """Models trained before meet other values than those that they learnt from.

    The population stability index (PSI) of the values is more than `psi`, and more than chance
    explains. Where a profile has no histogram: the mean or spread moved by `shift` old deviations.
    Or the share of values that are null or not finite grew by more than `nulls`.

    Before: splits: {train: {num_samples: 900, columns: {pH: {histogram: "2..3:300 3..4:600"}}}}
    After: splits: {train: {num_samples: 900, columns: {pH: {histogram: "2..3:90 3..4:810"}}}}
    """
    for split in shared(old.splits, new.splits):
        for name, _, _ in columns_in_both(old, new, split):
            if identifies(old, new, name):
                continue
            if moved := drifted(old.splits[split], new.splits[split], name, psi, shift, nulls):
                yield f"column {tick(name)} of split {tick(split)}: {moved}"


@rule(Bump.MINOR)
def class_balance_drifted(
    old: Profile, new: Profile, *, share: float = CLASS_SHARE, psi: float = PSI
) -> Iterator[str]:
    """Models trained before expect other odds of the classes.

    A class's share of the samples moved by more than `share`, or those of many a little: the
    population stability index (PSI) is more than `psi`, and more than chance explains.

    Before: splits: {train: {num_samples: 100, class_distribution: {cat: 50, dog: 50}}}
    After: splits: {train: {num_samples: 100, class_distribution: {cat: 80, dog: 20}}}
    """
    for split in shared(old.splits, new.splits):
        if relabelled(old, new):
            continue  # classes of something else
        moved = _balance(counted(old.splits[split]), counted(new.splits[split]), share, psi)
        if moved:
            yield f"in split {tick(split)}, {moved}"


@rule(
    Bump.PATCH,
    shift=("column-drifted", "shift"),
    psi=("column-drifted", "psi"),
    nulls=("column-drifted", "nulls"),
    share=("metric-drifted", "share"),
    class_share=("class-balance-drifted", "share"),
    class_psi=("class-balance-drifted", "psi"),
)
def statistics_changed(
    old: Profile,
    new: Profile,
    *,
    shift: float = SHIFT,
    psi: float = PSI,
    nulls: float = NULLS,
    share: float = METRIC_SHARE,
    class_share: float = CLASS_SHARE,
    class_psi: float = PSI,
) -> Iterator[str]:
    """Nobody much: figures moved within what the rules about drift tolerate.

    Before: splits: {train: {num_samples: 9, columns: {pH: {mean: 3.2, std: 0.16}}}}
    After: splits: {train: {num_samples: 9, columns: {pH: {mean: 3.201, std: 0.16}}}}
    """
    for path, before, after in figures_in_both(old, new):
        if differs(before, after) and not beyond(before, after, share * abs(before)):
            yield f"figure {tick(path)} is {after:.6g} instead of {before:.6g}"
    for split in shared(old.splits, new.splits):
        was, now = old.splits[split], new.splits[split]
        columns = [
            name
            for name, before, after in columns_in_both(old, new, split)
            if changed_figures(before, after)
            or drift.of_histograms(*_histograms(was, now, name)).psi
            if identifies(old, new, name) or not drifted(was, now, name, psi, shift, nulls)
        ]
        if columns:
            yield f"split {tick(split)} has slightly other statistics of {ticked(columns)}"
    for split in shared(old.splits, new.splits):
        counts, recounts = counted(old.splits[split]), counted(new.splits[split])
        if counts != recounts and not _balance(counts, recounts, class_share, class_psi):
            yield f"split {tick(split)} has slightly other counts per class"


def columns_in_both(
    old: Profile, new: Profile, split: str
) -> Iterator[tuple[str, Mapping[str, Number], Mapping[str, Number]]]:
    """Statistics of the columns that the split has in both, of values of the same kind.

    Lengths of texts say nothing about the numbers that are there now, and norms nothing about those
    of vectors of another dimension. The label's are those of its classes, which are counted.
    """
    before, after = old.splits[split], new.splits[split]
    for name in shared(before.columns, after.columns):
        kinds = {
            (spelled(p.features[name].type) == "string", p.features[name].shape)
            for p in (old, new)
            if name in p.features
        }
        counted_classes = before.class_distribution and after.class_distribution
        if len(kinds) < 2 and not (name == old.label == new.label and counted_classes):
            yield name, before.columns[name], after.columns[name]


def identifies(old: Profile, new: Profile, column: str) -> bool:
    """Whether a column's numbers or times only tell samples apart: new samples have new ones."""
    keys = {*(old.key or ()), *(new.key or ())}
    return column in keys and all(
        spelled(p.features[column].type) != "string" for p in (old, new) if column in p.features
    )


def _histograms(before: Split, after: Split, column: str) -> tuple[Histogram, Histogram]:
    nothing = Histogram()
    return before.histograms.get(column, nothing), after.histograms.get(column, nothing)


def drifted(
    before: Split,
    after: Split,
    column: str,
    psi: float,
    shift: float,
    nulls: float = math.inf,
) -> str:
    """How the values of a column moved by more than is tolerated, in words; empty if they didn't."""
    then, now = (_absent(split, column) for split in (before, after))
    missing = f"missing {then:.1%} -> {now:.1%}" if over(now - then, nulls) else ""
    return ", ".join(filter(None, (_moved_values(before, after, column, psi, shift), missing)))


def _absent(split: Split, column: str) -> float:
    """The share of values that are null or not finite."""
    figures = split.columns[column]
    absent = float(figures.get("nulls", 0)) + float(figures.get("not_finite", 0))
    return min(absent / split.num_samples, 1.0) if split.num_samples else 0.0


def _moved_values(before: Split, after: Split, column: str, psi: float, shift: float) -> str:
    """How the values that are there moved.

    Without histograms, means and deviations tell, in old deviations. Lengths of texts and sizes of
    images have none: their mean counts in shares of itself.
    """
    one, other = before.columns[column], after.columns[column]
    histograms = _histograms(before, after, column)
    if histograms[0].count and histograms[1].count:
        found = drift.of_histograms(*histograms)
        if not found.beyond(psi):
            return ""
        medians = [n for n in ("p50", "p50_length") if n in one and n in other]
        shown = (f", median {one[n]:.6g} -> {other[n]:.6g}" for n in medians[:1])
        most = max(psi, found.chance)
        return f"PSI {found.psi:.2f}, more than {most:.2g}{''.join(shown)}"
    for name, unit in MEANS.items():
        if name not in one or name not in other or not differs(one[name], other[name]):
            continue
        if beyond(one[name], other[name], shift * abs(one.get(unit, 0))):
            return f"{name.replace('_', ' ')} {one[name]:.6g} -> {other[name]:.6g}"
    return ""


def _balance(before: Mapping[str, int], after: Mapping[str, int], share: float, psi: float) -> str:
    """How the shares of the classes moved by more than is tolerated, in words; empty if not."""
    if moved := _moved_shares(before, after, share):
        return few(moved)
    found = drift.of_classes(before, after)
    if not found.beyond(psi):
        return ""
    most = max(psi, found.chance)
    return f"the shares of the classes have a PSI of {found.psi:.2f}, more than {most:.2g}"


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
        f"class {tick(label)} makes up {now:.1%} instead of {then:.1%}"
        for label, (then, now) in sorted(shares.items())
        if over(abs(now - then), share)
    ]
