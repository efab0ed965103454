"""What is known of a column after looking at some of its values, such that parts can be merged.

Sums are kept exactly, as whole numbers, and rounded once at the end; quantiles, histograms and
numbers of different values come from sketches that are functions of the values (`core.sketches`).
So figures don't depend on how the values were cut into batches, on their order, or on how many
machines took part: `measured(a + b) == measured(a) + measured(b)`, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from dreg.core.drift import Histogram
from dreg.core.sketches import Distinct, Number, Spread

# A finite double is a whole multiple of 2**-1074; numpy's frexp gives mantissas 52 bits finer.
SCALE = 1126
SIGNIFICANT_DIGITS = 12
PERCENTS = (1, 5, 25, 50, 75, 95, 99)


@dataclass(frozen=True)
class Numbers:
    """Numbers: how many, extremes, exact sums, where they lie and how many are different.

    `total` is the sum in units of 2**-SCALE, `squares` that of the squares in units of
    2**-(2 * SCALE). Nulls and what is not finite (NaN, infinity) are counted, and left out of all
    other figures.
    """

    count: int = 0
    nulls: int = 0
    not_finite: int = 0
    low: Number | None = None
    high: Number | None = None
    total: int = 0
    squares: int = 0
    spread: Spread = field(default_factory=Spread)
    distinct: Distinct = field(default_factory=Distinct)

    @classmethod
    def of_integers(
        cls, count: int, low: int | None, high: int | None, total: int, squares: int, nulls: int = 0
    ) -> Numbers:
        """From the sums of whole numbers."""
        return cls(count, nulls, 0, low, high, total << SCALE, squares << 2 * SCALE)

    def __add__(self, other: Numbers) -> Numbers:
        return Numbers(
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            not_finite=self.not_finite + other.not_finite,
            low=min((n for n in (self.low, other.low) if n is not None), default=None),
            high=max((n for n in (self.high, other.high) if n is not None), default=None),
            total=self.total + other.total,
            squares=self.squares + other.squares,
            spread=self.spread + other.spread,
            distinct=self.distinct + other.distinct,
        )

    @property
    def mean(self) -> Fraction:
        return Fraction(self.total, self.count << SCALE)

    @property
    def variance(self) -> Fraction:
        """Of the population: the values are all there are."""
        spread = self.count * self.squares - self.total**2
        return Fraction(spread, self.count**2 << 2 * SCALE)

    def figures(self) -> dict[str, Number]:
        """`nulls`, and of the values, if there are any, what docs/profile.md lists."""
        figures: dict[str, Number] = {"nulls": self.nulls}
        if self.not_finite:
            figures["not_finite"] = self.not_finite
        if self.low is not None and self.high is not None:
            figures["min"] = rounded(self.low)
            figures["max"] = rounded(self.high)
            figures["mean"] = rounded(float(self.mean))
            figures["std"] = rounded(root(self.variance))
            figures |= self._quantiles(self.low, self.high) | different(self.distinct, self.count)
        return figures

    def _quantiles(self, low: Number, high: Number) -> dict[str, Number]:
        """`p01` to `p99`, and `quantile_error` unless they are exact."""
        found = self.spread.quantiles(PERCENTS, whole=isinstance(low, int))
        figures = {
            f"p{percent:02}": rounded(min(max(value, low), high))
            for percent, value in zip(PERCENTS, found, strict=True)
        }
        if self.spread.error:
            figures["quantile_error"] = self.spread.error
        return figures

    def histogram(self) -> Histogram:
        """Where the values lie, for comparing it with another profile's."""
        return self.spread.histogram()

    def scaled_figures(self, most: int) -> dict[str, Number]:
        """`mean` and `std` of the values divided by `most`."""
        if not self.count:
            return {}
        return {
            "mean": rounded(float(self.mean / most)),
            "std": rounded(root(self.variance / most**2)),
        }


