"""Every format of samples: JSON arrays, images and documents, named by tables or by themselves."""

from __future__ import annotations

import datetime as dt
import io
import json
import pickle
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dreg.adapters.formats import Piece, json_blocks, rows
from dreg.adapters.formats.arrow_file import arrow_file
from dreg.adapters.formats.file_types import DocumentType, ImageType, PathType
from dreg.adapters.formats.type_names import arrow_type
from dreg.core.canonical import fingerprint
from dreg.core.contract import Contract
from dreg.core.types import spelled
from dreg.core.violations import violations
from tests.measured import Pets, image, lines, pets

SPEECHES = [
    {
        "id": f"{number}",
        "image": f"images/{number}.png",
        "conversations": [
            {"from": "human", "value": "<image>\nWho is it?"},
            {"from": "gpt", "value": f"Nr. {number}, a “cat” {{[,]}}"},
        ],
    }
    for number in range(40)
]
NOON = dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC)
COLUMNS = {"id": "string", "image": "image", "conversations": "list<item: struct<from: string>>"}


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pets]:
    with pets(tmp_path, monkeypatch) as found:
        yield found


def speeches(dataset: Pets, name: str = "annotations.json", indent: int | None = None) -> None:
    for number in range(len(SPEECHES)):
        dataset.write(f"images/{number}.png", image(colour=(number, 0, 255)))
    text = lines(*SPEECHES) if name.endswith("l") else json.dumps(SPEECHES, indent=indent)
    dataset.write(name, text)
    dataset.contract(COLUMNS, name)


# JSON


@pytest.mark.parametrize("block", [16 << 20, 400, 1])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_objects_is_read_as_lines_of_objects_are(dataset, monkeypatch, block, indent):
    speeches(dataset, "annotations.jsonl")
    expected = dataset.measure()
    hashes = dataset.hashes()
    monkeypatch.setattr(rows, "BATCH_BYTES", block)
    speeches(dataset, "annotations.json", indent)

    found = dataset.measure()

    assert found.splits["train"].columns == expected.splits["train"].columns
    assert found.features == expected.features
    assert dataset.hashes() == hashes
    speeches(dataset, "annotations.jsonl")
    assert dataset.measure().splits == expected.splits
    assert dataset.hashes() == hashes


def test_the_content_of_nested_annotations_has_the_image_in_place_of_its_path(dataset):
    speeches(dataset)

    expected = {
        fingerprint(speech | {"image": image(colour=(number, 0, 255))}).hex()
        for number, speech in enumerate(SPEECHES)
    }
    assert set(dataset.hashes()) == expected


def test_what_fields_there_are_is_not_for_the_first_block_to_say(dataset, monkeypatch):
    """Whole numbers, then others; fields, also nested ones, that only later objects have."""
    objects = [{"x": 1, "more": None, "deep": [{"a": 1}]} for _ in range(9)]
    objects += [{"x": 0.5, "more": "yes", "deep": [{"a": 1, "b": "c"}], "new": True}]
    dataset.write("all.json", json.dumps(objects))
    dataset.contract({"x": "float64"}, "all.json")
    dataset.contract({"other": "int64"}, "all.json")
    expected = dataset.measure()
    hashes = dataset.hashes()
    monkeypatch.setattr(rows, "BATCH_BYTES", 40)

    found = dataset.measure()

    assert found.features == expected.features
    assert found.features["x"].type == "double" or found.features["x"].type == "float64"
    assert "new" in found.features
    assert found.splits == expected.splits
    assert dataset.hashes() == hashes


def test_a_text_that_looks_like_a_time_at_first_is_a_text(dataset, monkeypatch):
    dataset.write("all.jsonl", lines(*[{"x": "2024-01-01"}] * 9, {"x": "soon"}))
    dataset.contract({"other": "int64"}, "all.jsonl")
    expected = dataset.hashes()
    monkeypatch.setattr(rows, "BATCH_BYTES", 40)

    assert dataset.hashes() == expected
    assert dataset.measure().features["x"].type == "string"


