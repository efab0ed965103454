"""Exact figures of numbers: sums are whole numbers of any length, rounded once, at the end."""

from __future__ import annotations

import math
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


def different(distinct: Distinct, count: int) -> dict[str, Number]:
    """`distinct`, and `distinct_is_estimate` if it is one; nothing of no values."""
    if not count:
        return {}
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
