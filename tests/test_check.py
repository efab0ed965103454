"""`dreg check` on real files: every kind of promise, kept and broken, with the samples that break it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dreg import check
from dreg.core.evidence import told
from dreg.errors import BadRequest, DregError, Refused
from dreg.registry import Registry
from dreg.stages import profile

Table = dict[str, Any]


class Shop:
    """A registry with one dataset, measured by the real stage from files that a test writes."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.monkeypatch = monkeypatch
        self.pipeline = root / "pipelines" / "shop"
        self.data = root / "data" / "shop"
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").touch()
        self.pipeline.mkdir(parents=True)
        (self.pipeline / "dvc.yaml").write_text(
            "stages: {analyze: {cmd: exit, deps: [dataset.yaml]}}\n"
        )

    def contract(self, columns: Table, **more: Any) -> None:
        contract = {
            "title": "Shop",
            "description": "What was sold.",
            "licence": "CC0-1.0",
            "splits": {
                "train": {"files": ["processed/train*"]},
                "val": {"files": ["processed/val*"]},
            },
            "columns": columns,
            **more,
        }
        (self.pipeline / "dataset.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))

    def file(self, name: str, rows: pa.Table | Table | str, group: int | None = None) -> None:
        path = self.data / "processed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(rows, str):
            path.write_text(rows)
        else:
            table = rows if isinstance(rows, pa.Table) else pa.table(rows)
            pq.write_table(table, path, row_group_size=group)

    def measure(self) -> None:
        self.monkeypatch.chdir(self.pipeline)
        profile.write()
        self.monkeypatch.chdir(self.root)

    def inspected(self) -> check.Inspected:
        try:
            answer = check.check(Registry(self.root))
        except Refused as refused:
            answer = refused.answer
            if answer is None:
                raise
        return answer.datasets[0]

    def problems(self) -> list[str]:
        """All that is broken, with the samples."""
        return told(self.inspected().problems)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


Measured = Callable[..., list[str]]


@pytest.fixture
def broken(shop: Shop) -> Measured:
    """What is broken by these columns of train and val, each promised so."""

    def broken(promise: Any, train: Any, val: Any, **more: Any) -> list[str]:
        shop.contract({"x": promise}, **more)
        shop.file("train.parquet", {"x": train})
        shop.file("val.parquet", {"x": val})
        shop.measure()
        return shop.problems()

    return broken


KEPT = [
    ({"type": "string", "values": ["a", "b"]}, ["a", "b"], ["a"]),
    ({"type": "string", "values": ["a"], "nullable": True}, ["a", None], ["a"]),
    ({"type": "int64", "values": [1, 2]}, [1, 2], [1]),
    ({"type": "float64", "values": [0, 0.5]}, [0.0, -0.0], [0.5]),
    ({"type": "bool", "values": [True]}, [True], [True]),
    ({"type": "string", "pattern": "[A-Z]{2}-[0-9]+"}, ["AB-1"], ["CD-22"]),
    ({"type": "string", "pattern": "a|b", "nullable": True}, ["a", None], ["b"]),
    ({"type": "int64", "unique": True}, [1, 2], [3]),
    ({"type": "string", "unique": True, "nullable": True}, ["a", None, None], ["b"]),
    ({"type": "string", "classes": ["a", "b"]}, ["a"], ["b"]),
    ({"type": "int64", "classes": ["a", "b"]}, [0], [1]),
    ({"type": "float64", "range": [0, 1]}, [0.0, 1.0], [0.5]),
    # The profile rounds it to 10, beyond the bound; the data does not.
    ({"type": "float64", "range": [0, 9.99999999999999]}, [9.99999999999999], [0.5]),
    ({"type": "float32", "range": [0, 0.5]}, *(pa.array([0.5], pa.float32()),) * 2),
]


@pytest.mark.parametrize(("promise", "train", "val"), KEPT)
def test_a_promise_is_kept(broken, promise, train, val):
    assert broken(promise, train, val) == []


BROKEN = [
    (
        {"type": "uint64", "range": [0, 2**63 + 8192]},  # beyond what int64 holds
        pa.array([2**63 + 8192, 2**63 + 16384], pa.uint64()),
        pa.array([1], pa.uint64()),
        [
            "column `x` goes up to 9.22337e+18 in split `train`, promised at most 9.22337e+18",
            "  processed/train.parquet row 2: 9223372036854792192",
        ],
    ),
    (
        {"type": "string", "values": ["a", "b"]},
        ["a", "c"],
        ["a"],
        [
            "column `x` has 1 value not among the 2 allowed in split `train`",
            '  processed/train.parquet row 2: "c"',
        ],
    ),
    (
        {"type": "float64", "values": [0, 0.5]},
        [0.0, float("nan")],
        [0.25],
        [
            "column `x` has 1 value not among the 2 allowed in split `train`",
            "  processed/train.parquet row 2: nan",
            "column `x` has 1 value not among the 2 allowed in split `val`",
            "  processed/val.parquet row 1: 0.25",
        ],
    ),
    (
        {"type": "string", "pattern": "a|b"},
        ["ab", "a", "b\n"],
        ["a"],
        [
            "column `x` has 2 texts not matching `a|b` in split `train`",
            '  processed/train.parquet row 1: "ab"',
            '  processed/train.parquet row 3: "b\\n"',
        ],
    ),
    (
        {"type": "int64", "unique": True},
        [1, 2, 1],
        [3, 2, 2],
        [
            "column `x` has 3 values that came before, promised unique",
            "  processed/train.parquet row 3: 1, as processed/train.parquet row 1",
            "  processed/val.parquet row 2: 2, as processed/train.parquet row 2",
            "  processed/val.parquet row 3: 2, as processed/train.parquet row 2",
        ],
    ),
    (
        {"type": "string", "classes": ["a", "b"]},
        ["a", "c"],
        ["b"],
        [
            "column `x` has 1 value not among the 2 classes in split `train`",
            '  processed/train.parquet row 2: "c"',
        ],
    ),
    (
        {"type": "int64", "range": [0, 10]},
        [1, 11, -1],
        [5],
        [
            "column `x` goes down to -1 in split `train`, promised at least 0",
            "  processed/train.parquet row 3: -1",
            "column `x` goes up to 11 in split `train`, promised at most 10",
            "  processed/train.parquet row 2: 11",
        ],
    ),
    (
        {"type": "float64", "range": [-10, 10]},  # beyond by less than a profile's digits tell
        [1.0, 10.0000000000001, -10.0000000000001],
        [10.0],
        [
            "column `x` has 1 value above 10.0 in split `train`",
            "  processed/train.parquet row 2: 10.0000000000001",
            "column `x` has 1 value below -10.0 in split `train`",
            "  processed/train.parquet row 3: -10.0000000000001",
        ],
    ),
    (
        {"type": "float64", "range": [0, 10]},
        [1.0, float("nan"), float("inf")],
        [5.0],
        [
            "column `x` has 2 NaN or infinite values in split `train`, promised a range",
            "  processed/train.parquet row 2: nan",
            "  processed/train.parquet row 3: inf",
        ],
    ),
    (
        "string",
        ["a", None],
        ["b"],
        [
            "column `x` has 1 null in split `train`, promised none",
            "  processed/train.parquet row 2: null",
        ],
    ),
]


@pytest.mark.parametrize(("promise", "train", "val", "said"), BROKEN)
def test_a_broken_promise_names_its_samples(broken, promise, train, val, said):
    assert broken(promise, train, val) == said


def test_a_label_that_is_no_longer_promised_is_named(shop):
    columns = {"x": {"type": "string", "classes": ["a", "b", "c"]}}
    shop.contract(columns, label="x")
    shop.file("train.parquet", {"x": ["a", "b", "c"]})
    shop.file("val.parquet", {"x": ["a"]})
    shop.measure()
    assert shop.problems() == []
    shop.contract({"x": {"type": "string", "classes": ["a", "b"]}}, label="x")
    assert shop.problems()[1:] == [
        "label `x` has 1 sample of `c` in split `train`, not a promised class",
        '  processed/train.parquet row 3: "c"',
    ]


DAYS = [datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)]
TIMES = [datetime.datetime(2024, 1, 31, 23, 59, 59, 5), datetime.datetime(2024, 2, 1)]