def test_embeddings_in_json_have_the_shape_that_the_contract_names(dataset):
    dataset.write("all.jsonl", lines({"e": [3, 4]}, {"e": [0.5, 0]}))
    dataset.contract({"e": {"type": "float32", "shape": [2]}}, "all.jsonl")

    feature = dataset.measure().features["e"]

    assert (feature.type, feature.shape) == ("float32", (2,))


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        ("decimal128(10, 2)", [Decimal("3.51"), Decimal(2)], ["3.51", "2"]),
        ("decimal256(50, 1)", [Decimal("0.5"), Decimal(10**40)], ["0.5", f"{10**40}"]),
        ("timestamp[us, tz=UTC]", [NOON, NOON], ["2024-05-06T12:00:00Z", "2024-05-06T14:00+02:00"]),
        ("timestamp[ms]", [dt.datetime(2024, 5, 6), None], ["2024-05-06", ""]),
        ("date32[day]", [dt.date(2024, 5, 6), None], ["2024-05-06", ""]),
        ("date64[ms]", [dt.date(2024, 5, 6), None], ["2024-05-06", ""]),
        ("time32[s]", [dt.time(7, 8, 9), None], ["07:08:09", ""]),
        ("time64[us]", [dt.time(7, 8, 9, 120_000), None], ["07:08:09.12", ""]),
        ("duration[s]", [dt.timedelta(seconds=90), None], ["90", ""]),
        ("float16", [0.5, None], ["0.5", ""]),
        ("uint64", [2**64 - 1, 1], [f"{2**64 - 1}", "1"]),
        ("binary", [b"ab", None], ["ab", ""]),
        ("fixed_size_binary[2]", [b"ab", None], ["ab", ""]),
        ("string", ["2024-05-06", "1"], ["2024-05-06", "1"]),
    ],
)  # fmt: skip
def test_a_column_has_the_type_that_the_contract_promises_in_every_format(
    dataset, kind, values, texts
):
    table = pa.table({"id": [1, 2], "x": pa.array(values, arrow_type(kind))})
    pq.write_table(table, dataset.write("all.parquet", ""))
    # In JSON durations are numbers, and so are whole numbers.
    numbers = kind.startswith(("uint", "float", "duration"))
    told = [json.loads(text) if numbers and text else text or None for text in texts]
    objects = [{"id": number, "x": text} for number, text in enumerate(told, 1)]
    dataset.write("all.jsonl", lines(*objects))
    dataset.write("all.json", json.dumps(objects))
    dataset.write("all.csv", "id,x\n" + "".join(f"{i},{x}\n" for i, x in enumerate(texts, 1)))
    found = []
    for name in ("all.parquet", "all.jsonl", "all.json", "all.csv"):
        dataset.contract({"id": "int64", "x": kind}, name)
        profile = dataset.measure()
        found.append((profile.splits["train"].columns["x"], dataset.hashes()))
        assert found[-1] == found[0], name
        if name != "all.parquet":  # which has no days of milliseconds, nor times of seconds
            assert profile.features["x"].type == kind


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("list<string>", ["2024-05-06"]),
        ("list<date32[day]>", [dt.date(2024, 5, 6), None]),
        ("list<float32>", [1, 0.5]),
        ("struct<a: int32, b: list<string>>", {"a": 1, "b": ["2024-05-06"]}),
        ("struct<a: decimal128(5, 1), b: timestamp[s, tz=UTC]>", {"a": Decimal("0.5"), "b": NOON}),
    ],
)
def test_what_is_nested_in_json_has_the_promised_type_too(dataset, kind, value):
    """Arrow alone makes times of all texts that look like some, and 64 bits of all numbers."""
    table = pa.table({"x": pa.array([value, None], arrow_type(kind))})
    pq.write_table(table, dataset.write("all.parquet", ""))
    told = {Decimal: float, dt.date: str, dt.datetime: str}
    dataset.write(
        "all.jsonl",
        "".join(
            json.dumps({"x": x}, default=lambda v: told[type(v)](v)) + "\n" for x in (value, None)
        ),
    )
    dataset.contract({"x": kind}, "all.parquet")
    hashes = dataset.hashes()
    dataset.contract({"x": kind}, "all.jsonl")
    assert dataset.measure().features["x"].type == kind
    assert dataset.hashes() == hashes


