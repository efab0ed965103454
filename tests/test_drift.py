"""Histograms that can be compared without the data, and the stability index of two of them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreg.adapters import sketching
from dreg.core import drift
from dreg.core.drift import MOST_INTERVALS, Drift, Histogram, key_of

UNHURRIED = settings(deadline=None, max_examples=50)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.lists(st.integers(0, 2**40), min_size=1, max_size=30)


def histogram(values: Any) -> Histogram:
    return sketching.of_numbers(np.asarray(values))[0].histogram()


# Histograms


@given(st.lists(FINITE, max_size=100), st.lists(FINITE, max_size=20))
def test_what_a_histogram_knows_is_right(values, bounds):
    found = Histogram.of(Counter(map(key_of, values)))
    keys = sorted(map(key_of, values))

    assert found.count == len(values)
    assert len(found.intervals) <= MOST_INTERVALS
    edges = [bound for low, high, _ in found.intervals for bound in (low, high)]
    assert edges == sorted(edges)
    for bound in (*edges, *map(key_of, bounds)):
        assert found.below(bound) in (None, bisect_left(keys, bound))
    assert None not in map(found.below, edges)


@given(st.lists(FINITE, max_size=100), st.integers(0, 63))
def test_a_histogram_is_what_its_text_says(values, shift):
    found = Histogram.of(Counter(key_of(value) >> shift for value in values), min(shift, 52))

    if shift <= 52:
        assert Histogram.parse(str(found)) == found


def test_a_histogram_reads_well():
    assert str(histogram([3, 3, 7, -2.5, 0, -0.0])) == "-2.5:1 0:2 3:2 7:1"
    assert str(Histogram.of({3: 5, -4: 2, -1: 1, 0: 1}, 52)) == (
        f"-{2.0**-1019}..-{2.0**-1020}:2 -{2.0**-1022}..0:1 0..{2.0**-1022}:1 "
        f"{2.0**-1020}..{2.0**-1019}:5"
    )
    assert str(Histogram()) == ""


def test_of_few_different_values_each_has_its_own_count():
    marks = Counter({3: 10, 4: 53, 5: 681, 6: 638, 7: 199, 8: 18})

    assert str(histogram(list(marks.elements()))) == "3:10 4:53 5:681 6:638 7:199 8:18"


def test_room_is_given_where_the_values_are():
    found = histogram(np.random.default_rng(7).normal(290, 1, 50_000))

    assert len(found.intervals) == MOST_INTERVALS
    assert max(count for _, _, count in found.intervals) < 50_000 / 8


# The stability index


def test_the_index_by_hand():
    found = drift.of_counts([500_000, 500_000], [800_000, 200_000])

    assert found.psi == pytest.approx(0.3 * math.log(1.6) + 0.3 * math.log(2.5), rel=1e-4)
    assert found.beyond(0.2)


def test_an_empty_group_counts_half_a_sample():
    assert drift.of_counts([99, 0], [49, 50]).psi == pytest.approx(
        (99.5 / 100 - 49.5 / 100) * math.log(99.5 / 49.5)
        + (50.5 / 100 - 0.5 / 100) * math.log(50.5 / 0.5)
    )


@given(COUNTS, COUNTS)
def test_the_index_is_never_negative_and_has_no_direction(before, after):
    size = min(len(before), len(after))
    one, other = before[:size], after[:size]

    assert drift.of_counts(one, one).psi == 0
    assert drift.of_counts(one, other).psi == pytest.approx(drift.of_counts(other, one).psi)
    assert drift.of_counts(one, other).psi >= 0


def test_nothing_has_not_drifted():
    assert drift.of_counts([], []) == drift.of_counts([0], [5]) == Drift()
    assert drift.of_histograms(Histogram(), histogram([1, 2])) == Drift()
    assert drift.of_classes({"a": 3}, {}) == Drift()


@given(st.lists(FINITE, min_size=1, max_size=60), st.lists(FINITE, min_size=1, max_size=60))
def test_histograms_of_anything_can_be_compared(before, after):
    one, other = histogram(before), histogram(after)

    assert drift.of_histograms(one, one).psi == 0
    found = drift.of_histograms(one, other)
    assert found.psi == pytest.approx(drift.of_histograms(other, one).psi)
    assert math.isfinite(found.chance)


SHAPES = {
    "around zero": lambda rng, n: rng.normal(0, 1, n),
    "far from zero": lambda rng, n: rng.normal(290, 5, n),
    "in days": lambda rng, n: rng.integers(1_600_000_000, 1_700_000_000, n),
    "skewed": lambda rng, n: rng.lognormal(0, 1.5, n),
    "marks": lambda rng, n: rng.choice([3, 4, 5, 6, 7, 8], n, p=[0.01, 0.04, 0.4, 0.4, 0.13, 0.02]),
    "two decimals": lambda rng, n: np.round(rng.normal(3.2, 0.16, n), 2),
    "with zeros": lambda rng, n: rng.poisson(0.5, n) * rng.random(n),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sizes", [(20, 30), (200, 200), (5000, 300), (60_000, 50_000)])
def test_samples_of_one_population_seldom_drift(shape, sizes):
    drifted = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one, other = (histogram(SHAPES[shape](rng, n)) for n in sizes)
        drifted += drift.of_histograms(one, other).beyond(0.2)

    assert drifted <= 2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [500, 50_000])
def test_a_shift_by_a_deviation_is_drift(shape, size):
    rng = np.random.default_rng(7)
    before, after = SHAPES[shape](rng, size), SHAPES[shape](rng, size)
    moved = after + (1 if shape == "marks" else before.std())

    found = drift.of_histograms(histogram(before), histogram(moved))

    assert found.beyond(0.2)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_index_is_near_the_one_of_exact_deciles(shape):
    rng = np.random.default_rng(7)
    before, after = SHAPES[shape](rng, 50_000), SHAPES[shape](rng, 50_000)
    after = after + before.std() * 0.6

    edges = np.unique(np.quantile(np.concatenate([before, after]), np.arange(0.1, 1, 0.1)))
    counts = [
        np.bincount(np.searchsorted(edges, v), minlength=10).tolist() for v in (before, after)
    ]
    exact = drift.of_counts(*counts).psi
    if shape not in ("around zero", "far from zero"):
        # With values of their own, or an end: the finer the groups, the more is different.
        assert drift.of_histograms(histogram(before), histogram(after)).psi > exact / 2
    else:
        assert drift.of_histograms(histogram(before), histogram(after)).psi == pytest.approx(
            exact, rel=0.25
        )


def test_a_constant_that_changed_has_drifted():
    assert drift.of_histograms(histogram([1.0] * 500), histogram([2.0] * 500)).beyond(0.2)
    assert drift.of_histograms(histogram([1.0] * 500), histogram([-1.0] * 500)).beyond(0.2)


def test_hundredfold_values_have_drifted():
    values = np.random.default_rng(7).normal(290, 5, 5000)

    assert drift.of_histograms(histogram(values), histogram(values * 100)).psi > 5


def test_one_value_far_out_is_no_drift():
    values = np.random.default_rng(7).normal(290, 5, 5000)
    found = drift.of_histograms(histogram(values), histogram(np.append(values, 1e300)))

    assert found.psi < 0.01
