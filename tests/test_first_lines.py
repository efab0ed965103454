"""`dreg new --from` of objects, one on each line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dreg.errors import BadRequest
from tests.garden import Garden

LINES = [
    {"id": i, "x": i / 2 if i % 5 else None, "kind": "ab"[i % 2], "at": f"2024-01-01T00:00:{i:02}+02:00",
     "tags": ["a"], "text": f"é {i}\nb", "label": ("pos", "neg")[i % 2]}
    for i in range(40)
]  # fmt: skip


def lines(garden: Garden, name: str = "trees.jsonl", rows: list[dict[str, Any]] = LINES) -> Path:
    path = garden.given / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(garden: Garden) -> list[dict[str, Any]]:
    tables = [pq.read_table(garden.processed / f"{name}.parquet") for name in ("train", "val")]
    return sorted((row for table in tables for row in table.to_pylist()), key=str)


def test_objects_on_lines_become_a_dataset_that_runs(garden, capsys):
    garden.new("tabular", lines(garden))
    said = capsys.readouterr().err
    assert "column `tags` has values of many parts and is left out" in said
    types = {name: (one.type, one.nullable) for name, one in garden.contract.columns.items()}
    assert types == {
        "id": ("int64", False), "x": ("float64", True), "kind": ("string", False),
        "at": ("string", False), "text": ("string", False), "label": ("string", False),
    }  # fmt: skip
    assert (garden.contract.key, garden.contract.label) == (("id",), "label")
    assert garden.runs() == 40
    kept = [{name: value for name, value in row.items() if name != "tags"} for row in LINES]
    assert rows_of(garden) == sorted(kept, key=str)


@pytest.mark.parametrize("labels", [("pos", "neg"), (0, 1), (True, False)])
def test_texts_on_lines_become_a_dataset_that_runs(garden, labels):
    rows = [{"text": f"é {i}\nb", "label": labels[i % 2], "n": i} for i in range(40)]
    garden.new("text", lines(garden, rows=rows))
    assert set(garden.contract.columns["label"].classes) == {str(one).lower() for one in labels}
    assert garden.runs() == 40
    assert {row["text"] for row in rows_of(garden)} == {row["text"] for row in rows}


def test_objects_on_lines_may_be_long_and_lack_fields(garden):
    rows = [{"id": i, "note": "x" * 2_000_000} if i == 7 else {"id": i} for i in range(40)]
    garden.new("tabular", lines(garden, "trees.ndjson", rows))
    assert garden.runs() == 40
    assert max(len(row["note"] or "") for row in rows_of(garden)) == 2_000_000


def test_objects_of_other_types_are_refused(garden):
    rows = [{"id": i, "x": i if i < 30 else "unknown"} for i in range(40)]
    with pytest.raises(BadRequest, match=r"`trees.jsonl` cannot be read as a table: .* row 30"):
        garden.new("tabular", lines(garden, rows=rows))


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b'{"x": 9007199254740993}\n{"x": 0.5}\n', "has whole numbers that a float does not hold"),
        (b'{"x": 12345678901234567890}\n', "has whole numbers that a float does not hold"),
        (b'{"x": "\xff"}\n', "cannot be read as a table: 'utf-8' codec"),
        (b'[{"x": 1}]\n', "cannot be read as a table: JSON parse error"),
        (b"", "cannot be read as a table"),
    ],
)
def test_objects_that_would_lose_something_are_refused(garden, content, fact):
    (garden.given / "trees.jsonl").write_bytes(content)
    with pytest.raises(BadRequest, match=fact):
        garden.new("tabular", garden.given / "trees.jsonl")


def test_large_floats_are_no_whole_numbers(garden):
    garden.new("tabular", lines(garden, rows=[{"id": i, "x": 1e300 + i} for i in range(40)]))
    assert garden.runs() == 40
