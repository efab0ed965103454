"""What is known of a column after looking at some of its values, such that parts can be merged.

Sums are kept exactly, as whole numbers, and rounded once at the end; quantiles, histograms and
numbers of different values come from sketches that are functions of the values (`core.sketches`).
So figures don't depend on how the values were cut into batches, on their order, or on how many
machines took part: `measured(a + b) == measured(a) + measured(b)`, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dreg.core.drift import Histogram
from dreg.core.numbers import Numbers, different
from dreg.core.sketches import Distinct, Number


@dataclass(frozen=True)
class Texts:
    """Texts: nulls, the lengths in characters of the others, and how many are different."""

    lengths: Numbers = field(default_factory=Numbers)
    distinct: Distinct = field(default_factory=Distinct)

    def __add__(self, other: Texts) -> Texts:
        return Texts(self.lengths + other.lengths, self.distinct + other.distinct)

    def figures(self) -> dict[str, Number]:
        """`nulls`, and of the texts, if there are any, what docs/profile.md lists."""
        shown = {"nulls": self.lengths.nulls} | some(self.lengths, LENGTHS, "length")
        return shown | different(self.distinct, self.lengths.count)

    def histogram(self) -> Histogram:
        """Where the lengths lie."""
        return self.lengths.histogram()


@dataclass(frozen=True)
class Lengths:
    """Lists or bytes: nulls, and how many elements or bytes the others have."""

    lengths: Numbers = field(default_factory=Numbers)
    distinct: Distinct = field(default_factory=Distinct)

    def __add__(self, other: Lengths) -> Lengths:
        return Lengths(self.lengths + other.lengths, self.distinct + other.distinct)

    def figures(self) -> dict[str, Number]:
        """`nulls`, and of the values, if there are any, what docs/profile.md lists."""
        shown = {"nulls": self.lengths.nulls} | some(self.lengths, LENGTHS, "length")
        return shown | different(self.distinct, self.lengths.count)

    def histogram(self) -> Histogram:
        """Where the lengths lie."""
        return self.lengths.histogram()


@dataclass(frozen=True)
class Vectors:
    """Vectors of one dimension, such as embeddings: nulls, and the norms of the others."""

    norms: Numbers = field(default_factory=Numbers)
    distinct: Distinct = field(default_factory=Distinct)

    def __add__(self, other: Vectors) -> Vectors:
        return Vectors(self.norms + other.norms, self.distinct + other.distinct)

    def figures(self) -> dict[str, Number]:
        """`nulls` and `not_finite`, and of the norms what docs/profile.md lists."""
        figures: dict[str, Number] = {"nulls": self.norms.nulls}
        if self.norms.not_finite:
            figures["not_finite"] = self.norms.not_finite
        figures |= some(self.norms, NORMS, "norm")
        return figures | different(self.distinct, self.norms.count)

    def histogram(self) -> Histogram:
        """None: normalised vectors differ from 1 by rounding, which is no drift."""
        return Histogram()


@dataclass(frozen=True)
class Images:
    """Images: nulls, sizes of the others in pixels, and how many have each mode."""

    widths: Numbers = field(default_factory=Numbers)
    heights: Numbers = field(default_factory=Numbers)
    modes: Mapping[str, int] = field(default_factory=dict)
    distinct: Distinct = field(default_factory=Distinct)

    def __add__(self, other: Images) -> Images:
        modes = dict(self.modes)
        for mode, number in other.modes.items():
            modes[mode] = modes.get(mode, 0) + number
        widths, heights = self.widths + other.widths, self.heights + other.heights
        return Images(widths, heights, modes, self.distinct + other.distinct)

    def figures(self) -> dict[str, Number]:
        """`nulls`, and of the sizes, if there are any, what docs/profile.md lists."""
        sizes = some(self.widths, LENGTHS, "width") | some(self.heights, LENGTHS, "height")
        modes = {f"mode_{mode}": self.modes[mode] for mode in sorted(self.modes)}
        shown = {"nulls": self.widths.nulls} | sizes | modes
        return shown | different(self.distinct, self.widths.count)

    def histogram(self) -> Histogram:
        return Histogram()


LENGTHS = ("min", "max", "mean", "p50", "p95")
NORMS = ("min", "max", "mean", "std", "p50")


def some(numbers: Numbers, names: tuple[str, ...], of: str) -> dict[str, Number]:
    """The figures of these names, as figures `of` something; none if there are no numbers."""
    figures = numbers.figures()
    return {f"{name}_{of}": figures[name] for name in names} if numbers.count else {}


@dataclass(frozen=True)
class Others:
    """Values of a type without further figures: nulls, others, and how many of those are different."""

    nulls: int = 0
    count: int = 0
    distinct: Distinct = field(default_factory=Distinct)

    def __add__(self, other: Others) -> Others:
        nulls, count = self.nulls + other.nulls, self.count + other.count
        return Others(nulls, count, self.distinct + other.distinct)

    def figures(self) -> dict[str, Number]:
        """`nulls`, and `distinct` if there are values."""
        return {"nulls": self.nulls} | different(self.distinct, self.count)

    def histogram(self) -> Histogram:
        return Histogram()


Column = Numbers | Texts | Lengths | Vectors | Images | Others


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
    if type(one) is type(other):
        return one + other  # type: ignore[operator]
    raise TypeError(f"{type(one).__name__} and {type(other).__name__} cannot be merged")
