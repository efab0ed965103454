"""What a profile calls the files of a split."""

from __future__ import annotations

import pytest

from dreg.core.file_formats import ending, format_of


@pytest.mark.parametrize(
    ("names", "format"),
    [
        (["train.parquet"], "parquet"),
        (["a.jsonl", "b.NDJSON"], "jsonl"),
        (["a.csv", "b.parquet", "c.csv"], "csv, parquet"),
        (["cat/1.PNG", "dog/2.jpeg"], "images"),
        (["notes.txt", "readme.md"], "documents"),
        (["a.b/README"], ""),
        ([".hidden"], ""),
        ([], ""),
    ],
)
def test_a_format_has_one_word(names, format):
    assert format_of(names) == format


def test_where_a_path_ends():
    assert ending("a.d/b.tar.gz") == ("a.d/b.tar", "gz")
    assert ending("a.d/b") == ("a.d/b", "")
    assert ending("train-*.csv") == ("train-*", "csv")