def test_fields_beyond_the_promised_ones_are_not_lost(dataset):
    dataset.write("all.jsonl", lines({"x": {"a": "2024-05-06", "b": 1}}))
    dataset.contract({"x": "struct<a: date32[day]>"}, "all.jsonl")

    assert dataset.measure().features["x"].type == "struct<a: string, b: int64>"


def test_embeddings_as_other_tools_write_them_have_the_promised_shape(dataset):
    """Parquet itself has no lists of one length: without Arrow's own schema all are of any."""
    vectors = pa.array([[3, 4], None, [0.5, 0]], pa.list_(pa.float32(), 2))
    pq.write_table(pa.table({"e": vectors}), dataset.write("arrow.parquet", ""))
    pq.write_table(pa.table({"e": vectors}), dataset.write("other.parquet", ""), store_schema=False)
    found = []
    for name in ("arrow.parquet", "other.parquet"):
        dataset.contract({"e": {"type": "float32", "shape": [2], "nullable": True}}, name)
        profile = dataset.measure()
        found.append((profile.features, profile.splits["train"].columns, dataset.hashes()))
    assert found[0] == found[1]
    assert found[0][0]["e"].shape == (2,)
    assert found[0][1]["e"]["max_norm"] == 5


@pytest.mark.parametrize(
    "name",
    ["int64", "list<string>", "list<list<uint8>>", "map<string, int64>", "binary", "float16",
     "struct<a b: int64, c: list<struct<x: timestamp[us, tz=UTC], y: decimal128(5, 2)>>>",
     "fixed_size_binary[3]", "date32[day]", "time64[ns]", "fixed_size_list<float32>[3]"],
)  # fmt: skip
def test_every_type_is_found_by_the_name_that_a_profile_gives_it(name):
    assert spelled(str(arrow_type(name))) == name


@pytest.mark.parametrize(
    "name", ["image", "document", "list<", "list<foo>", "struct<a>", "map<string>", "foo<int8>",
             "decimal128(100, 2)", ""],
)  # fmt: skip
def test_other_names_are_those_of_no_type(name):
    assert arrow_type(name) is None


def test_an_array_is_never_in_memory_as_a_whole(monkeypatch, tmp_path):
    """Each read is followed by blocks, and what was read is let go."""
    path = tmp_path / "all.json"
    path.write_text(json.dumps([{"x": "y" * 1000} for _ in range(20_000)]))
    monkeypatch.setattr(rows, "BATCH_BYTES", 1 << 20)
    with path.open("rb") as file:
        sizes = [len(b.lines) for b in json_blocks.objects(file, Piece(path))]
        assert len(sizes) > 15
        assert max(sizes) < 2 << 20


# Images


def test_images_as_hugging_face_writes_them(dataset):
    """Bytes and the path that they had; where there are no bytes, the path names a file."""
    red, blue = image(colour=(255, 0, 0)), image(colour=(0, 0, 255))
    dataset.write("deep/blue.png", blue)
    rows = [{"bytes": red, "path": "red.png"}, {"bytes": None, "path": "deep/blue.png"}, None]
    pq.write_table(pa.table({"image": rows}), dataset.write("all.parquet", ""))
    dataset.contract({"image": {"type": "image", "nullable": True}}, "all.parquet", key="image")
    assert "row 3 has no key" in dataset.refused()

    dataset.contract({"image": {"type": "image", "nullable": True}}, "all.parquet")
    profile = dataset.measure()

    assert set(dataset.hashes()) == {fingerprint({"image": i}).hex() for i in (red, blue, None)}
    assert profile.splits["train"].columns["image"]["nulls"] == 1
    assert profile.metrics["train"]["pixel_mean"] == pytest.approx(1 / 3)
    pq.write_table(pa.table({"image": rows[:2]}), dataset.write("all.parquet", ""))
    dataset.contract({"image": "image"}, "all.parquet", key="image")
    assert [row["key"] for row in dataset.samples()] == ["deep/blue.png", "red.png"]


