"""Figures of columns: exact, and the same however the values were cut into parts."""

from __future__ import annotations

import datetime as dt
import math
import re
import statistics
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreg.adapters import figures, measure
from dreg.adapters.formats.file_types import ImageType, files
from dreg.core.numbers import Numbers, root, rounded
from dreg.core.statistics import Others, Samples, Texts, Vectors, joined
from tests.measured import image

FLOATS = st.lists(st.one_of(st.none(), st.floats(width=64)), max_size=50)
INTEGERS = st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=50)
TEXTS = st.lists(st.one_of(st.none(), st.text()), max_size=50)
COLUMNS = st.one_of(
    st.tuples(FLOATS, st.just(pa.float64())),
    st.tuples(INTEGERS, st.just(pa.int64())),
    st.tuples(TEXTS, st.just(pa.string())),
    st.tuples(st.lists(st.one_of(st.none(), st.booleans()), max_size=50), st.just(pa.bool_())),
    st.tuples(
        st.lists(st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)), max_size=50),
        st.sampled_from([pa.date32(), pa.timestamp("us"), pa.time64("ns"), pa.duration("ms")]),
    ),
    st.tuples(
        st.lists(
            st.one_of(
                st.none(), st.lists(st.one_of(st.none(), st.floats()), min_size=3, max_size=3)
            ),
            max_size=50,
        ),
        st.sampled_from(
            [pa.list_(pa.float64(), 3), pa.list_(pa.float64()), pa.list_view(pa.float64())]
        ),
    ),
    st.tuples(
        st.lists(st.one_of(st.none(), st.binary(max_size=20)), max_size=50),
        st.sampled_from([pa.binary(), pa.large_binary(), pa.binary_view()]),
    ),
)


UNHURRIED = settings(deadline=None)  # the first example imports half of Arrow


def moments(column: Numbers | Texts) -> dict[str, Any]:
    """The figures but for those of tests/test_sketches.py."""
    figures = column.figures().items()
    return {n: v for n, v in figures if not re.match(r"p\d\d|distinct|quantile", n)}


def exactly(numbers: Numbers) -> tuple[Fraction, Fraction]:
    return numbers.mean, numbers.variance


def reference(values: Sequence[float]) -> tuple[Fraction, Fraction]:
    """Mean and variance by the book."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return mean, sum((value - mean) ** 2 for value in exact) / len(exact)


@UNHURRIED
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_figures_of_floats_are_exact(values):
    found = figures.numbers(pa.array(values, pa.float64()))

    assert exactly(found) == reference(values)
    assert (found.low, found.high) == (min(values), max(values))


@pytest.mark.parametrize("width", [8, 16, 32, 64])
@pytest.mark.parametrize("signed", [True, False])
@UNHURRIED
@given(data=st.data())
def test_figures_of_integers_are_exact(data, width, signed):
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    values = data.draw(st.lists(st.integers(low, high), min_size=1, max_size=50))
    kind = getattr(pa, f"{'' if signed else 'u'}int{width}")()

    found = figures.numbers(pa.array(values, kind))

    assert exactly(found) == reference(values)
    assert (found.low, found.high) == (min(values), max(values))


@UNHURRIED
@given(COLUMNS, st.integers(0, 50))
def test_parts_merge_into_the_whole(column, cut):
    values, kind = column
    whole = figures.column(pa.array(values, kind))
    parts = (
        figures.column(pa.array(values[:cut], kind)),
        figures.column(pa.array(values[cut:], kind)),
    )

    assert joined(*parts) == whole
    assert joined(parts[1], parts[0]) == whole
    assert joined(*parts).figures() == whole.figures()


def test_a_long_column_is_as_exact_as_a_short_one():
    """More rows than are summed at once, with magnitudes that swallow each other in floats."""
    values = np.random.default_rng(7).normal(size=figures.MOST_ROWS + 1000)
    values[::1000] *= 1e17
    found = figures.numbers(pa.array(values))

    assert found.count == len(values)
    assert float(found.mean) == math.fsum(values) / len(values)
    half = len(values) // 2
    ends, middle = pa.array(values[half:]), pa.array(values[:half])
    assert figures.numbers(ends) + figures.numbers(middle) == found


@pytest.mark.parametrize("largest", [1e-200, 1.0, 255.0, 1e17, 1e200, 1e300])
@pytest.mark.parametrize("smallest", [1e-300, 1e-12, 0.5])
def test_floats_of_every_size_are_summed_exactly(largest, smallest):
    """By both ways: cut as floats, and as integers where their sizes are too far apart."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=2000) * largest * np.where(rng.random(2000) < 0.1, smallest, 1)

    assert exactly(figures.numbers(pa.array(values))) == reference(values.tolist())


