"""Numbers that mean something else, in other samples than before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dreg.adapters import sketching
from dreg.core.profile import Feature, Profile, Published, Split
from dreg.core.rules import assess

SHAPES: dict[str, Any] = {
    "narrow": lambda rng, n: rng.normal(5, 1, n),
    "wide": lambda rng, n: np.abs(rng.normal(5, 2, n)),
    "skewed": lambda rng, n: rng.lognormal(0, 1, n),
    "even": lambda rng, n: rng.uniform(1, 100, n),
    "waiting": lambda rng, n: rng.exponential(3, n),
}


def profile(values: Any) -> Profile:
    spread = sketching.of_numbers(np.asarray(values))[0]
    places = dict(
        zip(
            ("p05", "p25", "p50", "p75", "p95"),
            spread.quantiles((5, 25, 50, 75, 95), whole=False),
            strict=True,
        )
    )
    figures = {"mean": float(np.mean(values)), "std": float(np.std(values)), **places}
    split = Split(len(values), columns={"x": figures}, histograms={"x": spread.histogram()})
    return Profile({}, {"x": Feature("float64")}, {"train": split}, {}, Published(1, 1, ""))


def jumped(before: Any, after: Any) -> bool:
    return "unit-jumped" in {f.rule for f in assess(profile(before), profile(after))}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("times", [1000, 100, 1 / 60, 0.001])
def test_another_unit_is_seen_in_other_samples_too(shape, times):
    seen = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        seen += jumped(SHAPES[shape](rng, 1000), SHAPES[shape](rng, 1000) * times)
    assert seen >= 17


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sizes", [(60, 60), (1000, 300), (5000, 5000)])
def test_other_samples_in_the_same_unit_have_not_jumped(shape, sizes):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        before, after = (SHAPES[shape](rng, n) for n in sizes)
        assert not jumped(before, after)
        assert not jumped(before, after + before.std())


@pytest.mark.parametrize(
    ("scale", "offset"), [(1.8, 32), (1, 273.15), (1 / 1.8, -32 / 1.8), (1, -273.15)]
)
def test_a_temperature_in_other_degrees(scale, offset):
    rng = np.random.default_rng(7)
    before, after = (rng.normal(11, 6, 2000) for _ in range(2))
    assert jumped(before, after * scale + offset)
    assert not jumped(before, after + 1.5)  # a warmer year


def test_the_other_sign():
    rng = np.random.default_rng(7)
    before, after = (rng.gamma(4, 2, 2000) for _ in range(2))
    assert jumped(before, -after)
    around_zero = rng.normal(0, 1, 2000), -rng.normal(0, 1, 2000)
    assert not jumped(*around_zero)


def test_flags_as_percents():
    flags = np.random.default_rng(7).integers(0, 2, 500)
    full = profile(flags), profile(flags * 100)
    for side, most in zip(full, (1, 100), strict=True):
        side.splits["train"].columns["x"] |= {"min": 0, "max": most}  # type: ignore[operator, index]
    assert "unit-jumped" in {f.rule for f in assess(*full)}