@dataclass(frozen=True)
class Texts:
    """Texts: nulls, the lengths in characters of the others, and how many are different."""

    lengths: Numbers = field(default_factory=Numbers)
    distinct: Distinct = field(default_factory=Distinct)

    def __add__(self, other: Texts) -> Texts:
        return Texts(self.lengths + other.lengths, self.distinct + other.distinct)

    def figures(self) -> dict[str, Number]:
        """`nulls`, and of the texts, if there are any, what docs/profile.md lists."""
        figures = self.lengths.figures()
        shown = {"nulls": figures["nulls"]}
        if self.lengths.count:
            shown |= {f"{name}_length": figures[name] for name in LENGTHS}
            shown |= different(self.distinct, self.lengths.count)
        return shown

    def histogram(self) -> Histogram:
        """Where the lengths lie."""
        return self.lengths.histogram()


LENGTHS = ("min", "max", "mean", "p50", "p95")


@dataclass(frozen=True)
class Others:
    """Values of a type that has no figures but the number of its nulls."""

    nulls: int = 0

    def __add__(self, other: Others) -> Others:
        return Others(self.nulls + other.nulls)

    def figures(self) -> dict[str, Number]:
        return {"nulls": self.nulls}

    def histogram(self) -> Histogram:
        return Histogram()


Column = Numbers | Texts | Others


@dataclass(frozen=True)
class Samples:
    """Samples of one split: how many, by class, their columns, and the pixels of image columns."""

    count: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    pixels: Mapping[str, Numbers] = field(default_factory=dict)

    def __add__(self, other: Samples) -> Samples:
        """Raises TypeError when a column is of another kind there."""
        classes = dict(self.classes)
        for name, number in other.classes.items():
            classes[name] = classes.get(name, 0) + number
        columns = dict(self.columns)
        for name, column in other.columns.items():
            columns[name] = joined(columns[name], column) if name in columns else column
        pixels = dict(self.pixels)
        for name, numbers in other.pixels.items():
            pixels[name] = pixels.get(name, Numbers()) + numbers
        return Samples(self.count + other.count, classes, columns, pixels)

    def histograms(self) -> dict[str, Histogram]:
        """By column, of those that have one."""
        found = {name: column.histogram() for name, column in self.columns.items()}
        return {name: histogram for name, histogram in found.items() if histogram.count}

    def metrics(self) -> dict[str, Number]:
        """`pixel_mean` and `pixel_std`, for pixels from 0 to 1; by column if several have pixels."""
        metrics: dict[str, Number] = {}
        for column, numbers in self.pixels.items():
            prefix = "pixel" if len(self.pixels) == 1 else f"{column}_pixel"
            for name, value in numbers.scaled_figures(255).items():
                metrics[f"{prefix}_{name}"] = value
        return metrics


def joined(one: Column, other: Column) -> Column:
    """Both together. Raises TypeError when they are of different kinds."""
    if isinstance(one, Numbers) and isinstance(other, Numbers):
        return one + other
    if isinstance(one, Texts) and isinstance(other, Texts):
        return one + other
    if isinstance(one, Others) and isinstance(other, Others):
        return one + other
    raise TypeError(f"{type(one).__name__} and {type(other).__name__} cannot be merged")


def different(distinct: Distinct, count: int) -> dict[str, Number]:
    """`distinct`, and `distinct_is_estimate` if it is one."""
    if distinct.estimated:
        return {"distinct": min(distinct.count, count), "distinct_is_estimate": True}
    return {"distinct": distinct.count}


def rounded(number: Number) -> Number:
    """`number` to twelve digits: what follows them is noise to a reader; integers stay exact."""
    if isinstance(number, int):
        return number
    return float(f"{number:.{SIGNIFICANT_DIGITS}g}") + 0.0  # + 0.0 makes -0.0 zero


def root(square: Fraction) -> float:
    """The square root, also of numbers beyond a float's range."""
    halvings = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(square / Fraction(4) ** halvings), halvings)
