"""Quantiles and numbers of different values: near enough, and functions of the values alone."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreg.adapters import figures, sketching
from dreg.core import sketches
from dreg.core.drift import key_of, value_of
from dreg.core.numbers import PERCENTS
from dreg.core.sketches import EXACT, FINEST, MANTISSA, MOST_BUCKETS, Distinct, Spread

UNHURRIED = settings(deadline=None, max_examples=25)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SEEDS = st.integers(0, 2**32 - 1)


def many(kind: str, seed: int, size: int = 4 * EXACT) -> np.ndarray[Any, Any]:
    """Values of which more than EXACT are different."""
    rng = np.random.default_rng(seed)
    any_bits = rng.integers(-(2**63), 2**63, size)
    made = {
        "normal": rng.normal(size=size),
        "offset": rng.normal(290, 5, size),
        "skewed": rng.lognormal(3, 4, size),
        "any float": any_bits.view(np.float64)[np.isfinite(any_bits.view(np.float64))],
        "any integer": any_bits,
        "large": any_bits.view(np.uint64),
        "counts": rng.integers(0, 10**5, size),
    }
    return made[kind]


KINDS = ["normal", "offset", "skewed", "any float", "any integer", "large", "counts"]


def cut(values: np.ndarray[Any, Any], cuts: Sequence[int]) -> list[np.ndarray[Any, Any]]:
    return np.split(values, sorted(cut % (len(values) + 1) for cut in cuts))


# Keys


@given(FINITE, FINITE)
def test_keys_are_in_the_order_of_the_floats(one, other):
    assert (key_of(one) < key_of(other)) == (one < other)
    assert value_of(key_of(one)) == one


def test_zero_has_one_key():
    assert key_of(-0.0) == key_of(0.0) == 0
    assert key_of(-5e-324) == -2, "-1 is what the bits of -0.0 would be"


# Quantiles


@pytest.mark.parametrize("kind", KINDS)
@UNHURRIED
@given(seed=SEEDS)
def test_quantiles_are_within_the_stated_error(kind, seed):
    values = many(kind, seed)
    spread, _ = sketching.of_numbers(values)
    whole = values.dtype.kind != "f"

    exact = np.sort(values)[[math.ceil(p * len(values) / 100) - 1 for p in PERCENTS]]
    for found, there in zip(spread.quantiles(PERCENTS, whole), exact.tolist(), strict=True):
        rounding = 2**-53  # of integers beyond 2**53 to floats
        assert abs(found - there) <= (spread.error + rounding) * max(abs(there), 2**-1022)
        assert isinstance(found, int) == whole
    assert 0 < spread.error <= 2**-1
    assert len(spread.buckets) <= MOST_BUCKETS


def test_the_error_is_small_where_values_are():
    assert sketching.of_numbers(many("offset", 7))[0].error == 2**-11
    assert sketching.of_numbers(many("normal", 7, 10**6))[0].error <= 2**-7


@UNHURRIED
@given(st.lists(FINITE, min_size=1, max_size=200))
def test_quantiles_of_few_values_are_numpys(values):
    spread, _ = sketching.of_numbers(np.array(values))

    quarters = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    assert spread.quantiles([25, 50, 75]) == quarters.tolist()
    assert spread.error == 0


def test_the_quantiles_of_a_column_lie_between_its_extremes():
    found = figures.numbers(pa.array(np.linspace(1, 2, 5000))).figures()

    shown = [
        found[name] for name in ("min", "p01", "p05", "p25", "p50", "p75", "p95", "p99", "max")
    ]
    assert shown == sorted(shown)
    assert found["quantile_error"] == 2**-11
    constant = figures.numbers(pa.array([7, 7, 7])).figures()
    assert constant["p01"] == constant["p99"] == 7
    assert isinstance(constant["p50"], int)
    assert "quantile_error" not in constant


def test_small_whole_numbers_are_exact_among_many():
    values = np.concatenate([np.arange(5000), np.full(20_000, 5)])
    found = figures.numbers(pa.array(values)).figures()

    assert (found["p25"], found["p50"], found["p75"]) == (5, 5, 5)


# Merging


@pytest.mark.parametrize("kind", KINDS)
@UNHURRIED
@given(seed=SEEDS, cuts=st.lists(st.integers(0, 10**4), max_size=5))
def test_parts_of_many_values_merge_into_the_whole(kind, seed, cuts):
    values = many(kind, seed)
    parts = [figures.numbers(pa.array(part)) for part in cut(values, cuts)]
    whole = figures.numbers(pa.array(values))
    random.Random(seed).shuffle(parts)

    together = reduce(add, parts)
    assert together == whole
    assert together.figures() == whole.figures()
    assert str(together.histogram()) == str(whole.histogram())


@UNHURRIED
@given(size=st.integers(EXACT - 1, EXACT + 2), cuts=st.lists(st.integers(0, 3 * EXACT), max_size=4))
def test_the_switch_from_exact_happens_at_the_same_values_however_they_are_cut(size, cuts):
    values = np.repeat(np.random.default_rng(size).normal(size=size), 3)
    parts = [sketching.of_numbers(part) for part in cut(values, cuts)]
    spread, distinct = sketching.of_numbers(values)

    assert reduce(add, (part[0] for part in parts)) == spread
    assert reduce(add, (part[1] for part in parts)) == distinct
    assert bool(spread.buckets) == distinct.estimated == (size > EXACT)
    assert distinct.estimated or distinct.count == size


@UNHURRIED
@given(st.integers(0, 3 * EXACT), st.lists(st.integers(0, 3 * EXACT), max_size=4))
def test_parts_of_many_texts_merge_into_the_whole(different, cuts):
    texts = [f"user-{number}" * (number % 4) for number in range(different)] * 2
    ends = [0, *sorted(cut % (len(texts) + 1) for cut in cuts), len(texts)]
    parts = [figures.column(pa.array(texts[a:b], pa.string())) for a, b in pairwise(ends)]

    assert reduce(add, reversed(parts)) == figures.column(pa.array(texts, pa.string()))


@UNHURRIED
@given(seed=SEEDS, kind=st.sampled_from(KINDS))
def test_many_values_at_once_are_sketched_like_one_by_one(seed, kind):
    values = many(kind, seed, 2 * EXACT)
    if values.dtype.kind == "f":
        values = values + 0.0
    spread, distinct = sketching.of_numbers(values)

    assert spread == Spread.of_values(Counter(values.tolist()))
    assert distinct == Distinct.of(frozenset(sketching.hashes(values).tolist()))


def test_buckets_of_all_floats_are_few_enough_without_a_bit_of_the_mantissa():
    every_octave = {key << MANTISSA: 1 for key in range(-2047, 2047)}
    assert len(every_octave) <= MOST_BUCKETS
    finest = {key >> MANTISSA - FINEST: 1 for key in every_octave} | dict.fromkeys(range(5000), 1)
    assert Spread.of_buckets(finest).bits >= 0


# Numbers of different values


@pytest.mark.parametrize("size", [1025, 3000, 10_000, 100_000, 1_000_000])
def test_many_different_values_are_estimated_within_a_few_percent(size):
    numbers = np.arange(size)
    error = 4 * 1.04 / math.sqrt(sketches.REGISTERS)

    for values in (numbers, numbers / 7, -numbers * 2**40):
        _, distinct = sketching.of_numbers(values)
        assert distinct.estimated
        assert distinct.count == pytest.approx(size, rel=error)


def test_many_different_texts_are_estimated_within_a_few_percent():
    texts = [f"{'x' * (number % 20)}{number}" for number in range(100_000)]
    found = figures.column(pa.array(texts * 2)).figures()

    assert found["distinct_is_estimate"] is True
    assert found["distinct"] == pytest.approx(100_000, rel=0.05)


def test_the_estimates_of_many_sets_scatter_as_the_paper_says():
    errors = []
    for seed in range(60):
        values = np.random.default_rng(seed).normal(size=20_000)
        errors.append(sketching.of_numbers(values)[1].count / 20_000 - 1)

    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) == pytest.approx(1.04 / 64, rel=0.5)


def test_few_different_values_are_counted_exactly():
    assert figures.column(pa.array(["a", "b", "a", None])).figures()["distinct"] == 2
    assert figures.column(pa.array([0.0, -0.0, math.nan, 1.0, None])).figures()["distinct"] == 2
    assert figures.column(pa.array([True, False, True])).figures()["distinct"] == 2
    found = figures.column(pa.array([str(number) for number in range(EXACT)])).figures()
    assert found["distinct"] == EXACT
    assert "distinct_is_estimate" not in found


def test_there_are_never_more_different_values_than_values():
    for size in (1025, 1100, 5000, 300_000):
        assert figures.numbers(pa.array(range(size))).figures()["distinct"] <= size


# Hashes


def mixed(number: int) -> int:
    """SplitMix64, as its authors wrote it."""
    most = 2**64 - 1
    number = (number + 0x9E3779B97F4A7C15) & most
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & most
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & most
    return number ^ number >> 31


def test_hashes_of_numbers_are_what_they_always_were():
    found = sketching.hashes(np.array([0, 1, -1])).tolist()

    assert found == [mixed(0), mixed(1), mixed(2**64 - 1)]
    assert found[0] == 0xE220A8397B1DCDAF, "SplitMix64's first output from seed 0"
    assert sketching.hashes(np.array([0, 1], np.uint8)).tolist() == found[:2]
    assert sketching.hashes(np.array([1.0])).tolist() == [mixed(0x3FF0000000000000)]


@UNHURRIED
@given(st.text(max_size=40))
def test_hashes_of_texts_are_what_they_always_were(text):
    text_bytes = text.encode()
    words = [
        int.from_bytes(text_bytes[start : start + 8], "little")
        for start in range(0, len(text_bytes), 8)
    ]
    total = sum(mixed((word + mixed(place)) % 2**64) for place, word in enumerate(words))

    found = sketching.text_hashes(pa.array([text])).tolist()

    assert found == [mixed((total + len(text_bytes)) % 2**64)]


@UNHURRIED
@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=30), st.integers(0, 30))
def test_equal_texts_have_equal_hashes_and_others_dont(texts, offset):
    texts = texts + texts[::-1]
    present = [text for text in texts if text is not None]
    array = pa.array(texts, pa.string())

    found = sketching.text_hashes(array).tolist()

    by_text = dict(zip(present, found, strict=True))
    assert len(set(by_text.values())) == len(by_text)
    assert [by_text[text] for text in present] == found
    assert sketching.text_hashes(pa.array(texts, pa.large_string())).tolist() == found
    rest = [text for text in texts[offset:] if text is not None]
    assert sketching.text_hashes(array.slice(offset)).tolist() == [by_text[t] for t in rest]


def test_texts_longer_than_what_is_hashed_at_once_are_hashed_the_same(monkeypatch):
    texts = pa.array(["short", "long" * 1000, "", "x" * 7, "x" * 8, "x" * 9])
    at_once = sketching.text_hashes(texts).tolist()
    monkeypatch.setattr(sketching, "WORDS_AT_ONCE", 2)

    assert sketching.text_hashes(texts).tolist() == at_once
    assert len(set(at_once)) == 6


def test_zeros_at_the_end_of_a_text_count():
    found = sketching.text_hashes(pa.array(["a", "a\0", "a\0\0", "ab", "ba", "\0", ""])).tolist()
    assert len(set(found)) == 7
    swapped = sketching.text_hashes(pa.array(["12345678abcdefgh", "abcdefgh12345678"])).tolist()
    assert swapped[0] != swapped[1]
