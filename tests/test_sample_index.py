"""`samples.parquet`: one row a sample, the same whatever files the samples came in."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dreg.adapters.formats import Piece, opened, pieces
from dreg.adapters.index import runs, writing
from dreg.adapters.index.keys import key_texts
from dreg.adapters.index.rows import hashed
from dreg.adapters.index.writing import SampleIndex
from dreg.core.canonical import fingerprint
from dreg.core.contract import Contract
from dreg.core.profile import Profile
from dreg.errors import BadRequest, Outside
from dreg.stages import profile
from dreg.stages.files import write_csv, write_parquet

SIZE = 5_000
PLAIN = Contract("", "", "", {}, {})
CHANCE = random.Random(7)
NUMBERS = pa.table(
    {
        "id": [f"n-{i:05}" for i in range(SIZE)],
        "count": [CHANCE.randint(-9, 10**6) for _ in range(SIZE)],
        "share": [CHANCE.choice([None, 0.5, CHANCE.random()]) for _ in range(SIZE)],
        "word": [
            CHANCE.choice(["red", "white", "rosé", None, "a longer text"]) for _ in range(SIZE)
        ],
    }
)


@dataclass
class Found:
    """An index as it was written."""

    rows: list[dict[str, Any]]
    digest: str
    duplicates: dict[str, int]
    content: bytes


def indexed(folder: Path, key: tuple[str, ...] = (), /, **splits: pa.Table | list[Path]) -> Found:
    """The index of tables, or of files; written in `folder`."""
    path = folder / "samples.parquet"
    with SampleIndex(key) as index:
        for split, given in splits.items():
            if isinstance(given, pa.Table):
                add(index, split, Piece(Path(f"{split}.parquet")), given.to_batches())
                continue
            for piece in pieces(given, PLAIN):
                with opened(piece, PLAIN) as rows:
                    add(index, split, piece, rows.batches)
        digest = index.write(path)
    return Found(pq.read_table(path).to_pylist(), digest, index.duplicates, path.read_bytes())


def add(index: SampleIndex, split: str, piece: Piece, batches: Iterable[pa.RecordBatch]) -> None:
    row = 0
    for batch in batches:
        index.add(split, piece, hashed(batch, index.key, piece, row))
        row += batch.num_rows


def test_a_row_for_each_sample_in_order(tmp_path):
    train = pa.table({"x": [3, 1, 1], "y": ["c", "a", None]})
    val = pa.table({"x": [1], "y": ["a"]})

    found = indexed(tmp_path, val=val, train=train)

    hashes = {split: sorted(map(fingerprint, table.to_pylist()))
              for split, table in (("train", train), ("val", val))}  # fmt: skip
    assert found.rows == [
        {"split": split, "key": hash_.hex(), "hash": hash_}
        for split in ("train", "val")
        for hash_ in hashes[split]
    ]
    assert found.duplicates == {"train": 0, "val": 0}


def test_the_key_that_the_contract_declares(tmp_path):
    table = pa.table({"x": [3, 1, 20], "y": ["c", "a|b", "a\\"]})

    assert [row["key"] for row in indexed(tmp_path, ("x",), train=table).rows] == ["1", "20", "3"]
    keys = [row["key"] for row in indexed(tmp_path, ("y", "x"), train=table).rows]
    assert keys == ["a\\\\|20", "a\\|b|1", "c|3"]


def test_the_digest_is_over_rows_not_over_the_file(tmp_path):
    found = indexed(tmp_path, ("id",), train=NUMBERS.slice(0, 50), val=NUMBERS.slice(50, 5))
    whole = b"".join(
        row["split"].encode()
        + b"\0"
        + row["hash"]
        + struct.pack("<I", len(row["key"].encode()))
        + row["key"].encode()
        for row in found.rows
    )
    assert found.digest == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("key", [(), ("id",)])
def test_order_layout_compression_and_format_change_nothing(tmp_path, key):
    expected = indexed(tmp_path, key, train=NUMBERS)
    order = list(range(SIZE))
    random.Random(1).shuffle(order)
    shuffled = NUMBERS.take(order).select(["word", "share", "id", "count"])
    for name, options in {
        "small.parquet": {"row_group_size": 17, "compression": "snappy"},
        "old.parquet": {"version": "1.0", "use_dictionary": False, "compression": "none"},
    }.items():
        pq.write_table(shuffled, tmp_path / name, **options)
    pq.write_table(
        shuffled.set_column(0, "word", shuffled["word"].dictionary_encode()),
        tmp_path / "dictionary.parquet",
    )
    write_csv(shuffled, tmp_path / "rows.csv")
    pq.write_table(NUMBERS.slice(0, 9), tmp_path / "a.parquet")
    write_csv(NUMBERS.slice(9), tmp_path / "b.csv")
    lines = (json.dumps(row, ensure_ascii=False) for row in shuffled.to_pylist())
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))

    for files in (["small.parquet"], ["old.parquet"], ["dictionary.parquet"], ["rows.csv"],
                  ["rows.jsonl"], ["a.parquet", "b.csv"], ["b.csv", "a.parquet"]):  # fmt: skip
        found = indexed(tmp_path, key, train=[tmp_path / name for name in files])
        assert found.digest == expected.digest, files
        assert found.content == expected.content, files


@pytest.mark.parametrize("key", [(), ("id",)])
def test_what_does_not_fit_into_memory_is_sorted_on_disk(tmp_path, key, monkeypatch):
    other = NUMBERS.set_column(0, "id", pa.array([f"m{i}" for i in range(SIZE)]))
    table = pa.concat_tables([NUMBERS, other])
    if not key:
        table = pa.concat_tables([table, table.slice(0, 300)])
    batches = pa.table(table).to_batches(max_chunksize=97)
    random.Random(2).shuffle(batches)
    table = pa.Table.from_batches(batches)
    expected = indexed(tmp_path, key, train=table, val=NUMBERS)
    monkeypatch.setattr(writing, "MOST_BYTES", 16_384)
    for block in (1 << 14, 100, 1):
        monkeypatch.setattr(runs, "BLOCK", block)
        found = indexed(tmp_path, key, train=table, val=NUMBERS)
        assert found == expected
    if not key:
        assert found.duplicates == {"train": 300, "val": 0}


def test_many_splits_take_no_more_memory_than_one(tmp_path, monkeypatch):
    tables = {f"s{i}": NUMBERS.slice(i * 500, 500) for i in range(10)}
    expected = indexed(tmp_path, ("id",), **tables)
    most = NUMBERS.slice(0, 500).nbytes
    monkeypatch.setattr(writing, "MOST_BYTES", most)
    held = []
    add = writing.SampleIndex.add

    def added(index: writing.SampleIndex, *rest: Any) -> None:
        add(index, *rest)
        held.append(sum(runs.size for runs in index._splits.values()))

    monkeypatch.setattr(writing.SampleIndex, "add", added)
    assert indexed(tmp_path, ("id",), **tables) == expected
    assert max(held) < 3 * most


def test_equal_samples_are_held_once(monkeypatch):
    """However many, and also those that share just half of their hash with others."""

    def rows(*pairs: tuple[int, int]) -> pa.Table:
        return pa.table(
            {
                "first": pa.array([first for first, _ in pairs], pa.uint64()),
                "second": pa.array([second for _, second in pairs], pa.uint64()),
            }
        )

    one = writing.by_hash(rows((5, 9), (3, 1), (5, 2), (5, 9), (3, 1), (3, 1)))
    assert one.to_pylist() == [
        {"first": 3, "second": 1, "count": 3},
        {"first": 5, "second": 2, "count": 1},
        {"first": 5, "second": 9, "count": 2},
    ]
    other = writing.by_hash(rows((5, 9), (5, 1), (4, 0)))
    assert [tuple(row.values()) for row in writing.by_hash(pa.concat_tables([one, other])).to_pylist()] == [
        (3, 1, 3), (4, 0, 1), (5, 1, 1), (5, 2, 1), (5, 9, 3),
    ]  # fmt: skip
    assert len(writing.by_hash(rows())) == 0
    monkeypatch.setattr(writing, "ROWS_IN_GROUP", 2)
    places = [some.tolist() for some in writing.one_by_one(np.array([3, 1, 3]))]
    assert places == [[0, 0], [0, 1], [2, 2], [2]]


def test_row_groups_have_one_size_however_the_rows_came(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "ROWS_IN_GROUP", 1000)
    monkeypatch.setattr(writing, "MOST_BYTES", 16_384)
    indexed(tmp_path, train=NUMBERS, val=NUMBERS)
    about = pq.ParquetFile(tmp_path / "samples.parquet").metadata
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [1000] * 10


def test_a_key_that_two_samples_have(tmp_path, monkeypatch):
    write_csv(NUMBERS, tmp_path / "a.csv")
    again = NUMBERS.slice(1234, 1)
    pq.write_table(pa.concat_tables([NUMBERS.slice(0, 0), again]), tmp_path / "c.parquet")
    (tmp_path / "b.csv").write_text("id,count,share,word\nelse,1,,\nother,2,,\n")
    files = [tmp_path / name for name in ("a.csv", "b.csv", "c.parquet")]
    for most in (1 << 26, 16_384):
        monkeypatch.setattr(writing, "MOST_BYTES", most)
        with pytest.raises(Outside) as caught:
            indexed(tmp_path, ("id",), train=files)
        assert str(caught.value) == (
            f"`{files[2]}` row 1 has the key `n-01234`, which `{files[0]}` row 1235 has as well"
        )
        assert not (tmp_path / "samples.parquet").exists()
    indexed(tmp_path, ("id",), train=files[:1], val=files[1:])


def test_a_sample_without_a_key(tmp_path):
    table = pa.table({"a": [1, 2, None], "b": ["x", None, "z"]})
    with pytest.raises(Outside, match=r"`train.parquet` row 3 has no key: there is nothing in `a`"):
        indexed(tmp_path, ("a",), train=table)
    with pytest.raises(Outside, match=r"row 2 has no key: there is nothing in `a` or `b`"):
        indexed(tmp_path, ("a", "b"), train=table)
    with pytest.raises(Outside, match=r"key column `c` is not in `train.parquet`"):
        indexed(tmp_path, ("c",), train=table)
    with pytest.raises(BadRequest, match=r"key column `l` has type list"):
        indexed(tmp_path, ("l",), train=pa.table({"l": [[1]]}))
    for kind, number in ((pa.timestamp("ms"), 2**60), (pa.date32(), 2**30)):
        with pytest.raises(BadRequest, match=r"`t` has a year beyond 32767, of which there is no"):
            indexed(tmp_path, ("t",), train=pa.table({"t": pa.array([number], kind)}))


UTC_TIME = dt.datetime(2024, 5, 6, 7, 8, 9, 120_000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("expected", "arrays"),
    [
        ("5", [pa.array([5], pa.int8()), pa.array([5.0]), pa.array(["5"]),
               pa.array([Decimal("5.00")], pa.decimal128(5, 2))]),
        ("0.1", [pa.array([0.1]), pa.array([Decimal("0.10")], pa.decimal128(5, 2))]),
        ("true", [pa.array([True])]),
        ("2024-05-06", [pa.array([dt.date(2024, 5, 6)], kind) for kind in (pa.date32(), pa.date64())]),
        ("07:08:09.12", [pa.array([UTC_TIME.time()], pa.time64(unit)) for unit in ("us", "ns")]),
        ("2024-05-06T07:08:09.12Z",
         [pa.array([UTC_TIME], pa.timestamp(unit, zone))
          for unit in ("ms", "ns") for zone in ("UTC", "Asia/Tokyo")]),
        ("2024-05-06T07:08:00",
         [pa.array([dt.datetime(2024, 5, 6, 7, 8)], pa.timestamp(unit)) for unit in ("s", "ns")]),
        ("00ff", [pa.array([b"\0\xff"], kind) for kind in (pa.binary(), pa.binary(2))]),
        ("é", [pa.array(["é"], kind) for kind in (pa.large_string(), pa.string_view())]
         + [pa.array(["é"]).dictionary_encode()]),
    ],
)  # fmt: skip
def test_a_keys_text_does_not_depend_on_its_type(expected, arrays):
    for array in arrays:
        batch = pa.record_batch([array], names=["k"])
        assert key_texts(batch, ("k",)).to_pylist() == [expected], array.type


def test_images_nested_and_odd_values(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, 30 * 6, dtype=np.uint8)
    storage = pa.FixedSizeListArray.from_arrays(pa.array(pixels), 6)
    images = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), [2, 3]), storage)
    boxes = pa.array(
        [[{"label": i % 3, "at": [i / 7, float(i), None]}] * (i % 4) for i in range(30)],
        pa.list_(pa.struct({"label": pa.int8(), "at": pa.list_(pa.float32())})),
    )
    table = pa.table({"image": images, "boxes": boxes})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=4)
    write_parquet(table.take(list(range(29, -1, -1))), tmp_path / "b.parquet")

    expected = indexed(tmp_path, train=table)
    assert len({row["hash"] for row in expected.rows}) == 30
    for name in ("a.parquet", "b.parquet"):
        assert indexed(tmp_path, train=[tmp_path / name]) == expected


def test_values_that_no_hash_is_defined_for(tmp_path):
    table = pa.table({"x": pa.array([None], pa.month_day_nano_interval())})
    with pytest.raises(
        Outside, match=r"`train.parquet` has values of type month_day_nano_interval"
    ):
        indexed(tmp_path, train=table)


# Out of the stage that measures


@pytest.fixture
def wines(tmp_path, monkeypatch) -> Path:
    """The folder of a dataset whose pipeline's folder is the current one."""
    contract = {
        "title": "Wines",
        "description": "A few wines",
        "licence": "CC0-1.0",
        "splits": {
            "train": {"files": ["processed/train.parquet"]},
            "held": {"files": ["processed/part-*.csv"]},
        },
        "columns": {"id": {"type": "string"}, "count": {"type": "int64"}},
    }
    data = tmp_path / "data" / "wines"
    outs = ["../../data/wines/processed", "../../data/wines/samples.parquet"]
    pipeline = tmp_path / "pipelines" / "wines"
    (data / "processed").mkdir(parents=True)
    pipeline.mkdir(parents=True)
    (pipeline / "dataset.yaml").write_text(yaml.safe_dump(contract))
    (pipeline / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"all": {"outs": outs}}}))
    write_parquet(NUMBERS.slice(0, 90), data / "processed" / "train.parquet")
    for part in (0, 1):
        write_csv(NUMBERS.slice(90 + 5 * part, 5), data / "processed" / f"part-{part}.csv")
    monkeypatch.chdir(pipeline)
    return data


