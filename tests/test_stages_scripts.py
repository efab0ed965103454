"""What scripts import: writing files, splitting rows, and how a script ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv

from dreg.adapters.written import unfinished, written
from dreg.errors import BadRequest
from dreg.stages.files import write_csv, write_parquet
from dreg.stages.split import by_hash, by_key

UNHURRIED = settings(deadline=None)  # the first example imports half of Arrow

WINES = pa.table({"alcohol": [9.5, None, 12.5], "quality": [5, 6, 8], "color": ["red", "", None]})
IMAGES = pa.table(
    {
        "image": pa.FixedShapeTensorArray.from_numpy_ndarray(
            np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
        ),
        "label": [0, 1, 2, 0, 1, 2],
    }
)


# Files


@pytest.mark.parametrize("table", [WINES, IMAGES], ids=["wines", "images"])
def test_parquet_comes_back_as_it_was(tmp_path, table):
    write_parquet(table, tmp_path / "file.parquet")

    assert pq.read_table(tmp_path / "file.parquet").equals(table)
    assert pq.read_table(tmp_path / "file.parquet").schema == table.schema


@pytest.mark.parametrize("table", [WINES, IMAGES], ids=["wines", "images"])
def test_the_same_rows_give_the_same_bytes_however_they_were_made(tmp_path, table):
    write_parquet(table, tmp_path / "one.parquet")
    pieces = pa.concat_tables([table.slice(i, 1) for i in range(len(table))])
    write_parquet(pieces, tmp_path / "pieces.parquet")

    one = (tmp_path / "one.parquet").read_bytes()
    assert (tmp_path / "pieces.parquet").read_bytes() == one


def test_a_table_from_pandas_says_nothing_of_pandas(tmp_path):
    frame = pd.DataFrame({"x": [1, 2]})
    write_parquet(pa.Table.from_pandas(frame), tmp_path / "pandas.parquet")
    write_parquet(pa.table({"x": [1, 2]}), tmp_path / "plain.parquet")

    plain = (tmp_path / "plain.parquet").read_bytes()
    assert (tmp_path / "pandas.parquet").read_bytes() == plain
    assert pd.read_parquet(tmp_path / "pandas.parquet").equals(frame)


def test_batches_are_row_groups_so_that_a_file_needs_not_fit_into_memory(tmp_path):
    batches = (IMAGES.slice(start, 2).to_batches()[0] for start in range(0, 6, 2))
    write_parquet(batches, tmp_path / "file.parquet", IMAGES.schema)

    assert pq.ParquetFile(tmp_path / "file.parquet").num_row_groups == 3
    assert pq.read_table(tmp_path / "file.parquet").equals(IMAGES)


def test_batches_need_a_schema(tmp_path):
    with pytest.raises(TypeError, match="batches need a schema"):
        write_parquet(IMAGES.to_batches(), tmp_path / "file.parquet")


def test_nested_lists_of_bytes_are_images_too(tmp_path):
    kind = pa.list_(pa.list_(pa.uint8(), 5), 4)
    nested = pa.table(
        {"image": pa.array(IMAGES["image"].combine_chunks().to_numpy_ndarray().tolist(), kind)}
    )
    write_parquet(nested, tmp_path / "file.parquet")

    assert pq.read_table(tmp_path / "file.parquet").equals(nested)
    column = pq.ParquetFile(tmp_path / "file.parquet").metadata.row_group(0).column(0)
    assert "BYTE_STREAM_SPLIT" in column.encodings


def test_csv_keeps_apart_what_is_empty_and_what_is_missing(tmp_path):
    write_csv(WINES, tmp_path / "wines.csv")

    text = (tmp_path / "wines.csv").read_text()
    assert text == '"alcohol","quality","color"\n9.5,5,"red"\n,6,""\n12.5,8,\n'
    options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    assert csv.read_csv(tmp_path / "wines.csv", convert_options=options).equals(WINES)


def test_a_file_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "folder" / "file"
    with pytest.raises(KeyboardInterrupt), written(target) as file:
        file.write(b"half")
        raise KeyboardInterrupt

    assert list((tmp_path / "folder").iterdir()) == []

    with written(target) as file:
        file.write(b"whole")
        assert not target.exists()

    assert target.read_bytes() == b"whole"
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_file_is_written_whatever_a_killed_process_left(tmp_path):
    part = unfinished(tmp_path / "file")
    part.write_bytes(b"much longer than what is written now")
    with written(tmp_path / "file") as file:
        file.write(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert not part.exists()


def test_where_a_folder_should_be_and_a_file_is_nothing_is_written(tmp_path):
    (tmp_path / "folder").write_bytes(b"no folder")
    with pytest.raises(FileExistsError), written(tmp_path / "folder/file") as file:
        file.write(b"whole")
    assert (tmp_path / "folder").read_bytes() == b"no folder"


def test_of_many_files_in_a_folder_none_is_looked_for_before_it_is_written(tmp_path, monkeypatch):
    calls = []
    for name in ("mkdir", "unlink"):
        call = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, n=name, c=call, **kw: (calls.append(n), c(*args, **kw))[1]
        )
    for number in range(20):
        with written(tmp_path / f"folder/{number}") as file:
            file.write(b"whole")
    assert calls == ["mkdir"]


# Splitting

ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(allow_nan=False), st.just(-0.0)),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.one_of(st.none(), st.text(max_size=3)),
    ),
    max_size=40,
)


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    kinds = {"a": pa.float64(), "b": pa.int64(), "c": pa.string()}
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.table({n: pa.array(v, k) for (n, k), v in zip(kinds.items(), columns, strict=True)})


def rows_of(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


@UNHURRIED
@given(ROWS, st.floats(0.05, 0.95))
def test_equal_rows_never_cross_splits_and_no_row_is_lost(rows, share):
    first, second = by_hash(table_of([*rows, *rows]), share)

    assert not set(rows_of(first)) & set(rows_of(second))
    assert Counter(rows_of(first)) + Counter(rows_of(second)) == Counter([*rows, *rows])


@UNHURRIED
@given(ROWS, ROWS)
def test_rows_that_come_later_leave_the_others_where_they_are(rows, more):
    first, second = by_hash(table_of(rows), 0.5)
    later_first, later_second = by_hash(table_of([*rows, *more]), 0.5)

    assert rows_of(later_first)[: len(first)] == rows_of(first)
    assert rows_of(later_second)[: len(second)] == rows_of(second)


def test_by_some_columns_the_others_decide_nothing():
    table = pa.table({"id": list(range(100)), "x": ["a"] * 100})
    corrected = table.set_column(1, "x", [["b"] * 100])

    assert by_hash(table, 0.3, of=["id"])[1]["id"] == by_hash(corrected, 0.3, of=["id"])[1]["id"]
    assert by_hash(table, 0.3)[1]["id"] != by_hash(corrected, 0.3)[1]["id"]


def test_the_share_is_about_what_was_asked_for():
    _, held_out = by_hash(pa.table({"x": list(range(10_000))}), 0.2)

    assert 1_900 < len(held_out) < 2_100


def test_the_split_of_a_row_is_the_same_for_ever():
    """Written down, because a change would move samples of released datasets between splits."""
    wines = pa.table({"alcohol": [9.0 + i / 2 for i in range(12)], "color": ["red", "white"] * 6})

    _, held_out = by_hash(wines, 0.4)

    assert held_out["alcohol"].to_pylist() == [9.0, 10.0, 11.0, 12.5, 13.5]


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_items_of_one_key_stay_together_and_where_they_are(names, more):
    first, second = by_key(names, str.lower, 0.5)
    later_first, later_second = by_key([*names, *more], str.lower, 0.5)

    assert not {name.lower() for name in first} & {name.lower() for name in second}
    assert Counter(first) + Counter(second) == Counter(names)
    assert (later_first[: len(first)], later_second[: len(second)]) == (first, second)


@pytest.mark.parametrize("share", [0, 1, -0.1, 20])
def test_a_share_that_leaves_a_split_empty_is_refused(share):
    with pytest.raises(BadRequest, match="leaves a split without rows"):
        by_hash(WINES, share)
    with pytest.raises(BadRequest, match="leaves a split without rows"):
        by_key(["a", "b"], str, share)


# How a script ends


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import dreg.stages\n{script}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_error_that_dreg_foresees_ends_a_script_without_a_traceback(tmp_path):
    done = run("dreg.stages.here()", tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: `{tmp_path}` is not a pipeline's folder\n"
        "\n"
        "hint: run the script as its pipeline does: dreg run NAME\n"
    )


def test_a_full_disk_ends_a_script_without_a_traceback(tmp_path):
    script = "import os; os.write(os.open('/dev/full', os.O_WRONLY), b'words')"
    if not Path("/dev/full").exists():
        script = "import errno; raise OSError(errno.ENOSPC, 'No space left on device')"

    done = run(script, tmp_path)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "error: the disk is full\n\nhint: free some space: df -h; then run it again\n"
    )


def test_a_folder_that_may_not_be_written_ends_a_script_without_a_traceback(tmp_path):
    script = "import errno; raise PermissionError(errno.EACCES, 'Permission denied', 'data/x')"

    done = run(script, tmp_path)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "error: permission denied at `data/x`\n\nhint: see who may: ls -ld .; or work at another place; then run it again\n"
    )


def test_a_script_that_is_interrupted_ends_quietly(tmp_path):
    done = run("raise KeyboardInterrupt", tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_mistake_in_a_script_keeps_its_traceback(tmp_path):
    done = run("{}['absent']", tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")


def test_params_that_are_no_mapping(tmp_path):
    pipeline = tmp_path / "pipelines" / "wines"
    pipeline.mkdir(parents=True)
    (pipeline / "dataset.yaml").touch()
    (pipeline / "params.yaml").write_text("- a list\n")

    done = run("dreg.stages.here().params", pipeline)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: `params.yaml` is not a mapping\n\nhint: write it as `key: value` lines\n"
    )


def test_a_damaged_page_of_what_is_written_shows(tmp_path):
    table = pa.table({"x": pa.array(range(50_000), pa.int64())})
    write_parquet(table, tmp_path / "t.parquet")
    path = tmp_path / "t.parquet"
    spoilt = bytearray(path.read_bytes())
    spoilt[len(spoilt) // 3] ^= 1
    path.write_bytes(spoilt)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)
