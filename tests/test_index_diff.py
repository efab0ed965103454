"""Comparing two sample indexes: every sample is told once, whatever the blocks and however many."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreg.adapters.formats import Piece
from dreg.adapters.index import moves, reading
from dreg.adapters.index.comparing import IndexDiff
from dreg.adapters.index.rows import hashed
from dreg.adapters.index.writing import SCHEMA, SampleIndex
from dreg.core.samples import Entry, SampleChanges, SplitChanges
from dreg.errors import Outside

Splits = dict[str, list[tuple[str, int]]]  # by split: key and content


def index(path: Path, splits: Splits, keyed: bool = True) -> Path:
    """The index that dreg writes for these samples."""
    with SampleIndex(("key",) if keyed else ()) as made:
        for split, samples in splits.items():
            columns = {"key": pa.array([key for key, _ in samples], pa.string())} if keyed else {}
            columns["value"] = pa.array([value for _, value in samples], pa.int64())
            piece = Piece(Path(f"{split}.parquet"))
            rows = hashed(pa.record_batch(columns), made.key, piece, 0)
            made.add(split, piece, rows)
        made.write(path)
    return path


@pytest.fixture
def compared(tmp_path):
    def compare(old: Splits, new: Splits, *, keyed: bool = True, contents: bool = True):
        diff = IndexDiff(
            index(tmp_path / "old.parquet", old, keyed),
            index(tmp_path / "new.parquet", new, keyed),
            contents=contents,
        )
        return diff.changes(), list(diff.entries())

    return compare


def test_what_came_went_and_changed(compared):
    old = {"train": [("a", 1), ("b", 2), ("c", 3)], "val": [("x", 7)]}
    new = {"train": [("b", 2), ("c", 9), ("d", 4), ("e", 5)], "val": [("x", 7)]}
    changes, entries = compared(old, new)
    assert changes == SampleChanges(
        {"train": SplitChanges(added=2, removed=1, changed=1, kept=1), "val": SplitChanges(kept=1)},
        keyed=True,
    )
    assert entries == [
        Entry("changed", "train", "c"),
        Entry("removed", "train", "a"),
        Entry("added", "train", "d"),
        Entry("added", "train", "e"),
    ]
    assert changes.told() == "2 added, 1 removed, 1 changed"


@pytest.mark.parametrize("keyed", [True, False])
def test_a_sample_in_another_split_moved(compared, keyed):
    old = {"test": [("a", 1), ("b", 2)], "train": [("c", 3), ("d", 4)]}
    new = {"test": [("a", 1), ("c", 3)], "train": [("b", 2), ("d", 4), ("e", 5)]}
    changes, entries = compared(old, new, keyed=keyed)
    assert changes.moved == {("test", "train"): 1, ("train", "test"): 1}
    assert changes.splits == {
        "test": SplitChanges(kept=1),
        "train": SplitChanges(added=1, kept=1),
    }
    assert sorted((e.kind, e.before, e.split) for e in entries) == [
        ("added", "", "train"),
        ("moved", "test", "train"),
        ("moved", "train", "test"),
    ]
    assert (changes.came("train"), changes.went("train")) == (1, 1)


def test_without_a_key_equal_samples_are_counted(compared):
    old = {"train": [("", 1)] * 5 + [("", 2)] * 2}
    new = {"train": [("", 1)] * 3 + [("", 2)] * 4 + [("", 3)]}
    changes, entries = compared(old, new, keyed=False)
    assert changes.splits == {"train": SplitChanges(added=3, removed=2, kept=5)}
    assert Counter(entry.kind for entry in entries) == {"added": 3, "removed": 2}


def test_a_sample_that_was_copied_into_another_split_did_not_move(compared):
    old = {"test": [("a", 1)], "train": [("b", 2)]}
    changes, _ = compared(old, {"test": [("a", 1)], "train": [("a", 1), ("b", 2)]}, keyed=False)
    assert changes.moved == {}
    assert changes.of("train").added == 1


def test_with_other_columns_only_keys_are_compared(compared):
    old = {"train": [("a", 1), ("b", 2)]}
    new = {"train": [("a", 10), ("c", 3)]}
    changes, _ = compared(old, new, contents=False)
    assert changes.splits == {"train": SplitChanges(added=1, removed=1, kept=1)}
    assert not changes.contents
    assert compared(old, new, keyed=False, contents=False)[0] is None


def test_an_index_with_keys_and_one_without_are_not_compared(tmp_path):
    old = index(tmp_path / "old.parquet", {"train": [("a", 1)]}, keyed=False)
    new = index(tmp_path / "new.parquet", {"train": [("a", 1)]}, keyed=True)
    assert IndexDiff(old, new).changes() is None


SAMPLES = st.dictionaries(
    st.sampled_from(["train", "val", "té"]),
    st.dictionaries(st.text("abé", max_size=3), st.integers(0, 3), max_size=12),
    max_size=3,
)


def by_hand(old: Splits, new: Splits, keyed: bool) -> SampleChanges:
    """The same by plain counting."""
    gone, come, splits = Counter(), Counter(), {}
    for split in {**old, **new}:
        before, after = dict(old.get(split, [])), dict(new.get(split, []))
        if keyed:
            lost = Counter(before.keys() - after.keys())
            won = Counter(after.keys() - before.keys())
            changed = sum(before[k] != after[k] for k in before.keys() & after.keys())
        else:
            one, other = Counter(before.values()), Counter(after.values())
            lost, won, changed = one - other, other - one, 0
        kept = len(after) - won.total() - changed
        splits[split] = [won.total(), lost.total(), changed, kept]
        gone.update({(k, split): n for k, n in lost.items()})
        come.update({(k, split): n for k, n in won.items()})
    moved: Counter[tuple[str, str]] = Counter()
    order = lambda pair: pair[1].encode()  # noqa: E731
    for key, out in sorted(gone.elements(), key=order):
        to = next((t for k, t in sorted(come.elements(), key=order) if k == key and t != out), None)
        if to is not None:
            come[key, to] -= 1
            moved[out, to] += 1
            splits[out][1] -= 1
            splits[to][0] -= 1
    return SampleChanges(
        {n: SplitChanges(*c) for n, c in splits.items() if old.get(n) or new.get(n)},
        dict(moved),
        keyed,
    )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None
)
@given(SAMPLES, SAMPLES, st.booleans(), st.integers(1, 5))
def test_blocks_of_any_size_tell_the_same(compared, old, new, keyed, rows):
    before, after = ({n: list(s.items()) for n, s in side.items()} for side in (old, new))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "ROWS", rows)
        patched.setattr(moves, "HELD", rows)
        changes, entries = compared(before, after, keyed=keyed)
    expected = by_hand(before, after, keyed)
    if any(before.values()) and any(after.values()):
        assert changes == expected
    told = Counter(entry.kind for entry in entries)
    total = changes.total
    assert (told["added"], told["removed"], told["changed"]) == (
        total.added,
        total.removed,
        total.changed,
    )
    moved = Counter((e.before, e.split) for e in entries if e.kind == "moved")
    assert moved == changes.moved


def broken(path: Path, **columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_what_is_no_index_is_refused_by_name(tmp_path):
    good = index(tmp_path / "good.parquet", {"train": [("a", 1)]})
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(good.read_bytes()[:-20])
    rows = [("train", "b", b"1" * 16), ("train", "a", b"2" * 16)]
    unsorted = tmp_path / "unsorted.parquet"
    pq.write_table(
        pa.Table.from_arrays(
            [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), SCHEMA, strict=True)],
            schema=SCHEMA,
        ),
        unsorted,
    )
    for path, words in [
        (cut, "is damaged"),
        (tmp_path / "none.parquet", "there is no sample index"),
        (broken(tmp_path / "other.parquet", a=[1]), "has other columns than a sample index"),
        (unsorted, "is not sorted"),
    ]:
        with pytest.raises(Outside, match=words) as error:
            IndexDiff(good, path).changes()
        assert path.name in str(error.value)


def written(path: Path, *rows: tuple[str | None, str | None, bytes | None]) -> Path:
    """A file with the columns of an index, whatever is in them."""
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    pq.write_table(pa.table(dict(zip(SCHEMA.names, arrays, strict=True))), path)
    return path


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("train", "a", b"1" * 16), ("train", "a", b"2" * 16)], "has a key twice"),
        ([("val", "a", b"1" * 16), ("train", "b", b"2" * 16)], "is not sorted"),
        ([("train", "a", b"1" * 16), ("train", None, b"2" * 16)], "is damaged"),
        ([("train", "a", None), ("train", "b", b"2" * 16)], "is damaged"),
        ([(None, "a", b"1" * 16)], "is damaged"),
    ],
)
@pytest.mark.parametrize("block", [1, 100])
def test_rows_that_no_index_has_are_refused_by_name(tmp_path, monkeypatch, rows, words, block):
    monkeypatch.setattr(reading, "ROWS", block)
    good = index(tmp_path / "good.parquet", {"train": [("a", 1)]})
    bad = written(tmp_path / "bad.parquet", *rows)
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(Outside, match=words) as error:
            IndexDiff(*pair).changes()
        assert "bad.parquet" in str(error.value)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None
)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4))
def test_bytes_that_changed_give_an_answer_or_a_named_error(tmp_path, places):
    good = index(tmp_path / "good.parquet", {"té": [(f"é{n}", n) for n in range(50)]})
    octets = bytearray(good.read_bytes())
    for place, octet in places:
        octets[int(place * len(octets))] = octet
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(octets)
    try:
        diff = IndexDiff(good, bad)
        diff.changes()
        list(diff.entries())
    except Outside as error:
        assert "bad.parquet" in str(error)


def test_what_fails_elsewhere_is_not_the_index(tmp_path):
    path = index(tmp_path / "good.parquet", {"train": [("a", 1)]})
    with pytest.raises(OSError, match="no space"), reading.opened_index(path):
        raise OSError("no space")


def test_an_index_of_nothing(tmp_path):
    nothing = tmp_path / "nothing.parquet"
    pq.write_table(SCHEMA.empty_table(), nothing)
    some = index(tmp_path / "some.parquet", {"train": [("a", 1), ("b", 2)]})
    assert IndexDiff(nothing, some).changes().of("train") == SplitChanges(added=2)
    assert IndexDiff(some, nothing).changes().of("train") == SplitChanges(removed=2)
    assert IndexDiff(nothing, nothing).changes() == SampleChanges()


def test_hashes_that_share_their_first_half_are_different(tmp_path):
    def made(name: str, seconds: list[int]) -> Path:
        rows = sorted((7).to_bytes(8, "big") + n.to_bytes(8, "big") for n in seconds)
        table = pa.Table.from_arrays(
            [
                pa.array(["train"] * len(rows)),
                pa.array([row.hex() for row in rows]),
                pa.array(rows, pa.binary(16)),
            ],
            schema=SCHEMA,
        )
        pq.write_table(table, tmp_path / name)
        return tmp_path / name

    diff = IndexDiff(made("old", [1, 3, 5]), made("new", [2, 3, 6, 7]))
    assert diff.changes().of("train") == SplitChanges(added=3, removed=2, kept=1)