@pytest.mark.parametrize(
    "value", [["a.png"], {"bytes": b"", "path": "a.png", "more": 1}, {"bytes": "text"}, {"x": b""}]
)
def test_what_neither_holds_nor_names_an_image(dataset, value):
    pq.write_table(pa.table({"image": [value]}), dataset.write("all.parquet", ""))
    dataset.contract({"image": "image"}, "all.parquet")

    assert ", and names no files" in dataset.refused()


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet"])
def test_annotations_in_every_format_name_images(dataset, kind):
    for name in ("a", "b"):
        dataset.write(f"deep/{name}.png", image(colour=(len(name), 7, ord(name))))
    annotations = [{"path": f"deep/{name}.png", "label": name} for name in ("a", "b")]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(annotations), dataset.write("all.parquet", ""))
    elif kind == "csv":
        text = "".join(f"{row['path']},{row['label']}\n" for row in annotations)
        dataset.write("all.csv", "path,label\n" + text)
    else:
        text = json.dumps(annotations) if kind == "json" else lines(*annotations)
        dataset.write(f"all.{kind}", text)
    dataset.contract({"path": "image", "label": "string"}, f"all.{kind}")

    expected = {
        fingerprint({"path": image(colour=(1, 7, ord(name))), "label": name}).hex()
        for name in ("a", "b")
    }
    assert set(dataset.hashes()) == expected
    assert dataset.measure().features["path"].type == "image"


def test_where_a_row_is_is_asked_only_when_something_is_wrong_with_it(dataset, monkeypatch):
    asked, place = [], Piece.place
    monkeypatch.setattr(Piece, "place", lambda *where: (asked.append(where), place(*where))[1])
    speeches(dataset)
    dataset.measure()
    assert asked == []
    (dataset.data / "metadata.json").unlink()
    (dataset.processed / "images/3.png").unlink()
    assert "annotations.json` row 4: column `image` names `images/3.png`" in dataset.refused()


def test_an_image_that_is_renamed_is_the_same_sample_unless_its_path_is_the_key(dataset):
    dataset.write("a.png", image())
    dataset.write("all.jsonl", lines({"image": "a.png", "text": "a cat"}))
    dataset.contract({"image": "image", "text": "string"}, "all.jsonl")
    before = dataset.samples()
    dataset.contract({"image": "image", "text": "string"}, "all.jsonl", key="image")
    [keyed] = dataset.samples()

    (dataset.processed / "a.png").rename(dataset.processed / "b.png")
    dataset.write("all.jsonl", lines({"image": "b.png", "text": "a cat"}))
    [renamed] = dataset.samples()
    dataset.contract({"image": "image", "text": "string"}, "all.jsonl")

    assert dataset.samples() == before
    assert (keyed["key"], renamed["key"]) == ("a.png", "b.png")
    assert keyed["hash"] == renamed["hash"] == before[0]["hash"]


def test_an_image_may_be_absent_or_in_the_table_itself(dataset):
    table = pa.table({"image": [image(), None], "x": [1, 2]})
    pq.write_table(table, dataset.write("all.parquet", ""))
    dataset.contract({"image": "image", "x": "int64"}, "all.parquet")
    inside = dataset.hashes()

    dataset.write("a.png", image())
    dataset.write("all.jsonl", lines({"image": "a.png", "x": 1}, {"image": None, "x": 2}))
    dataset.contract({"image": "image", "x": "int64"}, "all.jsonl")

    assert dataset.hashes() == inside
    assert dataset.measure().splits["train"].columns["image"]["nulls"] == 1


