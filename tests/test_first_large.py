"""Tables of any size become datasets: they are looked at block by block, and told as if they had been read whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv

from dreg.adapters.inferring import csv_types, tables
from dreg.adapters.inferring.csv_types import types_of
from dreg.adapters.inferring.tables import column_seen, seen, table_of

BLOCK = 200  # bytes: a few rows
ROWS = 1_500_000
PARSE = csv.ParseOptions(newlines_in_values=True)
VALUES = {
    "null": ["", "NA", "null", "NaN"],
    "whole": ["1", "0", "-7", "+4", "007", "9007199254740993"],
    "real": ["1.5", "-0.0", "1e9", "inf", "nan"],
    "truth": ["true", "false", "True", "0", "1"],
    "day": ["2024-01-31", "1999-12-01"],
    "moment": ["2024-01-31 06:00:00", "2024-01-31T06:00:00Z", "2024-01-31 06:00:00.123456789"],
    "time": ["06:00", "06:00:01"],
    "text": ["oak", " ash", "a,b", 'a "b"', "two\nlines", "ü"],
}
COLUMN = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda kind: st.lists(st.sampled_from(VALUES[kind]), min_size=1, max_size=12)
    ),
    min_size=1,
    max_size=3,
).map(lambda runs: [value for run in runs for value in run])


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(csv_types, "BLOCK", BLOCK)


def written(path: Path, columns: list[list[str]]) -> Path:
    rows = zip(*columns, strict=False)
    quoted = ['"' + value.replace('"', '""') + '"' for row in rows for value in row]
    lines = [",".join(quoted[i : i + len(columns)]) for i in range(0, len(quoted), len(columns))]
    path.write_text("\n".join([",".join(f"c{i}" for i in range(len(columns))), *lines]) + "\n")
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(columns=st.lists(COLUMN, min_size=1, max_size=4))
def test_blocks_have_the_types_of_the_whole(small, tmp_path, columns):
    path = written(tmp_path / "a.csv", columns)
    whole = csv.read_csv(path, parse_options=PARSE)
    texts = csv.read_csv(
        path,
        parse_options=PARSE,
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(whole.column_names, "string")
        ),
    )
    for name, type_ in types_of(path, PARSE, ()).types.items():
        numbers = texts[name].filter(pc.is_valid(whole[name]))
        lost = whole[name].type in csv_types.NUMBERS and loses(numbers, whole[name].type)
        assert type_ == (pa.string() if lost else whole[name].type), name


def loses(numbers: pa.ChunkedArray, type_: pa.DataType) -> bool:
    """What becomes another text as a number, by Python's own reading."""
    texts = [text.strip() for text in numbers.to_pylist()]
    whole = [text for text in texts if text.lstrip("+-").isdecimal()]
    codes = any(
        text.startswith("+") or text.lstrip("+-")[:1] == "0" != text.lstrip("+-") for text in whole
    )
    if type_ == pa.int64():
        return codes
    return (len(whole) == len(texts) and codes) or any(int(t) != int(float(t)) for t in whole)


@pytest.mark.parametrize(
    "values",
    [
        [None, *map(str, range(500)), "3"], [1.5, None, 0.0, float("nan"), 1e300] * 9, [True, None, False] * 9,
        [b"a", b"b", None], [None] * 5,
    ],
    ids=["text", "real", "truth", "bytes", "nothing"],
)  # fmt: skip
def test_a_column_in_parts_is_seen_as_the_whole(values, monkeypatch):
    column = pa.chunked_array([pa.array(values[i : i + 4]) for i in range(0, len(values), 4)])
    column = column.cast(pa.array(values).type)
    whole = column_seen("x", column)
    monkeypatch.setattr(tables, "AT_ONCE", -1)
    parts = column_seen("x", column)
    assert (parts.distinct, parts.nulls, parts.values, parts.lowest, parts.highest) == (
        whole.distinct, whole.nulls, whole.values, whole.lowest, whole.highest,
    )  # fmt: skip


def test_a_table_takes_less_memory_than_it_has_bytes(tmp_path):
    rows = pa.table(
        {
            "id": range(ROWS),
            "height": pc.divide(pa.array(range(ROWS), pa.float64()), 7.0),
            "note": pc.binary_join_element_wise(
                "it is called",
                pa.array(range(ROWS)).cast(pa.string()),
                "in the register of trees",
                " ",
            ),
        }
    )
    path = tmp_path / "trees.csv"
    csv.write_csv(rows, path)
    code = (
        "import pyarrow as pa\n"
        "from dreg.scaffold.first_source import from_file\n"
        f"told = from_file({str(path)!r}, 'tabular')\n"
        "print(told.answers['key'], pa.default_memory_pool().max_memory())"
    )
    environment = {"DREG_CACHE": str(tmp_path / "cache"), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    key, most = done.stdout.split()
    assert (key, path.stat().st_size > 100_000_000) == ("id", True)
    assert int(most) < path.stat().st_size


def test_a_parquet_with_dictionaries_that_differ_is_read(tmp_path):
    import pyarrow.parquet as pq

    parts = [pa.table({"x": pa.array(one).dictionary_encode()}) for one in (["a", "b"], ["c", "a"])]
    with pq.ParquetWriter(tmp_path / "a.parquet", parts[0].schema) as writer:
        for part in parts:
            writer.write_table(part)
    table = table_of(tmp_path / "a.parquet", ".parquet", ",")
    assert table["x"].to_pylist() == ["a", "b", "c", "a"]
    assert seen(table)[0][0].values == ("a", "b", "c")