def test_a_full_batch_of_the_largest_limbs_is_summed_exactly():
    values = np.full(figures.MOST_ROWS, 2.0**53 - 1)
    values[::2] = -(2.0**17 - 0.5)
    found = figures.numbers(pa.array(values))

    half = len(values) // 2
    assert found.mean * 2 == Fraction(2**53 - 1) - Fraction(2**18 - 1, 2)
    squares = Fraction(half) * ((2**53 - 1) ** 2 + Fraction(2**18 - 1, 2) ** 2)
    assert found.variance == squares / len(values) - found.mean**2
    whole = figures.numbers(pa.array(np.full(figures.MOST_ROWS, 2**53 - 1)))
    assert (whole.mean, whole.variance) == (2**53 - 1, 0)


def test_a_slice_of_an_array_is_measured_not_the_array():
    array = pa.array([1.0, None, 3.0, 5.0, 100.0])

    assert moments(figures.numbers(array.slice(1, 3))) == {
        "nulls": 1, "min": 3.0, "max": 5.0, "mean": 4.0, "std": 1.0
    }  # fmt: skip
    assert figures.numbers(array.slice(2, 2)).figures()["mean"] == 4.0


def test_what_is_not_finite_is_counted_and_left_out():
    found = figures.numbers(pa.array([1.0, math.nan, math.inf, -math.inf, 3.0]))

    assert moments(found) == {
        "nulls": 0, "not_finite": 3, "min": 1.0, "max": 3.0, "mean": 2.0, "std": 1.0
    }  # fmt: skip


def test_a_column_without_values_has_no_extremes():
    assert figures.column(pa.nulls(2, pa.float64())).figures() == {"nulls": 2}
    assert figures.column(pa.nulls(0, pa.string())).figures() == {"nulls": 0}
    assert figures.numbers(pa.array([math.nan])).figures() == {"nulls": 0, "not_finite": 1}


def test_texts_have_lengths_in_characters():
    found = figures.column(pa.array(["tea", "café", None, ""]))

    assert moments(found) == {
        "nulls": 1, "min_length": 0, "max_length": 4, "mean_length": rounded(7 / 3)
    }  # fmt: skip


def test_truth_values_and_decimals_are_numbers():
    assert figures.column(pa.array([True, False, None])).figures()["mean"] == 0.5
    prices = pa.array(["1.25", "2.75"]).cast(pa.decimal128(5, 2))
    assert figures.column(prices).figures()["mean"] == 2.0


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_floats_of_every_width_are_measured(kind):
    found = figures.column(pa.array(np.array([0.5, 1.5], dtype=kind.to_pandas_dtype()), kind))

    assert moments(found) == {"nulls": 0, "min": 0.5, "max": 1.5, "mean": 1.0, "std": 0.5}


def test_encodings_of_the_same_values_have_the_same_figures():
    values = ["red", "white", None, "red"]
    plain = figures.column(pa.array(values))

    assert figures.column(pa.array(values).dictionary_encode()) == plain
    assert figures.column(pa.array(values, pa.large_string())) == plain
    assert figures.column(pa.array(values).cast(pa.string_view())) == plain
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        assert figures.feature(kind).type == "string"