def test_a_folder_of_images_has_labels_by_its_folders(dataset, monkeypatch):
    for label, shade in (("cat", 1), ("cat", 2), ("dog", 3)):
        dataset.write(f"train/{label}/{shade}.png", image(colour=(shade, 0, 0)))
    columns = {
        "file": "string",
        "image": "image",
        "label": {"type": "string", "classes": ["cat", "dog", "bird"]},
    }
    dataset.contract(columns, "train/**/*.png", label="label", key="file")

    found = dataset.measure()

    assert found.splits["train"].class_distribution == {"cat": 2, "dog": 1, "bird": 0}
    assert list(found.features) == ["file", "image", "label"]
    samples = dataset.samples()
    assert [sample["key"] for sample in samples] == ["cat/1.png", "cat/2.png", "dog/3.png"]
    expected = {"image": image(colour=(3, 0, 0)), "label": "dog"}
    assert samples[2]["hash"] == fingerprint(expected)
    monkeypatch.setattr(rows, "BATCH_BYTES", 1)
    assert dataset.measure() == found
    for number in (1, 2):
        (dataset.processed / f"train/cat/{number}.png").unlink()
    assert [sample["key"] for sample in dataset.samples()] == ["dog/3.png"]


# Documents


def test_a_folder_of_documents(dataset):
    dataset.write("a/one.md", "# Eins\r\nzwei")
    dataset.write("a/b/two.md", b"\xef\xbb\xbfdrei")
    dataset.write("a/empty.md", "")
    dataset.contract({"file": "string", "text": "document"}, "**/*.md", key="file")

    found = dataset.measure()
    samples = {sample["key"]: sample["hash"] for sample in dataset.samples()}

    assert samples == {
        "one.md": fingerprint({"text": "# Eins\r\nzwei"}),
        "b/two.md": fingerprint({"text": "drei"}),
        "empty.md": fingerprint({"text": ""}),
    }
    assert found.features["text"].type == "document"
    assert found.splits["train"].columns["text"]["max_length"] == 12


def test_a_table_may_name_documents(dataset):
    dataset.write("texts/one.html", "<p>Eins")
    dataset.write("all.csv", "page,year\ntexts/one.html,2024\n")
    dataset.contract({"page": "document", "year": "int64"}, "all.csv")

    assert dataset.hashes() == [fingerprint({"page": "<p>Eins", "year": 2024}).hex()]


def test_columns_of_files_travel_between_processes():
    for kind in (ImageType(), DocumentType(), PathType()):
        assert pickle.loads(pickle.dumps(pa.schema([("x", kind)]))).field("x").type == kind


RED = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415478da"
    "63f8cfc0000003010100f70341430000000049454e44ae426082"
)


def test_golden_values(dataset):
    """Those of docs/sample-index.md: they are in released indexes and never change."""
    dataset.write("titel.md", "# Titel\n\nGrüße")
    dataset.contract({"text": "document"}, "titel.md")
    assert dataset.hashes() == ["f6c83497790503aa4a17c2b71614d7ee"]

    dataset.write("cat/1.png", RED)
    dataset.contract({"image": "image", "label": "string"}, "cat/*.png", label="label")
    assert dataset.hashes() == ["74f45aca7d93e160371009e1778dfcf6"]

    talk = [{"from": "human", "value": "<image>\nWho?"}, {"from": "gpt", "value": "A cat"}]
    annotation = {"id": "1", "image": "cat/1.png", "conversations": talk}
    dataset.write("all.json", json.dumps([annotation]))
    dataset.contract(COLUMNS, "all.json")
    assert dataset.hashes() == ["36aa566239d08d9bf9c389a6cc5dcad7"]


def test_a_contract_about_files_is_kept(dataset):
    """The example of docs/formats.md."""
    speeches(dataset)
    nested = "list<item: struct<from: string, value: string>>"
    columns = {"id": "string", "image": {"type": "image"}, "conversations": nested}
    dataset.contract(columns, "annotations.json")
    contract = Contract.parse(
        yaml.safe_load((dataset.root / "pipelines/pets/dataset.yaml").read_text())
    )

    assert violations(contract, dataset.measure()) == ()


def test_arrow_reads_a_file_on_a_disk_without_python_in_between(tmp_path):
    """Its threads may read on when Python ends, and would abort the process if they came back to it."""
    (tmp_path / "a").write_bytes(b"bytes")
    with (tmp_path / "a").open("rb") as file:
        assert isinstance(arrow_file(file), pa.OSFile)
        assert arrow_file(file).read() == b"bytes"
    assert arrow_file(io.BytesIO(b"bytes")).read() == b"bytes"
