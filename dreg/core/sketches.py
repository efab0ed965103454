"""Summaries of values that merge: what they say of all depends on the values alone.

Each keeps few values exactly. Of many it keeps counts by bucket, or registers, whose form is a
function of the set of values too: never of their order, or of how they were cut into batches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeVar

from dreg.core.drift import Histogram, key_of, value_of

Number = int | float
Counted = TypeVar("Counted", bound=Number)

EXACT = 1024  # different values that are kept as they are
FINEST = 10
MOST_BUCKETS = 4096  # each octave of all floats on its own would have fewer
MANTISSA = 52

REGISTER_BITS = 12
REGISTERS = 1 << REGISTER_BITS
RANKS = 64 - REGISTER_BITS


@dataclass(frozen=True)
class Spread:
    """Where values lie: counts by value, of more than EXACT different ones counts by bucket.

    A bucket is what a float's key (`drift.key_of`) has in front of its lowest bits: sign, exponent
    and the first `bits` bits of the mantissa, so that each octave has `2**bits` buckets. `bits` is
    the most, up to FINEST, with which there are at most MOST_BUCKETS. As a part of the values never
    has more buckets than all of them, parts are never coarser than the whole will be.
    """

    values: Mapping[Number, int] = field(default_factory=dict)
    buckets: Mapping[int, int] = field(default_factory=dict)
    bits: int = FINEST

    @classmethod
    def of_values(cls, values: Mapping[Number, int]) -> Spread:
        """From counts by value."""
        if len(values) <= EXACT:
            return cls(values=values)
        return cls.of_buckets(by_key(values, MANTISSA - FINEST))

    @classmethod
    def of_buckets(cls, buckets: Mapping[int, int], bits: int = FINEST) -> Spread:
        """From counts by bucket of more than EXACT different values."""
        while len(buckets) > MOST_BUCKETS:
            buckets, bits = coarser(buckets, 1), bits - 1
        return cls(buckets=buckets, bits=bits)

    def __add__(self, other: Spread) -> Spread:
        if not self.buckets and not other.buckets:
            return Spread.of_values(added(self.values, other.values))
        one, two = self._bucketed(), other._bucketed()
        bits = min(one.bits, two.bits)
        lefts, rights = (coarser(part.buckets, part.bits - bits) for part in (one, two))
        return Spread.of_buckets(added(lefts, rights), bits)

    def _bucketed(self) -> Spread:
        if self.buckets:
            return self
        return Spread.of_buckets(by_key(self.values, MANTISSA - FINEST))

    @property
    def error(self) -> float:
        """How far a quantile may be from a value of its rank, as a share of it.

        A bucket of the octave from 2**e on is 2**(e - bits) wide, and its middle at most half of
        that from any value in it, which is at least 2**e: 2**-(bits + 1). Below the least normal
        float, 2**-1022, the distance is that share of 2**-1022.
        """
        return math.ldexp(1, -self.bits - 1) if self.buckets else 0.0

    def quantiles(self, percents: Iterable[int], whole: bool = False) -> list[Number]:
        """The least value that so many percent of the values don't exceed, for each of `percents`.

        Of buckets it is the middle, of `whole` numbers a whole one. There have to be values.
        """
        counts: Mapping[Any, int] = self.buckets or self.values
        ordered = sorted(counts)
        reached = list(accumulate(counts[point] for point in ordered))
        found: list[Number] = []
        at = 0
        for percent in sorted(percents):
            rank = max(1, -(-percent * reached[-1] // 100))
            while reached[at] < rank:
                at += 1
            found.append(self._middle(int(ordered[at]), whole) if self.buckets else ordered[at])
        return found

    def _middle(self, bucket: int, whole: bool) -> Number:
        if bucket in (0, -1):
            return 0 if whole else 0.0
        shift = MANTISSA - self.bits
        middle = value_of((bucket << shift) + (1 << shift - 1) - (bucket < 0))
        # Toward zero is right: a bucket with whole numbers begins with one on that side.
        return int(middle) if whole else middle

    def histogram(self) -> Histogram:
        """For comparing it with another profile's."""
        if self.buckets:
            return Histogram.of(self.buckets, MANTISSA - self.bits)
        return Histogram.of(by_key(self.values, 0))


@dataclass(frozen=True)
class Distinct:
    """How many different values there are, by their 64-bit hashes.

    Up to EXACT hashes are kept. More are in a HyperLogLog: of the hashes that begin with the same
    REGISTER_BITS bits, a register has the most leading zeros of what follows, plus one.
    """

    hashes: frozenset[int] = frozenset()
    registers: bytes = b""

    @classmethod
    def of(cls, hashes: frozenset[int]) -> Distinct:
        """From the hashes of all values."""
        if len(hashes) <= EXACT:
            return cls(hashes=hashes)
        return cls(registers=_registers(hashes))

    def __add__(self, other: Distinct) -> Distinct:
        if not self.registers and not other.registers:
            return Distinct.of(self.hashes | other.hashes)
        one = self.registers or _registers(self.hashes)
        two = other.registers or _registers(other.hashes)
        return Distinct(registers=bytes(map(max, one, two)))

    @property
    def estimated(self) -> bool:
        return bool(self.registers)

    @property
    def count(self) -> int:
        """The number of hashes; of registers an estimate, whose standard error is 1.6%.

        O. Ertl: New cardinality estimation algorithms for HyperLogLog sketches, 2017
        (arXiv:1702.01284), algorithm 6. It needs neither a table of corrections nor a logarithm,
        of which machines give different last digits.
        """
        if not self.registers:
            return len(self.hashes)
        ranks = [self.registers.count(rank) for rank in range(RANKS + 2)]
        z = REGISTERS * _tau(1 - ranks[RANKS + 1] / REGISTERS)
        for rank in range(RANKS, 0, -1):
            z = (z + ranks[rank]) / 2
        z += REGISTERS * _sigma(ranks[0] / REGISTERS)
        twice_log_2 = 1.3862943611198906
        return max(EXACT + 1, round(REGISTERS * REGISTERS / twice_log_2 / z))


def added(one: Mapping[Counted, int], other: Mapping[Counted, int]) -> dict[Counted, int]:
    """Both counts together."""
    if len(one) < len(other):
        one, other = other, one
    both = dict(one)
    for key, count in other.items():
        both[key] = both.get(key, 0) + count
    return both


def coarser(buckets: Mapping[int, int], bits: int) -> Mapping[int, int]:
    """Counts by bucket, with so many bits less."""
    if not bits:
        return buckets
    wide: dict[int, int] = {}
    for bucket, count in buckets.items():
        wide[bucket >> bits] = wide.get(bucket >> bits, 0) + count
    return wide


def by_key(values: Mapping[Number, int], shift: int) -> dict[int, int]:
    """Counts by value as counts by the keys of the values, less their lowest bits."""
    counts: dict[int, int] = {}
    for value, count in values.items():
        key = key_of(float(value)) >> shift
        counts[key] = counts.get(key, 0) + count
    return counts


def _registers(hashes: Iterable[int]) -> bytes:
    registers = bytearray(REGISTERS)
    for number in hashes:
        place, rest = number >> RANKS, number & (1 << RANKS) - 1
        registers[place] = max(registers[place], RANKS + 1 - rest.bit_length())
    return bytes(registers)


def _sigma(x: float) -> float:
    power, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before, z = z, z + x * power
        power += power
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    power, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        power /= 2
        before, z = z, z - (1 - x) ** 2 * power
    return z / 3