def test_other_types_have_their_nulls_counted():
    assert figures.column(pa.array([{"x": 1}, None])).figures() == {"nulls": 1, "distinct": 1}
    pairs = figures.column(pa.array([[1, 2], None], pa.list_(pa.int64(), 2)))
    assert isinstance(pairs, Others)
    assert pairs.figures() == {"nulls": 1, "distinct": 1}
    assert figures.column(pa.nulls(2)).figures() == {"nulls": 2}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([{"x": 1}, {"x": 2}, {"x": 1}, None], pa.struct([("x", pa.int64())])),
        ([[1], [1, 2], [1], None], pa.list_(pa.int64())),
        ([[0.5, 1], [1, 0.5], [0.5, 1], None], pa.list_(pa.float32(), 2)),
        ([b"a", b"", b"a", None], pa.binary()),
        ([b"ab", b"cd", b"ab", None], pa.binary(2)),
        ([[("a", 1)], [], [("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        ([True, False, True, None], pa.bool_()),
        # As floats these would be one value each.
        ([1_700_000_000_000_000_001, 1_700_000_000_000_000_002] * 2, pa.timestamp("ns")),
        ([Decimal(10**30), Decimal(10**30 + 1)] * 2, pa.decimal128(38)),
    ],
)  # fmt: skip
def test_different_values_of_every_type_are_counted(values, kind):
    array = pa.array(values, kind)
    whole = figures.column(array)

    assert whole.figures()["distinct"] == 2
    assert whole == joined(figures.column(array.slice(0, 1)), figures.column(array.slice(1)))


def test_different_images_are_counted_and_different_tensors():
    red, blue = image("RGB", (2, 2), (255, 0, 0)), image("RGB", (2, 2), (0, 0, 255))
    found, _ = figures.images(pictures(red, blue, None, red))
    assert found.figures()["distinct"] == 2
    pixels = np.array([[[1, 2]], [[2, 1]], [[1, 2]]], np.uint8)
    assert figures.column(pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)).figures() == {
        "nulls": 0,
        "distinct": 2,
    }


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int64()), pa.large_list(pa.int64()), pa.list_view(pa.int64())]
)
def test_lists_have_lengths(kind):
    found = figures.column(pa.array([[], [1], None, [2, 3, None, 4, 5]], kind))

    assert found.figures() == {
        "nulls": 1, "min_length": 0, "max_length": 5, "mean_length": 2.0,
        "p50_length": 1, "p95_length": 5, "distinct": 3,
    }  # fmt: skip


def test_bytes_have_lengths_and_maps_have_too():
    assert figures.column(pa.array([b"xyz", None])).figures()["max_length"] == 3
    pairs = pa.array([[("a", 1), ("b", 2)], []], pa.map_(pa.string(), pa.int64()))
    assert figures.column(pairs).figures()["max_length"] == 2


@pytest.mark.parametrize("width", [16, 32, 64])
def test_vectors_have_norms(width):
    rows = np.array([[3, 4], [0, 0], [math.nan, 1], [5, 12]], f"f{width // 8}")
    size = pa.list_(pa.from_numpy_dtype(rows.dtype), 2)
    lists = pa.array([*rows.tolist(), None], pa.list_(pa.float64(), 2)).cast(size)
    found = figures.column(lists)

    assert found.figures() == {
        "nulls": 1, "not_finite": 1, "min_norm": 0.0, "max_norm": 13.0, "mean_norm": 6.0,
        "std_norm": rounded(math.sqrt(((6 - 5) ** 2 + 36 + 49) / 3)), "p50_norm": 5.0,
        "distinct": 3,
    }  # fmt: skip
    assert figures.column(pa.FixedShapeTensorArray.from_numpy_ndarray(rows)) == Vectors(
        found.norms + Numbers(nulls=-1), found.distinct
    )


def test_norms_do_not_depend_on_the_vectors_beside():
    rows = np.random.default_rng(7).normal(size=(3000, 384)).astype(np.float32)
    whole = figures.column(tensors(rows))

    assert (
        sum((figures.column(tensors(r)) for r in np.split(rows, [1, 8, 700])), Vectors()) == whole
    )
    assert whole.norms.mean == pytest.approx(np.linalg.norm(rows, axis=1).mean())


