"""`dreg new --from` a table: what it says about labels, and where a dataset of it could not be split."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dreg.errors import BadRequest
from dreg.scaffold.first_source import from_file
from dreg.stages.split import canonical


def csv(folder: Path, *lines: str, name: str = "trees.csv") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def parquet(folder: Path, table: pa.Table) -> Path:
    pq.write_table(table, folder / "trees.parquet")
    return folder / "trees.parquet"


# Labels


def test_a_row_without_a_label_is_refused(tmp_path):
    rows = [f"message {i},{'' if i == 16 else ('pos', 'neg')[i % 2]}" for i in range(60)]
    with pytest.raises(BadRequest, match="row 17 has no label"):
        from_file(str(csv(tmp_path, "text,label", *rows)), "text")


def test_numbers_are_labels_of_texts_in_their_order(garden):
    garden.new("text", csv(garden.given, "text,label", *(f"no. {i},{i % 12}" for i in range(60))))
    assert garden.contract.columns["label"].classes == tuple(str(i) for i in range(12))
    assert garden.runs() == 60


def test_numbers_in_parquet_are_labels_too(garden):
    table = pa.table({"text": [f"no. {i}" for i in range(60)], "label": [i % 3 for i in range(60)]})
    garden.new("text", parquet(garden.given, table))
    assert garden.runs() == 60


def test_texts_may_have_more_classes_than_a_guess_would_take(tmp_path):
    rows = [f"text {i},intent {i % 77}" for i in range(200)]
    told = from_file(str(csv(tmp_path, "text,label", *rows)), "text")
    assert str(told.answers["classes"]).count("intent") == 77


def test_what_is_no_label_is_told(tmp_path):
    path = csv(tmp_path, "text,label", *(f"text {i},{i / 7}" for i in range(1001)))
    with pytest.raises(BadRequest) as caught:
        from_file(str(path), "text")
    assert caught.value.fact == (
        "`label` has 1,001 different values, and 1,000 classes are the most"
    )
    assert "--kind tabular" in caught.value.hint


def test_columns_beside_text_and_label_are_told_to_be_left_out(tmp_path):
    rows = [f"{i},text {i},{'ab'[i % 2]}" for i in range(30)]
    told = from_file(str(csv(tmp_path, "id,text,label", *rows)), "text")
    assert told.notes == ("column `id` is left out",)


def test_a_column_with_gaps_is_no_label_and_that_is_told(tmp_path):
    rows = [f"{i},{('', 'ash', 'oak')[i % 3]},{'ab'[i % 2]}" for i in range(30)]
    told = from_file(str(csv(tmp_path, "v,species,side", *rows)), "tabular")
    assert told.answers["label"] == "side"
    assert told.notes == ("column `species` is no label: some rows have none",)


# Too little of it


@pytest.mark.parametrize("rows", [["1,a"], ["1,a"] * 50])
def test_few_different_rows_are_told_before_a_split_is_empty(tmp_path, rows):
    told = from_file(str(csv(tmp_path, "v,w", *rows)), "tabular")
    assert told.notes[0].startswith("there is only 1 different row: if a split stays empty")


def test_enough_rows_are_not_talked_about(tmp_path):
    assert from_file(str(csv(tmp_path, "v", *map(str, range(30)))), "tabular").notes == ()


def test_instants_of_single_nanoseconds_are_told_apart_without_pandas():
    instants = pa.array([1, 2, None], pa.timestamp("ns", "Europe/Berlin"))
    assert canonical(pa.table({"c": instants})) == [b"[1]", b"[2]", b"[null]"]
