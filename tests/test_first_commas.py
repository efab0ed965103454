"""`dreg new --from` of what a spreadsheet writes where decimals have commas."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.garden import Garden


def sheet(garden: Garden, row: str, delimiter: str = ";") -> Path:
    """A sheet of forty such rows, `{}` in them counting."""
    path = garden.given / "sheet.csv"
    rows = "".join(row.format(i) + "\n" for i in range(40))
    path.write_text(delimiter.join("abc"[: row.count(delimiter) + 1]) + "\n" + rows)
    return path


def types(garden: Garden) -> list[str]:
    return [column.type for column in garden.contract.columns.values()]


def test_decimal_commas_are_numbers_and_that_is_told(garden, capsys):
    garden.new("tabular", sheet(garden, "{0};{0},25;-1{0},5"))
    assert "numbers are read with decimal commas, as in column `b`" in capsys.readouterr().err
    assert types(garden) == ["int64", "float64", "float64"]
    assert garden.runs() == 40
    table = pq.read_table(garden.processed / "train.parquet")
    assert table["b"].to_pylist() == [i + 0.25 for i in table["a"].to_pylist()]


def test_dots_are_of_thousands_then_and_no_decimals(garden):
    garden.new("tabular", sheet(garden, "{0};{0},5;{0}.125"))
    assert types(garden) == ["int64", "float64", "string"]
    assert garden.runs() == 40


@pytest.mark.parametrize(
    ("row", "delimiter", "expected"),
    [
        ('{0},"{0},5",x', ",", ["int64", "string", "string"]),  # commas are no decimals' there
        ("{0};{0},125;x", ";", ["int64", "string", "string"]),  # or thousands
        ("{0};{0},5;{0}.5", ";", ["int64", "string", "float64"]),  # both: nobody knows
        ("{0};{0},5,5;x", ";", ["int64", "string", "string"]),
        ("{0};{0}.5;x", ";", ["int64", "float64", "string"]),
    ],
)
def test_what_may_be_something_else_stays_as_it_was(garden, capsys, row, delimiter, expected):
    path = garden.given / "sheet.csv"
    path.write_text(delimiter.join("abc") + "\n" + "".join(row.format(i) + "\n" for i in range(40)))
    garden.new("tabular", path)
    assert "decimal commas" not in capsys.readouterr().err
    assert types(garden) == expected
    assert garden.runs() == 40


def test_gaps_may_be_among_them(garden):
    path = sheet(garden, "{0};{0},5;x")
    path.write_text(path.read_text().replace("\n7;7,5;", "\n7;;").replace("\n8;8,5;", "\n8;#N/A;"))
    garden.new("tabular", path)
    column = garden.contract.columns["b"]
    assert (column.type, column.nullable) == ("float64", True)
    assert garden.runs() == 40