def test_dates_are_days_and_times_are_seconds_whatever_the_unit():
    days = pa.array([dt.date(1970, 1, 2), None, dt.date(2024, 2, 29)])
    assert moments(figures.column(days)) == {
        "nulls": 1, "min": 1, "max": 19782, "mean": 9891.5, "std": 9890.5
    }  # fmt: skip
    assert figures.column(days.cast(pa.date64())) == figures.column(days)
    moment = pa.array([dt.datetime(2024, 2, 29, 12, 0, 0, 500_000), None])
    for unit in ("ms", "us", "ns"):
        for kind in (pa.timestamp(unit), pa.timestamp(unit, "Europe/Berlin")):
            found = figures.column(moment.cast(pa.timestamp(unit)).cast(kind)).figures()
            assert (found["nulls"], found["max"]) == (1, found["min"])
            if kind.tz is None:
                assert found["max"] == 1709208000.5
    assert figures.column(pa.array([90], pa.time32("s"))).figures()["mean"] == 90
    assert figures.column(pa.array([1500], pa.duration("ms"))).figures()["mean"] == 1.5


def pictures(*contents: bytes | None) -> pa.Array:
    return files(ImageType(), contents, pa.array([None] * len(contents), pa.string()))


def test_images_have_sizes_modes_and_pixels():
    found, pixels = figures.images(
        pictures(image("RGB", (4, 2), (255, 0, 51)), None, image("L", (1, 3), 255, "JPEG"))
    )

    assert found.figures() == {
        "nulls": 1,
        "min_width": 1, "max_width": 4, "mean_width": 2.5, "p50_width": 1, "p95_width": 4,
        "min_height": 2, "max_height": 3, "mean_height": 2.5, "p50_height": 2, "p95_height": 3,
        "mode_L": 1, "mode_RGB": 1, "distinct": 2,
    }  # fmt: skip
    assert pixels.count == 4 * 2 * 3 + 3
    assert pixels.mean == Fraction(8 * (255 + 51) + 3 * 255, 27)


@pytest.mark.parametrize(
    ("mode", "colour", "levels"),
    [
        ("1", 1, [255]),
        ("LA", (7, 3), [7]),
        ("RGBA", (1, 2, 3, 99), [1, 2, 3]),
        ("CMYK", (0, 255, 255, 0), [255, 0, 0]),
    ],
)
def test_transparency_is_no_channel_and_every_colour_is_red_green_and_blue(mode, colour, levels):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    found, pixels = figures.images(pictures(image(mode, (1, 1), colour, kind)))

    assert found.modes == {mode: 1}
    assert (pixels.count, pixels.mean) == (len(levels), Fraction(sum(levels), len(levels)))


def test_an_image_of_16_bits_has_a_size_but_no_levels():
    found, pixels = figures.images(pictures(image("I;16", (5, 5), 40_000)))

    assert (found.modes, pixels.count) == ({"I;16": 1}, 0)


@UNHURRIED
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.builds(
                lambda size, shade: image("L", size, shade),
                st.tuples(st.integers(1, 9), st.integers(1, 9)),
                st.integers(0, 255),
            ),
            st.just(image("RGB", (3, 3), (1, 2, 3))),
        ),
        max_size=8,
    ),
    st.integers(0, 8),
)
def test_figures_of_images_merge(contents, cut):
    whole = figures.images(pictures(*contents))
    one, other = (
        figures.images(pictures(*contents[:cut])),
        figures.images(pictures(*contents[cut:])),
    )

    assert (joined(one[0], other[0]), one[1] + other[1]) == whole
    assert joined(other[0], one[0]).figures() == whole[0].figures()


def test_a_column_without_rows_is_of_the_kind_that_its_type_says():
    for kind in (ImageType(), pa.list_(pa.float32(), 4), pa.list_(pa.int8()), pa.date32()):
        empty = figures.column(measure.empty(pa.schema([("x", kind)])).column(0))
        assert empty.figures() == {"nulls": 0}
        if not isinstance(kind, ImageType):
            assert type(figures.column(pa.nulls(1, kind))) is type(empty)


