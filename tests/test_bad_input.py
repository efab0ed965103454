"""Data that is not what it should be: named with its file and row, and nothing is measured."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dreg.adapters.formats import rows
from dreg.errors import BadRequest
from dreg.stages import profile
from tests.measured import Pets, image, lines, pets

X = {"x": "int64"}
IMAGE = {"image": "image"}


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pets]:
    with pets(tmp_path, monkeypatch) as found:
        yield found


def refusal(
    dataset: Pets, name: str, content: str | bytes, columns: Any = None, **more: Any
) -> str:
    dataset.write(name, content)
    dataset.contract(columns or {"y": "string"}, name, **more)
    return dataset.refused()


# Tables as text


@pytest.mark.parametrize("name", ["all.csv", "all.tsv", "all.jsonl", "all.json", "all.parquet"])
def test_an_empty_file(dataset, name):
    fact = refusal(dataset, name, "", X)

    assert fact.startswith(f"`{name}` ")
    assert any(word in fact for word in ("is empty", "has no row", "array of objects", "0 bytes"))


@pytest.mark.parametrize(
    ("name", "content"), [("all.csv", "x\n"), ("all.json", "[]"), ("all.jsonl", "\n\n")]
)
def test_a_file_without_rows(dataset, name, content):
    fact = refusal(dataset, name, content, X)

    assert name in fact
    assert "no row" in fact


@pytest.mark.parametrize(
    ("content", "about"),
    [
        ("x,y\n1,a\ntwo,b\n", "row 2 cannot be read: column `x`: CSV conversion error to int64: invalid value 'two'"),
        ("x,y\n1,a\n2\n", "row 2 cannot be read: Expected 2 columns, got 1: 2"),
        ("x,y\n1,a\n2,b,c\n", "row 2 cannot be read: Expected 2 columns, got 3: 2,b,c"),
        ('x,y\n1,a\n2,"b\n3,c\n', "row 2 has a quote that is never closed"),
        ('x,y\n1,a\n2,"b\n3,c\n4,"d\n', "row 2 has text after a closing quote"),
        ('x,y\n1,a\n2,"b"c\n', "row 2 has text after a closing quote"),
        (b"x,y\n1,a\n2,\xff\n", "row 2: column `y` is not UTF-8"),
        (b"x,\xff\n1,2\n", "has a header that is not UTF-8"),
        ("x,y\n1,2\n".encode("utf-16"), "is UTF-16"),
        ("x,x\n1,2\n", "has more than one column `x`"),
    ],
)  # fmt: skip
def test_a_csv_file(dataset, content, about):
    place, row, rest = about.partition("row ")
    expected = f"`all.csv` {about}" if row else f"`all.csv` {place}{rest}"

    assert refusal(dataset, "all.csv", content, X) == expected


def test_a_text_that_is_not_utf8_where_the_contract_says_text(dataset):
    fact = refusal(dataset, "all.csv", b"y\nfine\n\xff\n", {"y": "string"})

    assert fact.startswith("`all.csv` row 2 cannot be read: column `y`: ")
    assert "invalid UTF8" in fact


def test_a_bad_value_at_the_start_of_a_large_file(dataset):
    path = dataset.write("all.csv", "x,y\none,a\n" + "1,a\n" * 5_000_000)
    os.truncate(path, 4_000_000_000)  # a hole takes no disk
    dataset.contract(X | {"y": "string"}, "all.csv")
    for _ in range(2):  # Python must not end while Arrow is still reading ahead
        done = subprocess.run(
            [sys.executable, "-c", "from dreg.stages import profile; profile.write()"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr[:7]) == (3, "error: "), done.stderr
        assert "Fatal" not in done.stderr


def test_rows_are_counted_across_blocks(dataset, monkeypatch):
    monkeypatch.setattr(rows, "BATCH_BYTES", 64)
    content = "x,y\n" + "1,a\n" * 100 + "one,a\n"
    assert "`all.csv` row 101 " in refusal(dataset, "all.csv", content, X)
    content = lines(*[{"x": 1}] * 100, {"x": "one"})
    assert "`all.jsonl` row 101 " in refusal(dataset, "all.jsonl", content, X)
    content = json.dumps([{"x": 1}] * 100 + [{"x": "one"}])
    assert "`all.json` row 101 " in refusal(dataset, "all.json", content, X)
    content = lines(*[{"x": 1}] * 100).encode() + b'{"x": "\xff"}\n'
    assert refusal(dataset, "all.jsonl", content, X) == "`all.jsonl` row 101 is not UTF-8"


def test_a_row_that_is_larger_than_what_is_read_at_once(dataset, monkeypatch):
    monkeypatch.setattr(rows, "BATCH_BYTES", 2 << 20)
    fact = refusal(dataset, "all.csv", f"x,y\n1,a\n2,{'b' * (3 << 20)}\n", X)
    assert fact == "`all.csv` cannot be read: a row has more than 1 MB, or a quote is never closed"


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_part_of_the_data(dataset, mark):
    expected = None
    for name, content in (
        ("all.csv", b"x,y\n1,a\n"),
        ("all.jsonl", b'{"x": 1, "y": "a"}\n'),
        ("all.json", b'[{"x": 1, "y": "a"}]'),
    ):
        dataset.write(name, mark + content)
        dataset.contract({"x": "int64", "y": "string"}, name)
        hashes = dataset.hashes()
        assert expected in (None, hashes)
        expected = hashes


# JSON


@pytest.mark.parametrize(
    ("name", "content", "about"),
    [
        ("all.json", '{"x": 1}', "` is not one JSON array of objects"),
        ("all.json", "5", "` is not one JSON array of objects"),
        ("all.json", "[1, 2]", "` row 1 is no JSON object"),
        ("all.json", '[{"x": 1}, null]', "` row 2 is no JSON object"),
        ("all.json", '[{"x": 1}, {"x": 2}', "` breaks off or is broken after row 2"),
        ("all.json", '[{"x": 1}, {"x": ', "` row 2 cannot be read: Expecting value"),
        ("all.json", '[{"x": 1}, {"x": "2', "` row 2 cannot be read: Unterminated string starting at"),
        ("all.json", '[{"x": 1} {"x": 2}]', "` breaks off or is broken after row 1"),
        ("all.json", '[{"x": 1},]', "` row 2 is no JSON object"),
        ("all.json", '[{"x": 1}] [2]', "` is not one JSON array of objects"),
        ("all.json", b'[{"x": 1}, {"x": "\xff"}]', "` row 1 is not UTF-8"),
        ("all.json", '[{"x": 1}, {"x": "a"}]', "` row 2 cannot be read: Column(/x) changed from number to string"),
        ("all.jsonl", '{"x": 1}\n[1]\n', "` row 2 cannot be read: Column() changed from object to array"),
        ("all.jsonl", '{"x": 1}\n{"x": 1', "` row 2 cannot be read: "),
        ("all.jsonl", '{"x": 1}\n\n{"x": 1.5}\n', "` row 2 cannot be read: Failed to convert JSON to int64"),
        ("all.jsonl", '{"x": 1, "x": 2}\n', "` row 1 cannot be read: Column(/x) was specified twice"),
        ("all.jsonl", b'{"x": 1}\n{"x": 2, "y": "a\xff"}\n', "` row 2 is not UTF-8"),
        ("all.jsonl", '{"x": 1}\n{"x": 2, "y": "\\ud800"}\n', "` row 2 cannot be read: The surrogate pair"),
        ("all.jsonl", '{"x": 1}\n{"x": 2, "y": 1e999}\n', "` row 2 cannot be read: Number too big"),
    ],
)  # fmt: skip
def test_json(dataset, name, content, about):
    fact = refusal(dataset, name, content, X)

    assert fact.startswith(f"`{name}{about}")


def test_fields_of_several_types_in_blocks_of_one_file(dataset, monkeypatch):
    monkeypatch.setattr(rows, "BATCH_BYTES", 40)
    content = lines(*[{"x": 1, "deep": [1]}] * 9, {"x": 2, "deep": ["two"]})
    fact = refusal(dataset, "all.jsonl", content, X)
    assert fact.startswith("`all.jsonl` has fields of several types from row ")


def test_a_list_that_is_not_as_long_as_the_contract_says(dataset):
    columns = {"e": {"type": "float32", "shape": [2]}}
    content = lines({"e": [1, 2]}, {"e": [1]})

    assert refusal(dataset, "all.jsonl", content, columns) == (
        "`all.jsonl` row 2: column `e` is no fixed_size_list<float32>[2]"
    )
    parquet(dataset, pa.table({"e": [[1.0, 2.0], [3.0, 4.0], None, [1.0]]}))
    dataset.contract(columns, "all.parquet")
    assert dataset.refused() == "`all.parquet` row 4: column `e` is no fixed_size_list<float64>[2]"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("date32[day]", "2024-13-01"), ("time32[s]", "25:00:00"), ("list<date32[day]>", ["1"])],
)
def test_a_text_in_json_that_is_no_date(dataset, kind, value):
    content = lines({"d": None}, {"d": value})

    assert refusal(dataset, "all.jsonl", content, {"d": kind}) == (
        f"`all.jsonl` row 2: column `d` is no {kind}"
    )


def test_json_that_is_nested_beyond_reason(dataset):
    for name in ("all.json", "all.jsonl"):
        content = '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}"
        fact = refusal(
            dataset, name, f"[{content}]" if name == "all.json" else content, {"y": "string"}
        )
        assert fact.startswith(f"`{name}` ")


# Parquet


def parquet(dataset: Pets, table: pa.Table, **settings: Any) -> Path:
    path = dataset.write("all.parquet", "")
    pq.write_table(table, path, **settings)
    return path


@pytest.mark.parametrize("keep", [4, 1000, -9, -1])
def test_a_truncated_parquet_file(dataset, keep):
    path = parquet(dataset, pa.table({"x": list(range(1000))}))
    path.write_bytes(path.read_bytes()[:keep])
    dataset.contract(X, "all.parquet")

    assert dataset.refused().startswith("`all.parquet` cannot be read: ")


def test_a_parquet_file_with_a_flipped_bit_where_it_has_checksums(dataset):
    table = pa.table({"x": list(range(1000))})
    settings = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    path = parquet(dataset, table, **settings)
    dataset.contract(X, "all.parquet")
    dataset.measure()
    (dataset.data / "metadata.json").unlink()
    content = bytearray(path.read_bytes())
    content[content.index((500).to_bytes(8, "little"))] ^= 1  # still a number
    path.write_bytes(content)

    assert "could not verify page integrity" in dataset.refused().lower()


def test_text_in_parquet_that_is_not_utf8(dataset):
    octets = pa.array([b"fine", b"also", b"\xff"])
    text = pa.Array.from_buffers(pa.string(), 3, octets.buffers())
    parquet(dataset, pa.table({"y": text}))
    dataset.contract({"y": "string"}, "all.parquet")

    assert dataset.refused() == "`all.parquet` row 3: column `y` is not UTF-8"


def test_a_file_whose_name_is_no_text(dataset):
    dataset.write("a.md", "fine")
    (dataset.processed / os.fsdecode(b"\xff.md")).write_text("fine")
    dataset.contract({"text": "document"}, "*.md")

    assert dataset.refused() == "the name of `?.md` is not UTF-8"


def test_a_file_that_would_be_elsewhere_on_another_system(dataset):
    dataset.write("a.md", "fine")
    dataset.write("up\\a.md", "fine")
    dataset.contract({"text": "document"}, "*.md")

    assert dataset.refused().endswith("up\\a.md` cannot be fetched under that name")


def test_columns_of_one_name_in_parquet(dataset):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    parquet(dataset, table)
    dataset.contract(X, "all.parquet")

    assert dataset.refused() == "`all.parquet` has more than one column `x`"


def test_nan_and_infinity_are_counted_and_in_no_other_figure(dataset):
    parquet(dataset, pa.table({"x": [1.0, math.nan, math.inf, -math.inf, 3.0]}))
    dataset.contract({"x": "float64"}, "all.parquet")
    figures = dataset.measure().splits["train"].columns["x"]
    dataset.write("all.csv", "x\n1\nnan\ninf\n-inf\n3\n")
    dataset.contract({"x": "float64"}, "all.csv")

    assert figures["not_finite"] == 3
    assert (figures["min"], figures["max"], figures["mean"]) == (1.0, 3.0, 2.0)
    assert dataset.measure().splits["train"].columns["x"] == figures
    dataset.write(
        "all.jsonl", '{"x": 1}\n{"x": NaN}\n{"x": Infinity}\n{"x": -Infinity}\n{"x": 3}\n'
    )
    dataset.contract({"x": "float64"}, "all.jsonl")
    assert dataset.measure().splits["train"].columns["x"] == figures


# Splits, keys, labels


def test_an_empty_split(dataset):
    parquet(dataset, pa.table({"x": pa.array([], pa.int64())}))
    dataset.contract(X, "all.parquet")

    assert dataset.refused().startswith("split `train` is empty: no row in `all.parquet`")


def test_a_million_classes(dataset):
    parquet(dataset, pa.table({"y": [f"{number}" for number in range(1_000_000)]}))
    dataset.contract({"y": "string"}, "all.parquet", label="y")

    assert dataset.refused() == "the label `y` has more than 10,000 different values"


@pytest.mark.parametrize(
    ("value", "kind"), [(["a"], "list<string>"), ({"b": 1}, "struct<b: int64>")]
)
def test_a_label_that_makes_no_classes(dataset, value, kind):
    fact = refusal(dataset, "all.jsonl", lines({"y": value}), {"y": kind}, label="y")

    assert fact.startswith("the label `y` of `all.jsonl` has type ")
    assert fact.endswith(", which makes no classes")


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl", "all.json"])
def test_a_key_that_two_samples_have(dataset, name):
    objects = [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}, {"x": 1, "y": "c"}]
    text = {
        "all.csv": "x,y\n1,a\n2,b\n1,c\n",
        "all.jsonl": lines(*objects),
        "all.json": json.dumps(objects),
    }[name]

    assert refusal(dataset, name, text, X, key="x") == (
        f"`{name}` row 3 has the key `1`, which `{name}` row 1 has as well"
    )


# Images and documents


def truncated() -> bytes:
    content = image(size=(200, 200), colour=(1, 2, 3), kind="JPEG")
    return content[: len(content) * 2 // 3]


@pytest.mark.parametrize(
    ("name", "content", "about"),
    [
        ("b.png", b"no image", "it is none of PNG, JPEG, GIF, BMP, TIFF, WEBP"),
        ("b.png", b"", "it is none of PNG, JPEG, GIF, BMP, TIFF, WEBP"),
        ("b.png", image(size=(90, 90))[:-40], ""),
        ("b.jpg", truncated(), "image file is truncated"),
    ],
)
def test_an_image_that_does_not_decode(dataset, name, content, about):
    dataset.write("a.png", image())
    dataset.write(name, content)
    expected = f"column `image`: image `{name}` cannot be decoded: {about}"
    annotations = lines({"image": "a.png"}, {"image": None}, {"image": name})

    assert refusal(dataset, "all.jsonl", annotations, IMAGE).startswith(
        f"`all.jsonl` row 3: {expected}"
    )

    dataset.write(f"train/cat/{name}", content)
    dataset.write("train/cat/0.png", image())
    dataset.contract(IMAGE, "train/**/*.*")
    assert dataset.refused().startswith(f"`train/cat/{name}`: image cannot be decoded: {about}")


def test_an_image_larger_than_anybody_means(dataset, monkeypatch):
    import PIL.Image

    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    dataset.write("a.png", image(size=(9, 9)))
    fact = refusal(dataset, "all.jsonl", lines({"image": "a.png"}), IMAGE)
    assert "cannot be decoded: Image size (81 pixels) exceeds limit" in fact


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl", "all.json", "all.parquet"])
def test_annotations_that_name_missing_images(dataset, name):
    dataset.write("images/a.png", image())
    objects = [{"image": "images/a.png"}, {"image": "images/b.png"}]
    content: Any = {
        "all.csv": "image\nimages/a.png\nimages/b.png\n",
        "all.jsonl": lines(*objects),
        "all.json": json.dumps(objects),
    }.get(name)
    if content is None:
        content = parquet(dataset, pa.Table.from_pylist(objects)).read_bytes()

    assert refusal(dataset, name, content, IMAGE) == (
        f"`{name}` row 2: column `image` names `images/b.png`, which is no file in `DATA/processed`"
    )


@pytest.mark.parametrize("path", ["../secret.png", "/etc/hostname", "a/../../b.png", "..\\b.png"])
def test_an_image_outside_of_the_folder(dataset, path):
    (dataset.data / "secret.png").write_bytes(image())

    assert refusal(dataset, "all.jsonl", lines({"image": path}), IMAGE) == (
        f"`all.jsonl` row 1: column `image` names `{path}`, which is outside of `DATA/processed`"
    )


@pytest.mark.parametrize("path", ["", ".", "deep", "a\0b", "x" * 5000])
def test_a_path_that_is_no_file(dataset, path):
    dataset.write("deep/a.png", image())

    fact = refusal(dataset, "all.jsonl", lines({"image": path}), IMAGE)
    assert fact.startswith("`all.jsonl` row 1: column `image` names `")


def test_a_column_of_images_that_names_none(dataset):
    assert refusal(dataset, "all.jsonl", lines({"image": 5}), IMAGE) == (
        "column `image` of `all.jsonl` has type int64, and names no files"
    )


def test_a_document_that_is_not_utf8(dataset):
    dataset.write("a.md", "fine")
    dataset.write("b.md", b"fine\nnot \xff\n")
    dataset.contract({"text": "document"}, "*.md")
    assert dataset.refused() == "`b.md` line 2 is not UTF-8"

    assert refusal(dataset, "all.csv", "page\na.md\nb.md\n", {"page": "document"}) == (
        "`all.csv` row 2: column `page` names `b.md`: `b.md` line 2 is not UTF-8"
    )


def test_images_and_tables_in_one_split(dataset):
    dataset.write("a.png", image())
    dataset.write("b.jsonl", lines({"x": 1}))
    dataset.contract(X, "a.png", "b.jsonl")

    assert dataset.refused() == "column `file` is in `a.png` only"


# Profiles


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('{"format": 99}', "has format 99, and this dreg reads up to "),
        ("{}", "is not a profile that dreg wrote (KeyError: "),
        ("[]", "is not a profile that dreg wrote (AttributeError"),
        ('{"dataset": {"name": "x"}, "features": {}}', "is not a profile that dreg wrote (KeyError: 'schema')"),
    ],
)  # fmt: skip
def test_a_profile_of_another_form(text, fact):
    from dreg.core.profile import Profile

    with pytest.raises(BadRequest) as caught:
        Profile.from_json(json.loads(text))
    assert fact in caught.value.fact
    assert caught.value.hint


def test_the_stage_writes_over_whatever_was_there(dataset):
    """An older or a newer metadata.json is no hindrance to measuring again."""
    (dataset.data / "metadata.json").write_text('{"format": 99}')
    dataset.write("all.csv", "x\n1\n")
    dataset.contract(X, "all.csv")

    assert profile.write().num_samples == 1