@pytest.mark.parametrize(
    ("array", "value"),
    [
        (pa.array(DAYS, pa.date32()), "2024-02-01"),
        (pa.array(TIMES, pa.timestamp("us")), "2024-02-01 00:00:00.000000"),
        (pa.array(TIMES, pa.timestamp("ns", "UTC")), "2024-02-01 00:00:00.000000000Z"),
    ],
)
def test_dates_have_a_range_whose_last_day_counts_whole(broken, array, value):
    promise = {"type": str(array.type), "range": ["2024-01-01", "2024-01-31"]}
    assert broken(promise, array, array[:1]) == [
        "column `x` has 1 value after 2024-01-31 in split `train`",
        f"  processed/train.parquet row 2: {value}",
    ]


def test_times_have_a_range_to_the_second(broken):
    promise = {"type": "timestamp[us]", "range": ["2024-01-31 23:59:59.5", "2024-02-01 00:00:00"]}
    array = pa.array(TIMES, pa.timestamp("us"))
    assert broken(promise, array, array[1:]) == [
        "column `x` has 1 value before 2024-01-31 23:59:59.5 in split `train`",
        "  processed/train.parquet row 1: 2024-01-31 23:59:59.000005",
    ]


def test_allowed_days_are_written_as_texts(broken):
    promise = {"type": "date32[day]", "values": ["2024-01-31"]}
    assert broken(promise, pa.array(DAYS), pa.array(DAYS[:1])) == [
        "column `x` has 1 value not among the 1 allowed in split `train`",
        "  processed/train.parquet row 2: 2024-02-01",
    ]


