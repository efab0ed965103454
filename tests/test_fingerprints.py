"""A sample's hash: its definition, and the fast form of it, held against each other."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreg.adapters import figures
from dreg.adapters.hashing.fingerprints import Unhashable, fingerprints
from dreg.core.canonical import Date, Moment, Span, Time, fingerprint

UTC = dt.UTC

# Hashes are compared over years and machines: none of these may ever change.
GOLDEN: list[tuple[dict[str, Any], str]] = [
    ({"quality": 5, "color": "red", "ph": 3.51}, "dbf06842e092254fb729e365514987e1"),
    ({"x": None}, "9e1f72d6552c90c7331c206fcbf07dd6"),
    ({"x": 0}, "7d32d05ed7e79b91c6c2e4d9125a075a"),
    ({"x": -1}, "188e9bd987722b0ee2254eb32ea794fa"),
    ({"x": 2**63}, "84c010af748a4cb680442027f8dc6872"),
    ({"x": 0.1}, "a02a76cb5e661628831f0d11420b2764"),
    ({"x": float("nan")}, "44d97fde15045cec216e52f3981b369d"),
    ({"x": float("-inf")}, "d7acd889ff4bba7219486b2c1a6fea67"),
    ({"x": Decimal("-1.50")}, "809092d4b734e98b40f15d3938d39cb5"),
    ({"x": Decimal(10**30)}, "15c7838ca542ae9fc4690f6bbde954de"),
    ({"x": True}, "eb16f58d73556e43e859d0da5f15e4b5"),
    ({"x": ""}, "134a0a79ec6e1f8ea8b27b46b6bab774"),
    ({"x": "Grüße, 世界"}, "eaa6f0f5884207e13745b446ef040c76"),
    ({"x": b"\0\xff"}, "aabb8d1fb3c1f4b14f5f1124b4177b14"),
    ({"x": dt.date(1969, 12, 31)}, "16794728fdaa92aa372f6e84cfed6343"),
    ({"x": dt.time(1, 2, 3, 4)}, "76a57f3fa079b1576aca37c4fcb7d98c"),
    ({"x": dt.datetime(2024, 2, 29, 12)}, "5fee4ca71bd19d99512ae10f691daa63"),
    ({"x": dt.datetime(2024, 2, 29, 12, tzinfo=UTC)}, "8b8000fcf398fb32b395a036c5b8ba19"),
    ({"x": Moment(-1, 999_999_999, zoned=True)}, "244b1a02d111884782225e4c47800182"),
    ({"x": dt.timedelta(days=-1, microseconds=1)}, "3b8de7731dce90b482f7244e47806be5"),
    ({"x": []}, "9224ab94fb1f6a26a801df9910126005"),
    ({"x": [[0, 127], [128, 255]]}, "71c9a714b290598f5c93719da86702fe"),
    ({"x": [1, 256, None]}, "1e9d5b398edfa99e6abce02488c0bd09"),
    ({"x": {"a": [0.5, 2], "b": None, "c": "d"}}, "ae74513ab44cfd8c52159690f7dcf5e6"),
]  # fmt: skip


def hashes(batch: pa.RecordBatch) -> list[bytes]:
    first, second = fingerprints(batch)
    return [
        int(a).to_bytes(8, "big") + int(b).to_bytes(8, "big")
        for a, b in zip(first, second, strict=True)
    ]


def column(array: pa.Array) -> list[bytes]:
    return hashes(pa.record_batch([array], names=["x"]))


def defined(values: list[Any]) -> list[bytes]:
    return [fingerprint({"x": plain(value)}) for value in values]


EPOCH = dt.datetime(1970, 1, 1)


def plain(value: Any) -> Any:
    """The value with times as the definition has them."""
    match value:
        case dt.datetime():
            zoned = value.tzinfo is not None
            since = (value.astimezone(UTC).replace(tzinfo=None) if zoned else value) - EPOCH
            return Moment(since.days * 86_400 + since.seconds, since.microseconds * 1000, zoned)
        case dt.date():
            return Date((value - EPOCH.date()).days)
        case dt.time():
            seconds = (value.hour * 60 + value.minute) * 60 + value.second
            return Time((seconds * 1_000_000 + value.microsecond) * 1000)
        case dt.timedelta():
            return Span(value.days * 86_400 + value.seconds, value.microseconds * 1000)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
    return value


INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
INTEGERS.append(pa.uint64())


def integers(kind: pa.DataType) -> st.SearchStrategy[int]:
    bits, signed = kind.bit_width, str(kind).startswith("int")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high) | st.integers(max(low, -1), min(high, 256))


def floats(width: int) -> st.SearchStrategy[float]:
    odd = [0.0, -0.0, 1.0, 255.0, 256.0, 0.5]
    if width > 16:
        odd += [2.0**63, -(2.0**63), 2.0**64, 2.0**53]
    return st.floats(width=width) | st.sampled_from(odd)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    numbers = st.integers(-most, most) | st.integers(-300, 300).map(
        lambda n: n * 10 ** max(scale, 0)
    )
    fitting = numbers.filter(lambda n: abs(n) <= most)
    return fitting.map(lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale)))


MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))
LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    *((kind, integers(kind)) for kind in INTEGERS),
    (pa.float16(), floats(16)),
    (pa.float32(), floats(32)),
    (pa.float64(), floats(64)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text()),
    (pa.large_string(), st.text()),
    (pa.string_view(), st.text()),
    (pa.binary(), st.binary()),
    (pa.large_binary(), st.binary()),
    (pa.binary_view(), st.binary()),
    (pa.binary(5), st.binary(min_size=5, max_size=5)),
    (pa.decimal128(38, 3), decimals(38, 3)),
    (pa.decimal128(10, 2), decimals(10, 2)),
    (pa.decimal128(8, -2), decimals(8, -2)),
    (pa.decimal32(9, 4), decimals(9, 4)),
    (pa.decimal64(18, 0), decimals(18, 0)),
    (pa.decimal256(70, 10), decimals(70, 10)),
    (pa.date32(), st.dates()),
    (pa.date64(), st.dates()),
    (pa.time32("s"), st.times().map(lambda t: t.replace(microsecond=0))),
    (pa.time64("us"), st.times()),
    (pa.timestamp("s"), MOMENTS.map(lambda t: t.replace(microsecond=0))),
    (pa.timestamp("us"), MOMENTS),
    (pa.timestamp("us", "UTC"), MOMENTS.map(lambda t: t.replace(tzinfo=UTC))),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6))),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["", "red", "white", "rosé"])),
    (pa.null(), st.none()),
]


def nested(
    inner: st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]],
) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    def list_of(made: tuple[pa.DataType, st.SearchStrategy[Any]]) -> Any:
        kind, values = made
        items = st.lists(values | st.none(), max_size=5)
        return st.sampled_from([(pa.list_(kind), items), (pa.large_list(kind), items)])

    def array_of(made: tuple[pa.DataType, st.SearchStrategy[Any]], size: int) -> Any:
        kind, values = made
        return pa.list_(kind, size), st.lists(values | st.none(), min_size=size, max_size=size)

    def struct_of(made: list[tuple[pa.DataType, st.SearchStrategy[Any]]]) -> Any:
        kinds = [pa.field(f"f{i}", kind) for i, (kind, _) in enumerate(made)]
        values = {f"f{i}": values | st.none() for i, (_, values) in enumerate(made)}
        return pa.struct(kinds), st.fixed_dictionaries(values)

    return (
        inner.flatmap(list_of)
        | st.builds(array_of, inner, st.integers(1, 9))
        | st.lists(inner, min_size=1, max_size=3).map(struct_of)
    )


TYPES = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=4)


@st.composite
def columns(draw: st.DrawFn) -> tuple[pa.Array, list[Any]]:
    """An array, maybe a slice of a longer one, and its values."""
    kind, strategy = draw(TYPES)
    values = draw(st.lists(strategy | st.none(), max_size=12))
    start = draw(st.integers(0, len(values)))
    return pa.array(values, kind).slice(start), values[start:]


@pytest.mark.parametrize(("sample", "expected"), GOLDEN, ids=[str(s) for s, _ in GOLDEN])
def test_golden_values(sample, expected):
    assert fingerprint(plain(sample)).hex() == expected
    if not any(isinstance(value, Moment | Decimal) for value in sample.values()):
        kinds = {"x": pa.uint64()} if sample.get("x") == 2**63 else {}
        arrays = {name: pa.array([value], kinds.get(name)) for name, value in sample.items()}
        assert [found.hex() for found in hashes(pa.record_batch(arrays))] == [expected]


@settings(max_examples=500, deadline=None)
@given(columns())
def test_arrays_are_hashed_as_the_definition_has_it(made):
    array, values = made
    assert column(array) == defined(values)


@pytest.mark.parametrize(("kind", "values"), LEAVES, ids=[str(kind) for kind, _ in LEAVES])
def test_every_type_of_arrow(kind, values):
    @settings(max_examples=40, deadline=None)
    @given(st.lists(values | st.none(), max_size=20), st.data())
    def check(given_values, data):
        start = data.draw(st.integers(0, len(given_values)))
        array = pa.array(given_values, kind).slice(start)
        assert column(array) == defined(given_values[start:])
        lists = pa.array([given_values, None, [], given_values[:1]], pa.list_(kind))
        assert column(lists) == defined([given_values, None, [], given_values[:1]])

    check()


def test_tensors_maps_views_and_runs_are_the_values_they_hold():
    pixels = np.arange(24, dtype=np.uint8)
    for kind in (pa.uint8(), pa.int64(), pa.float32()):
        tensor = pa.fixed_shape_tensor(kind, [3, 4])
        storage = pa.FixedSizeListArray.from_arrays(pa.array(pixels).cast(kind), 12)
        array = pa.ExtensionArray.from_storage(tensor, storage)
        expected = [pixels[:12].reshape(3, 4).tolist(), pixels[12:].reshape(3, 4).tolist()]
        assert column(array) == defined(expected)
        assert column(array.slice(1)) == defined(expected[1:])
        lying = np.ascontiguousarray(pixels.reshape(2, 3, 4).transpose(0, 2, 1)).ravel()
        turned = pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(kind, [4, 3], permutation=[1, 0]),
            pa.FixedSizeListArray.from_arrays(pa.array(lying).cast(kind), 12),
        )
        assert column(turned) == defined(expected)
        assert column(turned.slice(1)) == defined(expected[1:])
        assert figures.feature(turned.type) == figures.feature(tensor)
    pairs = pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.string(), pa.int16()))
    entries = [[{"key": "a", "value": 1}, {"key": "b", "value": None}], None, []]
    assert column(pairs) == defined(entries)
    assert column(pairs.slice(1)) == defined(entries[1:])
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", None]))
    assert column(runs) == defined(["a", "a", None])
    views = pa.array([[1, 2], [], None, [300]], pa.list_view(pa.int32()))
    assert column(views) == defined([[1, 2], [], None, [300]])
    nulls = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), pa.array(["a", None]))
    assert column(nulls) == defined(["a", None, None])


def test_times_are_finer_than_pythons():
    for unit, zone in itertools.product(("s", "ms", "us", "ns"), (None, "UTC", "Asia/Tokyo")):
        array = pa.array([-1, 0, 1_700_000_000_123_456_789, None], pa.timestamp(unit, zone))
        every = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        expected = [
            None
            if n is None
            else Moment(n // every, n % every * (10**9 // every), zone is not None)
            for n in array.cast(pa.int64()).to_pylist()
        ]
        assert column(array) == defined(expected)


def test_a_type_without_content():
    with pytest.raises(Unhashable):
        column(pa.array([None], pa.month_day_nano_interval()))


SAME: list[tuple[str, list[pa.Array]]] = [
    ("whole numbers", [pa.array([5, None, 0], kind) for kind in (*INTEGERS, pa.float16())]
     + [pa.array([5.0, None, -0.0]), pa.array([Decimal("5.00"), None, 0], pa.decimal128(5, 2))]),
    ("floats by value", [pa.array([0.5, 2**-30], kind) for kind in (pa.float32(), pa.float64())]),
    ("one NaN", [pa.array(np.array([bits], np.uint64).view(np.float64))
                 for bits in (0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0000000000001)]),
    ("texts", [pa.array(["a", None, ""], kind)
               for kind in (pa.string(), pa.large_string(), pa.string_view())]
     + [pa.array(["a", None, ""]).dictionary_encode()]),
    ("bytes", [pa.array([b"12345"], kind) for kind in (pa.binary(), pa.large_binary(), pa.binary(5))]),
    ("instants", [pa.array([n], pa.timestamp(unit, zone)) for n, unit, zone in
                  ((7, "s", "UTC"), (7000, "ms", "Europe/Berlin"), (7 * 10**9, "ns", "UTC"))]),
    ("dates", [pa.array([dt.date(1969, 12, 31)], kind) for kind in (pa.date32(), pa.date64())]),
    ("decimals", [pa.array([Decimal("-1.50")], pa.decimal128(9, 2)),
                  pa.array([Decimal("-1.5")], pa.decimal256(60, 1))]),
    ("lists", [pa.array([[1, 2], [], [1, 300]], kind) for kind in
               (pa.list_(pa.int64()), pa.large_list(pa.int16()), pa.list_(pa.float32()))]),
    ("arrays", [pa.array([[[1, 2], [3, 4]]], kind) for kind in
                (pa.list_(pa.list_(pa.uint8(), 2), 2), pa.list_(pa.list_(pa.float64())))]
     + [pa.ExtensionArray.from_storage(
         pa.fixed_shape_tensor(pa.uint8(), [2, 2]),
         pa.array([[1, 2, 3, 4]], pa.list_(pa.uint8(), 4)))]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays"), SAME, ids=[name for name, _ in SAME])
def test_equal_values_have_equal_hashes_whatever_their_encoding(name, arrays):
    assert len({tuple(column(array)) for array in arrays}) == 1


def test_different_values_have_different_hashes():
    values: list[object] = [
        None, [], "", b"", 0, False, 1, True, float("nan"), float("inf"), -1, 0.5, Decimal("0.5"),
        2**63, 2**64 - 1, 2.0**64, Decimal(2**70), "0", "\0", "\0\0", b"\0", [0], [0, 0], [None],
        [[]], [[], []], [""], [False], [256], {}, {"a": 1}, {"b": 1}, {"a": {"a": 1}}, [[0], [1]],
        [[0, 1], []], [[], [0, 1]], [[1], [0]], ["ab"], ["a", "b"], ["", "ab"], dt.date(1970, 1, 1),
        dt.time(0), dt.datetime(1970, 1, 1), dt.datetime(1970, 1, 1, tzinfo=UTC), dt.timedelta(0),
        Moment(0, 1), Moment(1, 0), "abcdefgh", "abcdefgh\0", "a" * 8 + "b" * 8, "b" * 8 + "a" * 8,
    ]  # fmt: skip
    assert len(set(defined(values))) == len(values)


def test_columns_count_by_name_not_by_place():
    one = pa.record_batch({"a": [1, 2], "b": [2, 1], "c": ["x", None]})
    assert hashes(one.select(["c", "b", "a"])) == hashes(one)
    swapped = pa.record_batch({"a": [2, 1], "b": [1, 2], "c": ["x", None]})
    assert not set(hashes(one)) & set(hashes(swapped))
    assert hashes(one.append_column("d", pa.nulls(2, pa.int8()))) == hashes(one), "null: as absent"


def test_a_batch_is_hashed_row_by_row_however_it_is_cut():
    rng = random.Random(3)
    table = pa.table(
        {
            "number": [rng.randint(-(10**6), 10**6) for _ in range(40_000)],
            "text": ["x" * rng.randint(0, 90) for _ in range(40_000)],
            "list": [[rng.randint(0, 400)] * rng.randint(0, 5) for _ in range(40_000)],
        }
    )
    [whole] = table.combine_chunks().to_batches()
    pieces = [hashes(batch) for batch in table.to_batches(max_chunksize=997)]
    assert list(itertools.chain(*pieces)) == hashes(whole)
    assert hashes(whole.slice(39_990)) == [fingerprint(r) for r in whole.slice(39_990).to_pylist()]
    assert hashes(whole.slice(0, 0)) == []


def lanes(array: pa.Array) -> np.ndarray:
    return np.stack(fingerprints(pa.record_batch([array], names=["x"])), axis=1)


@pytest.mark.parametrize(
    "array",
    [
        pa.array(range(1_000_000)),
        pa.array(np.arange(1_000_000) / 3),
        pa.array(np.arange(0, 1_000_000 << 40, 1 << 40)),
        pa.array([f"{n}" for n in range(300_000)]),
        pa.array([f"train/{n:08d}.png" for n in range(300_000)]),
        pa.FixedSizeListArray.from_arrays(pa.array(np.indices((500, 500)).reshape(2, -1).T.ravel()), 2),
    ],
    ids=["counting", "thirds", "high bits", "digits", "paths", "pairs"],
)  # fmt: skip
def test_alike_values_collide_in_neither_lane(array):
    found = lanes(array)
    for lane in (0, 1):
        assert len(np.unique(found[:, lane])) == len(array)


def test_swapped_pairs_in_two_columns_do_not_collide():
    a, b = np.indices((700, 700)).reshape(2, -1)
    first, second = fingerprints(pa.record_batch({"a": a, "b": b}))
    assert len(np.unique(first)) == len(np.unique(second)) == a.size


def test_every_bit_of_a_value_moves_half_of_the_bits():
    rng = np.random.default_rng(5)
    values = rng.integers(-(2**62), 2**62, 4000)
    before = lanes(pa.array(values))
    texts = [bytes(row) for row in rng.integers(0, 256, (500, 24), dtype=np.uint8)]
    before_texts = lanes(pa.array(texts))
    for bit in range(63):
        flipped = lanes(pa.array(values ^ np.int64(1 << bit))) ^ before
        share = np.unpackbits(flipped.view(np.uint8), axis=1).mean(axis=0)
        assert 0.44 < share.min() <= share.max() < 0.56
    for place in range(24):
        other = [t[:place] + bytes([t[place] ^ 128]) + t[place + 1 :] for t in texts]
        flipped = lanes(pa.array(other)) ^ before_texts
        share = np.unpackbits(flipped.view(np.uint8), axis=1).mean(axis=0)
        assert 0.37 < share.min() <= share.max() < 0.63


def test_the_lanes_know_nothing_of_each_other():
    found = lanes(pa.array(range(20_000)))
    one, other = (
        np.unpackbits(found[:, [i]].copy().view(np.uint8), axis=1) * 2.0 - 1 for i in (0, 1)
    )
    assert np.abs(one.T @ other / len(found)).max() < 0.05


def test_an_index_that_points_nowhere_below_a_null_is_no_value():
    nowhere = pa.DictionaryArray.from_arrays(
        pa.array([0], pa.int8()), pa.array([], pa.string()), safe=False
    )
    lists = pa.FixedSizeListArray.from_arrays(nowhere, 1)
    assert column(
        pa.StructArray.from_arrays([lists], names=["a"], mask=pa.array([True]))
    ) == defined([None])
