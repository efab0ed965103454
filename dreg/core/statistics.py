"""What is known of a column after looking at some of its values, such that parts can be merged.

Sums are kept exactly, as whole numbers, and rounded once at the end. So figures don't depend on
how the values were cut into batches, on their order, or on how many machines took part:
`measured(a + b) == measured(a) + measured(b)`, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

Number = int | float

# A finite double is a whole multiple of 2**-1074; numpy's frexp gives mantissas 52 bits finer.
SCALE = 1126
SIGNIFICANT_DIGITS = 12


@dataclass(frozen=True)
class Numbers:
    """Numbers: how many, extremes, exact sums.

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
        """`nulls`, and of the values, if there are any, `min`, `max`, `mean` and `std`."""
        figures: dict[str, Number] = {"nulls": self.nulls}
        if self.not_finite:
            figures["not_finite"] = self.not_finite
        if self.low is not None and self.high is not None:
            figures["min"] = rounded(self.low)
            figures["max"] = rounded(self.high)
            figures["mean"] = rounded(float(self.mean))
            figures["std"] = rounded(root(self.variance))
        return figures

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
    """Texts: nulls, and the lengths in characters of the others."""

    lengths: Numbers = field(default_factory=Numbers)

    def __add__(self, other: Texts) -> Texts:
        return Texts(self.lengths + other.lengths)

    def figures(self) -> dict[str, Number]:
        """`nulls`, and of the texts, if there are any, `min_length`, `max_length`, `mean_length`."""
        names = {"nulls": "nulls", "min": "min_length", "max": "max_length", "mean": "mean_length"}
        figures = self.lengths.figures()
        return {shown: figures[name] for name, shown in names.items() if name in figures}


@dataclass(frozen=True)
class Others:
    """Values of a type that has no figures but the number of its nulls."""

    nulls: int = 0

    def __add__(self, other: Others) -> Others:
        return Others(self.nulls + other.nulls)

    def figures(self) -> dict[str, Number]:
        return {"nulls": self.nulls}


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


def rounded(number: Number) -> Number:
    """`number` to twelve digits: what follows them is noise to a reader; integers stay exact."""
    if isinstance(number, int):
        return number
    return float(f"{number:.{SIGNIFICANT_DIGITS}g}") + 0.0  # + 0.0 makes -0.0 zero


def root(square: Fraction) -> float:
    """The square root, also of numbers beyond a float's range."""
    halvings = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(square / Fraction(4) ** halvings), halvings)