def test_the_profile_names_the_index(wines, tmp_path):
    first = profile.write()
    content = (wines / "samples.parquet").read_bytes()

    rows = pq.read_table(wines / "samples.parquet").to_pylist()
    assert [row["split"] for row in rows] == ["held"] * 10 + ["train"] * 90
    hashes = sorted(fingerprint(row) for row in NUMBERS.slice(0, 90).to_pylist())
    assert [row["hash"] for row in rows[10:]] == hashes
    held = indexed(tmp_path, train=NUMBERS.slice(0, 90), held=NUMBERS.slice(90, 10))
    assert first.snapshot.samples == held.digest
    assert Profile.from_json(json.loads((wines / "metadata.json").read_text())) == first

    again = profile.write()
    assert again == first, "the index is no part of the published files that the profile counts"
    assert again.snapshot.files == 3
    assert (wines / "samples.parquet").read_bytes() == content


def test_files_may_change_while_samples_stay(wines):
    first = profile.write().snapshot
    reordered = NUMBERS.slice(0, 90).sort_by([("count", "descending")])
    pq.write_table(reordered, wines / "processed" / "train.parquet", compression="none")
    second = profile.write().snapshot
    assert second.digest != first.digest
    assert second.samples == first.samples


def test_a_profile_counts_samples_that_equal_an_earlier_one(wines):
    twice = pa.concat_tables([NUMBERS.slice(0, 90), NUMBERS.slice(0, 7)])
    write_parquet(twice, wines / "processed" / "train.parquet")
    splits = profile.write().splits
    assert splits["train"].duplicates == 7
    assert splits["held"].duplicates == 0
    shown = json.loads((wines / "metadata.json").read_text())["splits"]
    assert shown["train"]["duplicates"] == 7
    assert "duplicates" not in shown["held"]


def test_a_profile_is_not_written_without_its_index(wines):
    contract = Path("dataset.yaml")
    contract.write_text(contract.read_text() + "key: count\n")
    with pytest.raises(Outside, match=r"row \d+ has the key `.*`, which .* row \d+ has as well"):
        write_parquet(
            pa.concat_tables([NUMBERS.slice(0, 3), NUMBERS.slice(2, 1)]),
            wines / "processed" / "train.parquet",
        )
        profile.write()
    assert not (wines / "metadata.json").exists()
    assert not (wines / "samples.parquet").exists()