def test_dictionaries_are_read_as_what_they_stand_for(broken):
    encoded = pa.array(["a", "b", None, "c"]).dictionary_encode()
    assert broken({"type": "string", "values": ["a", "b"], "nullable": True}, encoded, ["a"]) == [
        "column `x` has 1 value not among the 2 allowed in split `train`",
        '  processed/train.parquet row 4: "c"',
    ]


def test_rows_are_counted_across_row_groups_and_files(shop):
    columns = {"id": "string", "x": {"type": "int64", "values": list(range(100)), "unique": True}}
    shop.contract(columns, key=["id"])
    shop.file("train-1.parquet", table(0, 40), group=10)
    shop.file("train-2.parquet", table(40, 80, {57: 500, 63: 5}), group=10)
    csv = "x,id\n" + "".join(f"{500 if n == 95 else n},id-{n}\n" for n in range(90, 100))
    shop.file("val.csv", csv)
    shop.measure()
    assert shop.problems() == [
        "column `x` has 1 value not among the 100 allowed in split `train`",
        "  processed/train-2.parquet row 18 (key id-57): 500",
        "column `x` has 1 value not among the 100 allowed in split `val`",
        "  processed/val.csv row 6 (key id-95): 500",
        "column `x` has 2 values that came before, promised unique",
        "  processed/train-2.parquet row 24 (key id-63): 5, as processed/train-1.parquet row 6 (key id-5)",
        "  processed/val.csv row 6 (key id-95): 500, as processed/train-2.parquet row 18 (key id-57)",
    ]


def table(start: int, stop: int, other: dict[int, int] | None = None) -> Table:
    numbers = range(start, stop)
    return {
        "id": [f"id-{n}" for n in numbers],
        "x": [(other or {}).get(n, n) for n in numbers],
    }


def test_a_million_different_values(shop, monkeypatch):
    monkeypatch.setattr("dreg.adapters.promises.repeats.MOST_BYTES", 1 << 20)  # sorted on disk
    shop.contract({"x": {"type": "int64", "unique": True}})
    numbers = np.random.default_rng(5).permutation(1_000_000)
    shop.file("train.parquet", {"x": numbers[:900_000]})
    shop.file("val.parquet", {"x": np.append(numbers[900_000:], numbers[123_456])})
    shop.measure()
    assert shop.problems() == [
        "column `x` has 1 value that came before, promised unique",
        f"  processed/val.parquet row 100001: {numbers[123_456]}, as processed/train.parquet row 123457",
    ]