@pytest.mark.parametrize(
    ("kind", "name", "shape"),
    [
        (pa.float64(), "float64", ()),
        (pa.float32(), "float32", ()),
        (pa.fixed_shape_tensor(pa.uint8(), [28, 28]), "uint8", (28, 28)),
        (pa.list_(pa.list_(pa.uint8(), 3), 2), "uint8", (2, 3)),
        (pa.list_(pa.float32(), 384), "float32", (384,)),
        (pa.list_(pa.int64()), "list<int64>", ()),
        (pa.timestamp("us"), "timestamp[us]", ()),
    ],
)
def test_a_type_has_a_name_and_a_tensor_its_shape(kind, name, shape):
    found = figures.feature(kind)

    assert (found.type, found.shape) == (name, shape)


def tensors(images: np.ndarray) -> pa.Array:
    return pa.FixedShapeTensorArray.from_numpy_ndarray(images)


def test_pixels_are_measured_exactly_from_zero_to_one():
    images = np.random.default_rng(7).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    found = figures.pixels(tensors(images))

    assert exactly(found) == (
        Fraction(int(images.sum(dtype=np.int64)), images.size),
        found.variance,
    )
    measured = Samples(300, pixels={"image": found}).metrics()
    scaled = images.astype(np.float64) / 255
    assert measured["pixel_mean"] == pytest.approx(scaled.mean(), abs=1e-12)
    assert measured["pixel_std"] == pytest.approx(scaled.std(), abs=1e-12)
    assert figures.pixels(tensors(images[:100])) + figures.pixels(tensors(images[100:])) == found
    assert figures.pixels(tensors(images).slice(100, 50)) == figures.pixels(
        tensors(images[100:150])
    )


def test_images_that_are_null_have_no_pixels():
    kind = pa.fixed_shape_tensor(pa.uint8(), [1, 2])
    storage = pa.array([[1, 3], None], pa.list_(pa.uint8(), 2))
    found = figures.pixels(pa.ExtensionArray.from_storage(kind, storage))

    assert (found.count, found.mean) == (2, 2)


def test_several_image_columns_have_pixels_of_their_own():
    one, other = figures.numbers(pa.array([0, 255])), figures.numbers(pa.array([255]))

    assert Samples(1, pixels={"left": one, "right": other}).metrics() == {
        "left_pixel_mean": 0.5,
        "left_pixel_std": 0.5,
        "right_pixel_mean": 1.0,
        "right_pixel_std": 0.0,
    }


def test_samples_merge():
    one = Samples(2, {"red": 2}, {"x": Others(1)}, {"image": Numbers(count=1)})
    other = Samples(1, {"red": 1, "white": 0}, {"y": Others(0)}, {"image": Numbers(count=2)})

    assert one + other == Samples(
        3, {"red": 3, "white": 0}, {"x": Others(1), "y": Others(0)}, {"image": Numbers(count=3)}
    )
    assert Samples() + one == one


def test_columns_of_different_kinds_do_not_merge():
    with pytest.raises(TypeError, match="Numbers and Texts cannot be merged"):
        joined(Numbers(), Texts())


def test_figures_are_rounded_to_what_a_reader_can_use():
    assert rounded(1 / 3) == 0.333333333333
    assert rounded(2**63 - 1) == 2**63 - 1
    assert math.copysign(1, rounded(-0.0)) == 1
    assert rounded(1e300) == 1e300


@UNHURRIED
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_the_deviation_is_the_populations(values):
    found = figures.numbers(pa.array(values))

    assert root(found.variance) == pytest.approx(statistics.pstdev(values), rel=1e-9, abs=1e-12)


def test_a_root_may_be_of_a_number_that_no_float_holds():
    assert root(Fraction(10) ** 600) == pytest.approx(1e300)
    assert root(Fraction(1, 10**600)) == pytest.approx(1e-300)
    assert root(Fraction(0)) == 0.0
