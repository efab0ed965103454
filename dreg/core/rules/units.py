"""Values that mean something else: another unit, another sign, another column's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from dreg.core.profile import Number, Profile
from dreg.core.rules.figures import columns_in_both
from dreg.core.rules.rule import rule, shared, telling
from dreg.core.version import Bump
from dreg.core.wording import tick

FACTOR = 1.5
SPREAD = 0.05
QUANTILES = ("p05", "p25", "p50", "p75", "p95")
EXACT = ("min", "max", "mean", "std")  # no other samples have all of these by one factor
TEMPERATURES = {  # times, plus
    "degrees Celsius became degrees Fahrenheit": (1.8, 32.0),
    "degrees Fahrenheit became degrees Celsius": (1 / 1.8, -32 / 1.8),
    "degrees Celsius became kelvins": (1.0, 273.15),
    "kelvins became degrees Celsius": (1.0, -273.15),
    "degrees Fahrenheit became kelvins": (1 / 1.8, 273.15 - 32 / 1.8),
    "kelvins became degrees Fahrenheit": (1.8, 32 - 273.15 * 1.8),
}

Figures = Mapping[str, Number]


@rule(Bump.MAJOR)
def unit_jumped(
    old: Profile, new: Profile, *, factor: float = FACTOR, spread: float = SPREAD
) -> Iterator[str]:
    """Numbers mean something else, grams for kilograms say: models go wrong without an error.

    All quantiles were multiplied by one factor of more than `factor`, give or take `spread` of it
    or, where that is more, a tenth of its order of magnitude. Or all numbers of one sign have the
    other, or a temperature is in other degrees.

    Before: splits: {train: {num_samples: 9, columns: {mass: {p25: 1.2, p50: 1.5, p75: 2.1}}}}
    After: splits: {train: {num_samples: 9, columns: {mass: {p25: 1200, p50: 1500, p75: 2110}}}}
    """
    for split in shared(old.splits, new.splits):
        for name, before, after in columns_in_both(old, new, split):
            if what := _jumped(before, after, factor, spread):
                yield f"column {tick(name)} of split {tick(split)} {what}{_medians(before, after)}"


@rule(Bump.MAJOR)
def columns_swapped(old: Profile, new: Profile) -> Iterator[str]:
    """Code reads another column's values under the name it knows: models go wrong without an error.

    A column has, to the last digit and in every split, the figures that another one had.

    Before: splits: {train: {num_samples: 9, columns: {lat: {min: 47, max: 55, mean: 51}, lon: {min: 6, max: 15, mean: 10}}}}
    After: splits: {train: {num_samples: 9, columns: {lat: {min: 6, max: 15, mean: 10}, lon: {min: 47, max: 55, mean: 51}}}}
    """
    had = {figures: name for name, figures in _measured(old, new).items()}
    came = {
        name: had[figures]
        for name, figures in _measured(new, old).items()
        if had.get(figures, name) != name
    }
    for name, other in sorted(came.items()):
        if came.get(other) != name:
            yield f"column {tick(name)} has the values that column {tick(other)} had"
        elif name < other:
            yield f"columns {tick(name)} and {tick(other)} have each other's values"


def _measured(profile: Profile, other: Profile) -> dict[str, str]:
    """What is known of the columns that both have, in every split that both have, as text.

    Only of those whose figures another column would hardly have by chance, and that no other has.
    """
    found: dict[str, str] = {}
    splits = shared(profile.splits, other.splits)
    names = {name for split in splits for name in profile.splits[split].columns}
    for name in sorted(names & {n for split in splits for n in other.splits[split].columns}):
        sides = [profile.splits[split] for split in splits]
        if any(telling(side.columns.get(name, {})) for side in sides):
            found[name] = repr(
                [
                    (sorted(side.columns.get(name, {}).items()), str(side.histograms.get(name)))
                    for side in sides
                ]
            )
    times = Counter(found.values())
    return {name: text for name, text in found.items() if times[text] == 1}


def _jumped(before: Figures, after: Figures, factor: float, spread: float) -> str:
    """What happened to a column's numbers, in words; empty if they mean what they did."""
    pairs = [(before[name], after[name]) for name in QUANTILES if name in before and name in after]
    if len(pairs) < 3:
        return ""
    times = _multiplied(pairs, spread) or _multiplied_exactly(before, after)
    if times is not None:
        return (
            f"has values {times:,.4g} times what they were"
            if max(times, 1 / times) > max(factor, 1.0)
            else ""
        )
    if min(pairs)[0] >= 0 or max(pairs)[0] <= 0:
        mirrored = zip(
            (one for one, _ in pairs), (-other for _, other in reversed(pairs)), strict=True
        )
        times = _multiplied(list(mirrored), spread)
        if times is not None:
            return f"has values {-times:,.4g} times what they were"
    for degrees, (scale, offset) in TEMPERATURES.items():
        if _alike([(scale * one + offset, other) for one, other in pairs], spread) and not _alike(
            pairs, spread
        ):
            return f"looks as if {degrees}"
    return ""


def _medians(before: Figures, after: Figures) -> str:
    if "p50" not in before or "p50" not in after:
        return ""
    return f": median {before['p50']:.6g} -> {after['p50']:.6g}"


def _multiplied(pairs: list[tuple[Number, Number]], spread: float) -> float | None:
    """The one factor, above zero, that takes all quantiles to the new ones; None if there is none.

    Two different quantiles are the least that has a shape to be recognised; zero times anything is
    zero. Other samples have other quantiles, and by a large factor they are still multiplied.
    """
    if any((one == 0) != (other == 0) for one, other in pairs):
        return None
    pairs = [pair for pair in pairs if pair[0]]
    ratios = sorted(float(other) / float(one) for one, other in pairs)
    if len({one for one, _ in pairs}) < 2:
        return None
    middle = ratios[len(ratios) // 2]
    if not ratios[0] > 0 or not math.isfinite(ratios[-1]) or not middle > 0:
        return None
    most = max(math.log1p(spread), abs(math.log(middle)) / 10)
    near = all(abs(math.log(ratio) - math.log(middle)) <= most for ratio in ratios)
    return middle if near else None


def _multiplied_exactly(before: Figures, after: Figures) -> float | None:
    """The factor of numbers that are few, 0 and 1 say, so that quantiles have no shape."""
    if not all(name in side for name in EXACT for side in (before, after)) or not before["std"]:
        return None
    pairs = [(float(before[name]), float(after[name])) for name in EXACT]
    ratios = [other / one for one, other in pairs if one]
    if any(not one and other for one, other in pairs) or len(ratios) < 3:
        return None
    if not all(0 < ratio < math.inf for ratio in ratios):
        return None
    return ratios[0] if max(ratios) / min(ratios) <= 1 + 1e-6 else None


def _alike(pairs: list[tuple[float, float]], spread: float) -> bool:
    """Whether quantiles are where they are expected, give or take `spread` of their whole range."""
    width = max(one for one, _ in pairs) - min(one for one, _ in pairs)
    return width > 0 and all(abs(one - other) <= spread * width for one, other in pairs)