@pytest.mark.parametrize("pattern", ["a(?=b)", "(", "a)(b", r"(a)\1"])
def test_a_pattern_that_cannot_be_read_is_named(broken, pattern):
    with pytest.raises(BadRequest, match="`pattern` of column `x` is no regular expression of RE2"):
        broken({"type": "string", "pattern": pattern}, ["a"], ["b"])


def test_of_many_samples_five_are_named(broken):
    said = broken({"type": "int64", "range": [0, 10]}, [99] * 7000, [5])
    assert len(said) == 7
    assert said[-1] == "  and 6,995 more"


def test_what_a_value_is_told_is_short(broken):
    (_, line) = broken({"type": "string", "pattern": "x*"}, ["a" * 500], ["x"])
    assert line == f'  processed/train.parquet row 1: "{"a" * 59}…"'


def test_of_thirty_violations_each_has_a_line_and_one_sample(shop):
    names = [f"c{n:02}" for n in range(30)]
    shop.contract({name: {"type": "int64", "range": [0, 1]} for name in names})
    shop.file("train.parquet", {name: [5, 6, 7] for name in names})
    shop.file("val.parquet", {name: [0] for name in names})
    shop.measure()
    with pytest.raises(Refused) as failed:
        check.check(Registry(shop.root))
    assert failed.value.fact == "`shop` breaks its contract, in 30 places"
    assert failed.value.details[:3] == (
        "column `c00` goes up to 7 in split `train`, promised at most 1",
        "  processed/train.parquet row 1: 5",
        "  and 2 more",
    )
    assert len(failed.value.details) == 90


def test_without_its_data_what_the_profile_decides_is_told(shop):
    shop.contract({"x": {"type": "int64", "range": [0, 1]}})
    shop.file("train.parquet", {"x": [5]})
    shop.file("val.parquet", {"x": [1]})
    shop.measure()
    (shop.data / "processed" / "train.parquet").unlink()
    assert shop.problems() == ["column `x` goes up to 5 in split `train`, promised at most 1"]
    shop.contract({"x": {"type": "int64", "values": [0, 1]}})
    with pytest.raises(
        DregError, match="the data of `shop` is not here, and `values` of column `x`"
    ):
        shop.problems()


def test_the_answer_has_the_samples(shop, capsys):
    shop.contract({"id": "int64", "x": {"type": "int64", "unique": True}}, key="id")
    shop.file("train.parquet", {"id": [1, 2], "x": [7, 7]})
    shop.file("val.parquet", {"id": [3], "x": [8]})
    shop.measure()
    from dreg.cli import run

    assert run(["check", "--json"]) == 1
    (dataset,) = json.loads(capsys.readouterr().out)["datasets"]
    assert dataset["violations"] == [
        {
            "about": "column `x`",
            "text": "has 1 value that came before, promised unique",
            "count": 1,
            "samples": [
                {
                    "split": "train",
                    "file": "processed/train.parquet",
                    "row": 2,
                    "key": "2",
                    "value": "7",
                    "like": "processed/train.parquet row 1 (key 1)",
                }
            ],
        }
    ]


def test_a_gate_on_nulls_names_the_samples_that_have_them(shop):
    shop.contract(
        {"id": "int64", "x": {"type": "float64", "nullable": True}},
        key=["id"],
        gates={"max_nulls": {"x": 0.5}},
    )
    shop.file("train.parquet", {"id": [1, 2, 3], "x": [None, 0.5, None]})
    shop.file("val.parquet", {"id": [4, 5], "x": [None, 0.5]})
    shop.measure()
    (breach,) = shop.inspected().breaches
    assert list(breach.lines()) == [
        "max_nulls: column `x` has 66.6667% nulls in split `train`, at most 50% may be",
        "  processed/train.parquet row 1 (key 1): null",
        "  processed/train.parquet row 3 (key 3): null",
    ]


def test_editors_are_given_the_schema_of_contracts(capsys):
    from dreg.check import schema
    from dreg.core.contract_schema import contract_schema

    assert json.loads("\n".join(schema().lines())) == contract_schema()
