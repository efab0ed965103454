"""How far two distributions are apart, from what two profiles keep of them.

A histogram's bounds are the same for everybody: floats in order are whole numbers in order (their
bits), and intervals come from halving the range of those numbers. So two histograms that were
made far from each other have bounds in common, and can be compared without the data.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

MOST_INTERVALS = 32
GROUP = 10  # by custom, populations are compared in tenths

_MAGNITUDE = (1 << 63) - 1


def key_of(value: float) -> int:
    """A whole number; those of floats are in the order of the floats, and both zeros have 0."""
    bits: int = struct.unpack("<q", struct.pack("<d", value + 0.0))[0]
    return bits if bits >= 0 else ~(bits & _MAGNITUDE)


def value_of(key: int) -> float:
    """The float that has this key."""
    value: float = struct.unpack("<d", struct.pack("<q", key if key >= 0 else ~key))[0]
    return value if key >= 0 else -value


@dataclass(frozen=True)
class Histogram:
    """Intervals of keys, in order: where one begins, where it ends (exclusive), its count.

    What lies between two intervals is empty.
    """

    intervals: tuple[tuple[int, int, int], ...] = ()

    @classmethod
    def of(cls, buckets: Mapping[int, int], shift: int = 0) -> Histogram:
        """From counts by `key >> shift`: the fullest interval is halved while there is room."""
        keys = sorted(buckets)
        below = [0]
        for key in keys:
            below.append(below[-1] + buckets[key])
        # Intervals as places among `keys`, the fullest first; those of one key can't be halved.
        heap = [(-below[-1], 0, len(keys))] if keys else []
        final: list[tuple[int, int]] = []
        while heap and len(heap) + len(final) < MOST_INTERVALS:
            _, start, end = heappop(heap)
            if end - start == 1:
                final.append((start, end))
                continue
            differing = keys[start] ^ keys[end - 1]  # negative if one key is and one isn't
            width = max(differing.bit_length() - 1, 0)
            half = 0 if differing < 0 else keys[end - 1] >> width << width
            middle = bisect_left(keys, half, start, end)
            for a, b in ((start, middle), (middle, end)):
                heappush(heap, (below[a] - below[b], a, b))
        final += [(start, end) for _, start, end in heap]
        return cls(
            tuple(
                (keys[a] << shift, (keys[b - 1] + 1) << shift, below[b] - below[a])
                for a, b in sorted(final)
            )
        )

    @classmethod
    def parse(cls, text: str) -> Histogram:
        """The histogram of which `text` is the text. Raises ValueError when there is none."""
        intervals = []
        for word in text.split():
            bounds, _, count = word.rpartition(":")
            low, dots, high = bounds.partition("..")
            keys = (_key(low), _key(high)) if dots else (key_of(float(low)), key_of(float(low)) + 1)
            intervals.append((*keys, int(count)))
        wrong = [word for word in intervals if not (word[0] < word[1] and 0 < word[2] < 1 << 63)]
        if wrong or any(one[1] > other[0] for one, other in pairwise(intervals)):
            raise ValueError(f"{text!r} is not a histogram")
        return cls(tuple(intervals))

    def __str__(self) -> str:
        """`0.5..0.75:12 3:4` for 12 values from 0.5 to below 0.75 and 4 times 3.

        Below zero it is the other way round: `-0.75..-0.5:12` has -0.5 and not -0.75.
        """
        return " ".join(
            f"{_plain(value_of(low))}:{count}"
            if high - low == 1
            else f"{_bound(low)}..{_bound(high)}:{count}"
            for low, high, count in self.intervals
        )

    @property
    def count(self) -> int:
        return sum(count for _, _, count in self.intervals)

    def below(self, bound: int) -> int | None:
        """How many keys are below `bound`; None where only the data could tell."""
        total = 0
        for low, high, count in self.intervals:
            if bound <= low:
                break
            if bound < high:
                return None
            total += count
        return total


@dataclass(frozen=True)
class Drift:
    """The population stability index of two samples, and how much of it chance explains.

    PSI is the sum over groups of (q - p) * ln(q / p), p and q being a group's shares before and
    after. Of two samples of one population with n and m members, in B groups, it is distributed
    as (1/n + 1/m) times chi-square with B - 1 degrees of freedom (B. Yurdakul, J. Naranjo:
    Statistical properties of the population stability index. Journal of Risk Model Validation
    14(4), 2020). `chance` is that distribution's mean and twice its deviation: small samples
    don't drift, they are small.
    """

    psi: float = 0.0
    chance: float = 0.0

    def beyond(self, tolerance: float) -> bool:
        """Whether it is more than `tolerance`, and more than chance."""
        return self.psi > max(tolerance, self.chance)


def of_counts(before: Sequence[int], after: Sequence[int]) -> Drift:
    """Of the counts of the same groups.

    Half a sample is added to each group, as Jeffreys' prior has it, so that an empty one has a
    logarithm: p = (count + 1/2) / (n + B/2).
    """
    groups = [(one, other) for one, other in zip(before, after, strict=True) if one or other]
    n, m, free = sum(before), sum(after), len(groups) - 1
    if not n or not m:
        return Drift()
    psi = 0.0
    for one, other in groups:
        p, q = (2 * one + 1) / (2 * n + len(groups)), (2 * other + 1) / (2 * m + len(groups))
        psi += (q - p) * math.log(q / p)
    return Drift(psi, (1 / n + 1 / m) * (free + 2 * math.sqrt(2 * free)))


def of_classes(before: Mapping[str, int], after: Mapping[str, int]) -> Drift:
    """Of samples counted by class."""
    names = sorted(before.keys() | after.keys())
    return of_counts([before.get(n, 0) for n in names], [after.get(n, 0) for n in names])


def of_histograms(before: Histogram, after: Histogram) -> Drift:
    """Of histograms: in groups between bounds that both have, of a tenth of the samples or so.

    A bound in a gap of one is as good as its own, as nothing lies there to be cut.
    """
    n, m = before.count, after.count
    if not n or not m:
        return Drift()
    groups: list[tuple[int, int]] = []
    room = False  # whether the last group takes more
    known = [(before.below(bound), after.below(bound)) for bound in _bounds(before, after)]
    cuts = [
        (0, 0),
        *((one, other) for one, other in known if one is not None and other is not None),
    ]
    for (one, other), (next_one, next_other) in pairwise([*cuts, (n, m)]):
        cell = next_one - one, next_other - other
        large = _large(cell, n, m)
        if room and not large:
            groups[-1] = groups[-1][0] + cell[0], groups[-1][1] + cell[1]
        else:
            groups.append(cell)
        room = not _large(groups[-1], n, m)
    return of_counts([one for one, _ in groups], [other for _, other in groups])


def _large(cell: tuple[int, int], n: int, m: int) -> bool:
    """Whether a group has a tenth of the samples, on the average of both sides."""
    return GROUP * (cell[0] * m + cell[1] * n) >= 2 * n * m


def _bounds(before: Histogram, after: Histogram) -> list[int]:
    return sorted(
        {bound for h in (before, after) for low, high, _ in h.intervals for bound in (low, high)}
    )


# A negative bound ends what has a magnitude of less: its float is the first beyond it.


def _bound(key: int) -> str:
    return _plain(value_of(key if key >= 0 else key - 1))


def _key(bound: str) -> int:
    key = key_of(float(bound))
    return key if key >= 0 else key + 1


def _plain(value: float) -> str:
    return repr(value).removesuffix(".0")
