"""`dreg new --from` and `--source`: the contract has what the data is, and the dataset runs as it is."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import json
import os
import runpy
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dreg.adapters.inferring.tables import seen, table_of
from dreg.core.sources import Http, Local, PipelineFile
from dreg.errors import BadRequest, Outside
from dreg.registry import Registry
from dreg.scaffold import first_source
from dreg.scaffold.updating import update
from tests.garden import Garden
from tests.measured import image

TREES = "tree_id;height;planted;species;note\n" + "".join(
    f"{i};{i / 4};20{i % 9 + 10}-03-01;{('oak', 'ash: tall', 'no')[i % 3]};{'' if i % 7 else 'x'}\n"
    for i in range(60)
)


@pytest.fixture
def web(garden: Garden) -> Iterator[str]:
    """The URL of a server of the files that are given."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(garden.given))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def trees(garden: Garden, text: str = TREES, name: str = "trees.csv") -> Path:
    path = garden.given / name
    path.write_text(text)
    return path


def test_a_csv_becomes_a_dataset_that_runs(garden):
    garden.new("tabular", trees(garden))
    contract = garden.contract
    types = {name: column.type for name, column in contract.columns.items()}
    assert types == {
        "tree_id": "int64", "height": "float64", "planted": "date32[day]",
        "species": "string", "note": "string",
    }  # fmt: skip
    assert (contract.label, contract.key) == ("species", ("tree_id",))
    assert contract.columns["species"].classes == ("ash: tall", "no", "oak")
    assert garden.runs() == 60


def test_a_row_that_is_corrected_stays_in_its_split(garden):
    def split() -> dict[str, set[int]]:
        tables = {name: pq.read_table(garden.processed / f"{name}.parquet") for name in sides}
        return {name: set(table["tree_id"].to_pylist()) for name, table in tables.items()}

    sides = ("train", "val")
    garden.new("tabular", trees(garden))
    garden.runs()
    before = split()
    raw = garden.root / "data/trees/raw/trees.csv"
    raw.write_text(TREES.replace(";20", ";19"))  # every row has another date
    runpy.run_path("scripts/process.py")
    assert all(before.values())
    assert split() == before


def test_what_was_seen_is_a_comment_and_no_promise(garden):
    garden.new("tabular", trees(garden))
    text = (garden.pipeline / "dataset.yaml").read_text()
    assert "  height: { type: float64 } # seen: 0.0 to 14.75, 60 different\n" in text
    assert "range" not in text.split("columns:\n")[1]


def test_the_file_is_in_git_with_its_checksum(garden):
    content = trees(garden).read_bytes()
    garden.new("tabular", garden.given / "trees.csv")
    source = garden.source
    assert (source.size, source.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert source.mirrors == (PipelineFile("source/trees.csv"),)
    assert (garden.pipeline / "source/trees.csv").read_bytes() == content
    assert not (garden.pipeline / "sample").exists()


def test_a_file_too_large_for_git_is_had_from_the_cache_or_a_mirror(garden, monkeypatch):
    monkeypatch.setattr(first_source, "LARGEST_IN_GIT", 100)
    garden.new("tabular", trees(garden))
    assert garden.source.mirrors == (Local("trees.csv"),)
    assert not (garden.pipeline / "source").exists()
    assert garden.runs() == 60, "here"
    monkeypatch.setenv("DREG_CACHE", str(garden.given / "none"))
    monkeypatch.setenv("DREG_MIRROR", str(garden.given))
    assert garden.runs() == 60, "elsewhere"


def test_parquet_keeps_its_types_and_says_what_may_be_missing(garden):
    table = pa.table(
        {
            "id": pa.array([f"t{i}" for i in range(40)], pa.large_string()),
            "girth": pa.array([None, *range(39)], pa.int16()),
            "kind": pa.array(["a", "b"] * 20).dictionary_encode(),
            "rings": [[1, 2]] * 40,
        }
    )
    pq.write_table(table, garden.given / "trees.parquet")
    garden.new("tabular", garden.given / "trees.parquet")
    columns = garden.contract.columns
    assert [(name, one.type, one.nullable) for name, one in columns.items()] == [
        ("id", "string", False), ("girth", "int16", True), ("kind", "string", False),
    ]  # fmt: skip
    assert (garden.contract.key, columns["kind"].classes) == (("id",), ("a", "b"))
    assert garden.runs() == 40


def test_bytes_that_are_no_text_are_kept_and_are_base64_in_csv(garden):
    octets = [bytes([255, i]) for i in range(40)]
    pq.write_table(pa.table({"id": range(40), "x": octets}), garden.given / "trees.parquet")
    garden.new("tabular", garden.given / "trees.parquet")
    assert garden.runs() == 40
    columns = [
        pq.read_table(garden.processed / f"{name}.parquet")["x"] for name in ("train", "val")
    ]
    assert sorted(value for column in columns for value in column.to_pylist()) == octets
    rows = csv.DictReader((garden.processed / "val.csv").read_text().splitlines())
    assert [base64.b64decode(row["x"]) for row in rows] == columns[1].to_pylist()


@pytest.mark.parametrize("kind", [pa.int16(), pa.int32(), pa.uint32(), pa.uint64()])
def test_a_key_may_be_any_whole_number(garden, kind):
    pq.write_table(
        pa.table({"id": pa.array(range(40), kind), "x": [0.5] * 40}), garden.given / "trees.parquet"
    )
    garden.new("tabular", garden.given / "trees.parquet")
    assert garden.contract.key == ("id",)
    assert garden.runs() == 40


@pytest.mark.parametrize("gap", ["NaN", "n/a", "#N/A", "?"])
def test_a_word_for_nothing_is_no_class(garden, gap):
    rows = "".join(f"{i},{'ab'[i % 2]},{('oak', 'ash', gap)[i % 3]}\n" for i in range(40))
    garden.new("tabular", trees(garden, f"id,row,kind\n{rows}"))
    assert garden.contract.label == "row"


def test_a_folder_of_tables_is_one_dataset(garden):
    trees(garden)
    trees(garden, TREES.replace("\n1;", "\n100;"), "more.csv")
    garden.new("tabular", garden.given)
    assert garden.runs() == 120


def test_tables_of_other_columns_are_other_datasets(garden):
    trees(garden)
    trees(garden, "a;b\n1;2\n", "zz.csv")
    with pytest.raises(BadRequest, match=r"`zz\.csv` has other columns than `trees\.csv`"):
        garden.new("tabular", garden.given)


@pytest.mark.parametrize(
    "odd",
    ["yes", "a: b", "1", "- x", "ü", 'quo"te', "#", "{{ 7*7 }}", "\U0001f333", "a\x7fb"],
)
def test_a_column_may_have_any_name(garden, odd):
    quoted = odd.replace('"', '""')
    garden.new("tabular", trees(garden, f'"{quoted}",v\n' + "".join(f"{i},a\n" for i in range(30))))
    assert list(garden.contract.columns) == [odd, "v"]
    assert garden.runs() == 30


@pytest.mark.parametrize(
    ("text", "fact"),
    [("", "cannot be read as a table"), ("a,b\n", "has no rows"), ("a,a\n1,2\n", "one name twice"),
     ("a,b\n1\n", "cannot be read as a table"), ("a,\n1,2\n", "has no name")],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused(garden, text, fact):
    with pytest.raises(BadRequest) as caught:
        garden.new("tabular", trees(garden, text))
    assert fact in caught.value.fact
    assert Registry(garden.root).names == ()


def test_a_folder_of_classes_becomes_images(garden):
    for name in ("leaf", "bark"):
        (garden.given / "pics" / name).mkdir(parents=True)
        for i in range(12):
            content = image(size=(6, 5), colour=(i * 9, len(name), 7))
            (garden.given / "pics" / name / f"{i}.png").write_bytes(content)
    garden.new("image", garden.given / "pics")
    columns = garden.contract.columns
    assert columns["label"].classes == ("bark", "leaf")
    assert columns["image"].shape == (5, 6, 3)
    assert garden.runs() == 24


def test_texts_with_labels_become_a_dataset_of_texts(garden):
    rows = [f'"it is {i} o\'clock, ""sharp""",{("late", "early")[i % 2]}\n' for i in range(30)]
    garden.new("text", trees(garden, "text,label\n" + "".join(rows)))
    assert garden.contract.columns["label"].classes == ("early", "late")
    assert garden.runs() == 30


def test_texts_need_the_columns_text_and_label(garden):
    with pytest.raises(BadRequest, match="has no columns `text` and `label`"):
        garden.new("text", trees(garden))


def test_a_url_is_fetched_once_and_its_size_and_checksum_are_kept(garden, web):
    path = trees(garden)
    garden.new("tabular", source=f"{web}/trees.csv")
    content = path.read_bytes()
    source = garden.source
    assert source.mirrors == (Http(f"{web}/trees.csv"),)
    assert (source.size, source.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    path.unlink()
    assert garden.runs() == 60, "the bytes are in the download cache"


def test_a_url_that_has_nothing_is_told(garden, web):
    with pytest.raises(Outside, match="cannot be fetched: 404 File not found"):
        garden.new("tabular", source=f"{web}/nothing.csv")
    assert Registry(garden.root).names == ()


@pytest.mark.parametrize("url", ["ftp://a/b.csv", "/etc/passwd", "https://ada:secret@a/b.csv"])
def test_a_url_that_is_none_for_a_source_is_refused(garden, url):
    with pytest.raises(BadRequest, match="is no address for a source") as caught:
        garden.new("tabular", source=url)
    assert "secret" not in caught.value.fact


def test_embeddings_start_with_their_sample(garden):
    with pytest.raises(BadRequest, match="a dataset of kind embeddings starts with its sample"):
        garden.new("embeddings", trees(garden))


def album(garden: Garden, *, subjects: bool = True, **more: Any) -> Path:
    """A folder of images with captions."""
    folder = garden.given / "album"
    (folder / "images").mkdir(parents=True)
    told = []
    for i in range(24):
        (folder / "images" / f"{i}.png").write_bytes(image(size=(6, 5), colour=(i * 9, 3, 7)))
        told.append(
            {"image": f"{i}.png", "caption": f"Tree {i}.", "licence": "CC0-1.0", "age": i, **more}
        )
        if subjects:
            told[-1]["subject"] = f"garden {i // 3}"
    (folder / "captions.json").write_text(json.dumps(told))
    return folder


def test_images_with_captions_become_conversations(garden):
    garden.new("vlm", album(garden))
    columns = garden.contract.columns
    assert list(columns) == ["id", "image", "conversations", "licence", "subject"]
    assert garden.runs() == 24
    splits = [
        garden.root / f"data/trees/processed/{name}/annotations.json" for name in ("train", "test")
    ]
    train, test = ({one["subject"] for one in json.loads(path.read_text())} for path in splits)
    assert train and test and not train & test


def test_images_without_a_subject_are_each_one_of_their_own(garden):
    garden.new("vlm", album(garden, subjects=False))
    assert "subject" not in garden.contract.columns
    assert garden.runs() == 24


def test_an_update_of_the_template_knows_the_captions_again(garden):
    garden.new("vlm", album(garden))
    assert update(Registry(garden.root), "trees", dry_run=True).files == ()


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("captions.json", b"{}", "is no list of captions"),
        ("captions.json", b'[{"image": "0.png"}]', "has no `image` or no `caption`"),
        ("captions.json", b'[{"image": "x.png", "caption": ""}]', "there is no images/x.png"),
        ("captions.json", None, "no item named 'captions.json'"),
    ],
)
def test_a_folder_without_captions_is_told(garden, file, content, words):
    folder = album(garden)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(BadRequest, match=words):
        garden.new("vlm", folder)


def test_a_folder_of_markdown_becomes_documents(garden):
    (garden.given / "notes").mkdir()
    for name in ("how to prune", "soil"):
        (garden.given / "notes" / f"{name}.md").write_text(f"# {name}\n\nWith care.\n")
    (garden.given / "notes" / "todo.txt").write_text("not this one")
    garden.new("documents", garden.given / "notes")
    assert garden.runs() == 2
    index = (garden.root / "data/trees/processed/index.jsonl").read_text().splitlines()
    assert [json.loads(line)["repository"] for line in index] == [
        "local/how-to-prune",
        "local/soil",
    ]
    assert not (garden.pipeline / "sample").exists()
    assert update(Registry(garden.root), "trees", dry_run=True).files == ()


def test_of_many_files_none_is_compared_with_all_others(garden):
    (garden.given / "notes").mkdir()
    for number in range(120):
        (garden.given / "notes" / f"{number}.md").write_text("# note\n")
    calls = Counter()
    sys.setprofile(lambda frame, event, called: calls.update([getattr(called, "__name__", "")]))
    try:
        garden.new("documents", garden.given / "notes")
    finally:
        sys.setprofile(None)
    assert 120 <= calls["lower"] <= 10 * 120


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [("a.md", b"\xff", "is not UTF-8"), ("a.md", b" \n", "has no text"), ("a.txt", b"a", "is no document by its name")],
)  # fmt: skip
def test_what_is_no_text_is_no_document(garden, name, content, fact):
    (garden.given / name).write_bytes(content)
    with pytest.raises(BadRequest, match=rf"`{name}` {fact}"):
        garden.new("documents", garden.given / name)


def test_what_is_neither_a_file_nor_a_folder_is_refused(garden):
    os.mkfifo(garden.given / "trees.csv")
    with pytest.raises(BadRequest, match="is neither a file nor a folder"):
        garden.new("tabular", garden.given / "trees.csv")


def test_one_first_source_is_enough(garden):
    with pytest.raises(BadRequest, match="--source and --from exclude each other"):
        garden.new("tabular", trees(garden), "https://a/b.csv")


def test_an_update_of_the_template_knows_the_columns_again(garden):
    garden.new("tabular", trees(garden))
    assert update(Registry(garden.root), "trees").files == ()


def test_moments_and_decimals_run_as_they_were_seen(garden):
    rows = "".join(f"{i},2024-01-{i % 28 + 1:02}T06:00:00Z\n" for i in range(40))
    garden.new("tabular", trees(garden, f"id,at\n{rows}"))
    assert garden.contract.columns["at"].type == "timestamp[ms, tz=UTC]"
    assert garden.runs() == 40


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("ns", tz="Europe/Berlin"), pa.timestamp("us"), pa.decimal128(10, 2), pa.float16(), pa.uint64(),
        pa.time32("s"), pa.duration("ms"), pa.bool_(), pa.date64(),
    ],
    ids=str,
)  # fmt: skip
def test_a_column_of_parquet_may_have_any_plain_type(garden, kind):
    whole = {pa.decimal128(10, 2): pa.decimal128(38, 2), pa.date64(): pa.timestamp("s")}
    values = pa.array([86_400 * (i % 9) for i in range(40)])
    made = (
        pa.array([i % 2 == 0 for i in range(40)])
        if kind == pa.bool_()
        else pa.array([float(i) for i in range(40)]).cast(kind)
        if pa.types.is_floating(kind)
        else pa.array(range(40), kind)
        if pa.types.is_time(kind)
        else values.cast(whole.get(kind, kind)).cast(kind)
    )
    pq.write_table(pa.table({"id": range(40), "x": made}), garden.given / "trees.parquet")
    garden.new("tabular", garden.given / "trees.parquet")
    kept = pq.read_schema(garden.given / "trees.parquet").field("x").type  # Parquet has fewer
    assert garden.contract.columns["x"].type == str(kept).replace("halffloat", "float16")
    assert garden.runs() == 40


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("010{:02}", "string"), ("+4912{:02}", "string"), ("-00{:02}", "string"),
        (str((1 << 63) // 100 + 1) + "{:02}", "string"),
        ("10{:02}", "int64"), ("-1{:02}", "int64"), ("0.{:02}", "float64"), ("1e{:02}", "float64"), ("{}", "int64"),
    ],
)  # fmt: skip
def test_what_would_lose_something_as_a_number_is_a_text(garden, value, type_):
    rows = "".join(f"{value.format(i)},{i % 3}\n" for i in range(40))
    garden.new("tabular", trees(garden, f"x,y\n{rows}"))
    assert garden.contract.columns["x"].type == type_
    assert garden.runs() == 40
    if type_ == "string":
        processed = garden.root / "data/trees/processed"
        found = {
            row
            for path in processed.glob("*.parquet")
            for row in pq.read_table(path)["x"].to_pylist()
        }
        assert found == {value.format(i) for i in range(40)}


def test_what_is_a_text_in_one_of_the_files_is_one_in_all(garden):
    for name, zero in (("a", "0"), ("b", "")):
        trees(garden, "x,y\n" + "".join(f"{zero}{i + 10},1\n" for i in range(30)), f"{name}.csv")
    garden.new("tabular", garden.given)
    assert garden.contract.columns["x"].type == "string"
    assert garden.runs() == 60


def test_a_csv_that_is_not_utf8_is_refused(garden):
    (garden.given / "trees.csv").write_bytes("name,x\nmöhre,1\n".encode("latin1"))
    with pytest.raises(BadRequest, match=r"column `name` of `trees.csv` is not UTF-8") as caught:
        garden.new("tabular", garden.given / "trees.csv")
    assert caught.value.hint.startswith("convert it: iconv -f windows-1252 ")


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp1252", "trees.csv"), ("latin1", "a b.csv"), ("utf-16", "trees.csv")]
)
def test_the_command_that_is_hinted_at_converts_it(garden, encoding, name):
    euro = "€" if encoding != "latin1" else "é"
    rows = "".join(f"{i};möhre {euro};{i % 3}\n" for i in range(40))
    (garden.given / name).write_bytes(f"id;name;x\n{rows}".encode(encoding))
    with pytest.raises(BadRequest) as caught:
        garden.new("tabular", garden.given / name)
    command = caught.value.hint.removeprefix("convert it: ")
    subprocess.run(command, shell=True, cwd=garden.given, check=True)
    garden.new("tabular", garden.given / f"utf8-{name}")
    assert garden.contract.columns["name"].type == "string"
    assert garden.runs() == 40
    assert set(pq.read_table(garden.processed / "train.parquet")["name"].to_pylist()) == {
        f"möhre {euro}"
    }


@pytest.mark.parametrize(
    ("table", "fact"),
    [
        (pa.table({"a": pa.array([], pa.int64())}), "has no rows"),
        (pa.table([[1], [2]], names=["a", "a"]), "one name twice"),
        (pa.table([[1], [2]], names=["a", ""]), "has no name"),
    ],
)
def test_parquet_that_is_no_table_is_refused(garden, table, fact):
    pq.write_table(table, garden.given / "trees.parquet")
    with pytest.raises(BadRequest, match=fact):
        garden.new("tabular", garden.given / "trees.parquet")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a,a\n1,2\n", "give each column a name of its own"),
        ("a,b\n1,2\n1\n", "give every row as many fields as the first has"),
        ("a,b\n", "give it a header and at least one row"),
    ],
)
def test_a_hint_says_what_to_mend(garden, text, hint):
    with pytest.raises(BadRequest) as caught:
        garden.new("tabular", trees(garden, text))
    assert caught.value.hint == hint


def notes(garden: Garden, capsys: pytest.CaptureFixture[str], kind: str, given: Path) -> str:
    capsys.readouterr()
    garden.new(kind, given)
    return capsys.readouterr().err


def test_files_that_are_left_out_are_told(garden, capsys):
    (garden.given / "deep").mkdir()
    for path in ("a.md", "b.MD", "deep/c.md", ".hidden"):
        (garden.given / path).write_text(f"# {path}\n")
    said = notes(garden, capsys, "documents", garden.given)
    assert "1 file left out: deep/c.md (read are files in the folder itself, of .md" in said
    assert garden.runs() == 2


def test_images_that_are_left_out_are_told(garden, capsys):
    for path in ("cats/x.png", "dogs/y.png", "dogs/z.gif", "dogs/more/w.png"):
        (garden.given / path).parent.mkdir(parents=True, exist_ok=True)
        (garden.given / path).write_bytes(image())
    said = notes(garden, capsys, "image", garden.given)
    assert (
        "2 files left out: dogs/more/w.png, dogs/z.gif (read are files in CLASS/NAME of .png"
        in said
    )


@pytest.mark.parametrize("kind", ["tabular", "text"])
def test_values_may_have_line_breaks_however_long_the_file(garden, kind):
    rows = "".join(f'"{i}: {"a, b" * 20}\n\n{"c" * 50}",{i % 3}\n' for i in range(20_000))
    given = trees(garden, f"text,label\n{rows}")
    assert given.stat().st_size > 2 << 20  # more than Arrow reads at once
    garden.new(kind, given)
    assert garden.runs() == 20_000


def test_a_page_of_the_web_is_no_table(garden):
    page = "\n<!DOCTYPE html>\n<html>\n<body>please log in</body>\n</html>\n"
    with pytest.raises(
        BadRequest, match=r"`trees.csv` is a page of the web, whatever its name says"
    ):
        garden.new("tabular", trees(garden, page))


def test_what_is_compressed_is_told_so(garden):
    (garden.given / "trees.csv").write_bytes(gzip.compress(TREES.encode()))
    with pytest.raises(BadRequest, match=r"`trees.csv` is compressed, whatever its name says"):
        garden.new("tabular", garden.given / "trees.csv")


@pytest.mark.parametrize(
    ("kind", "name", "content", "fact"),
    [
        ("tabular", "trees.csv", b"<html>log in</html>", "`trees.csv` is a page of the web"),
        ("documents", "trees.md", b"<!doctype html>log in", "`trees.md` is a page of the web"),
        ("tabular", "trees.csv", b"", "`trees.csv` cannot be read as a table"),
        ("image", "trees.zip", b"no", "`trees.zip` is no archive"),
        ("vlm", "trees.zip", b"no", "`trees.zip` has no images with captions"),
        ("tabular", "trees", b"a,b\n", "`trees` is no table by its name"),
    ],
)
def test_what_came_from_afar_is_told_by_its_name(garden, web, kind, name, content, fact):
    (garden.given / name).write_bytes(content)
    with pytest.raises(BadRequest, match=fact):
        garden.new(kind, source=f"{web}/{name}")


@pytest.mark.parametrize(("query", "count"), [("token=0123456789abcdef", 1), ("page=2", 0)])
def test_a_key_in_an_address_is_pointed_out(garden, web, capsys, query, count):
    trees(garden)
    garden.new("tabular", source=f"{web}/trees.csv?{query}")
    assert (
        capsys.readouterr().err.count("what looks like a key, and is going to be in git") == count
    )


def test_a_table_in_utf16_is_told_so(garden):
    (garden.given / "trees.tsv").write_bytes("a\tb\n1\t2\n".encode("utf-16"))
    with pytest.raises(BadRequest, match=r"`trees.tsv` is in UTF-16") as caught:
        garden.new("tabular", garden.given / "trees.tsv")
    assert caught.value.hint == "convert it: iconv -f utf-16 -t utf-8 trees.tsv > utf8-trees.tsv"


def test_a_delimiter_in_quotes_separates_nothing(garden):
    garden.new(
        "tabular", trees(garden, '"name, or, so";v\n' + "".join(f"x{i};{i}\n" for i in range(40)))
    )
    assert list(garden.contract.columns) == ["name, or, so", "v"]


@pytest.mark.parametrize("every", [1, 30])
def test_a_quote_that_swallows_rows_is_refused(garden, every):
    quote = ['"', *[""] * (every - 1)]
    rows = "".join(f"{i},{quote[i % every]}he said {i}\n" for i in range(60))
    with pytest.raises(BadRequest, match=r"`trees.csv` has a quote in line 2 that is not closed"):
        garden.new("tabular", trees(garden, f"id,v\n{rows}"))


def test_a_quote_in_a_tsv_may_be_but_a_sign(garden):
    rows = "".join(f'{i}\t"he said {i}\n' for i in range(60))
    garden.new("tabular", trees(garden, f"id\tv\n{rows}", "trees.tsv"))
    assert garden.runs() == 60
    said = pa.concat_tables(map(pq.read_table, garden.processed.glob("*.parquet")))["v"]
    assert sorted(said.to_pylist()) == sorted(f'"he said {i}' for i in range(60))


@pytest.mark.parametrize(
    ("header", "written", "meant"),
    [
        ("text\tlabel", '"he said ""{}"""', 'he said "{}"'),
        ('"text"\t"label"', '"tree {}"', "tree {}"),
        ("text\tlabel", '"tree {}"', '"tree {}"'),
        ("text\tlabel", '"tree {} "" is', '"tree {} "" is'),
    ],
)
def test_quotes_of_texts_in_a_tsv_are_what_who_wrote_it_meant(garden, header, written, meant):
    rows = "".join(f"{written.format(i)}\t{'ab'[i % 2]}\n" for i in range(40))
    garden.new("text", trees(garden, f"{header}\n{rows}", "trees.tsv"))
    assert garden.runs() == 40
    texts = pa.concat_tables(map(pq.read_table, garden.processed.glob("*.parquet")))["text"]
    assert sorted(texts.to_pylist()) == sorted(meant.format(i) for i in range(40))


def test_quotes_in_a_tsv_are_quotes_where_all_are_closed(garden):
    rows = "".join(f'{i}\t"a\tb ""{i}"""\n' for i in range(60))
    garden.new("tabular", trees(garden, f"id\tv\n{rows}", "trees.tsv"))
    assert garden.runs() == 60
    said = pa.concat_tables(map(pq.read_table, garden.processed.glob("*.parquet")))["v"]
    assert sorted(said.to_pylist()) == sorted(f'a\tb "{i}"' for i in range(60))


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\u2029"])
def test_a_name_that_dvc_would_break_is_refused(garden, sign):
    with pytest.raises(BadRequest, match="has a line break of Unicode"):
        garden.new("tabular", trees(garden, f"a{sign}b,c\n1,2\n"))


def test_files_that_are_one_where_case_does_not_count_are_refused(garden):
    for name in ("Soil.md", "soil.md"):
        (garden.given / name).write_text(f"# {name}\n")
    with pytest.raises(BadRequest, match=r"two files would be called `soil.md`"):
        garden.new("documents", garden.given)


def test_a_name_that_no_yaml_has_is_refused(garden):
    with pytest.raises(BadRequest, match=r"a column whose name has 2,000 characters: `xxx"):
        garden.new("tabular", trees(garden, f"{'x' * 2000},b\n1,2\n"))


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_texts_are_texts_however_parquet_stores_them(garden, kind):
    texts = pa.array([f"tree {i}" for i in range(40)])
    stored = texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    pq.write_table(
        pa.table({"text": stored, "label": ["a", "b"] * 20}), garden.given / "trees.parquet"
    )
    garden.new("text", garden.given / "trees.parquet")
    assert garden.runs() == 40


@pytest.mark.parametrize(
    ("texts", "labels", "fact"),
    [
        (["a", None], ["x", "y"], "row 2 has no text"),
        ([["a"], ["b"]], ["x", "y"], "column `text` has no texts: it is list<"),
        ([1, 2], ["x", "y"], "column `text` has no texts: it is int64"),
        (["a", "b"], [["x"], ["y"]], "column `label` has no names of classes: it is list<"),
    ],
)
def test_what_no_run_could_read_as_texts_is_refused(garden, texts, labels, fact):
    pq.write_table(pa.table({"text": texts, "label": labels}), garden.given / "trees.parquet")
    with pytest.raises(BadRequest, match=fact):
        garden.new("text", garden.given / "trees.parquet")


def test_so_few_rows_that_a_split_may_be_empty_are_told(garden, capsys):
    said = notes(garden, capsys, "tabular", trees(garden, "a,b\n1,2\n3,4\n"))
    assert (
        "there are only 2 different rows: if a split stays empty, change `validation_share`" in said
    )


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (("0x1F", "1"), "string"), (("9007199254740993", "0.5"), "string"), (("9223372036854775809", ""), "string"),
        (("9007199254740992", "0.5"), "float64"), (("00.5", "1e3"), "float64"), (("+0.5", "-0.25"), "float64"),
        (("9223372036854775807", "NA"), "int64"), (("12:30", "12:31"), "time32[ms]"),
    ],
)  # fmt: skip
def test_a_column_is_of_numbers_only_where_these_hold_it(garden, values, type_):
    [column] = seen(table_of(trees(garden, "\n".join(("x", *values))), ".csv", ","))[0]
    assert column.type == type_


def test_what_parquet_stores_in_other_ways_runs(garden):
    numbers = pa.array(range(40))
    octets = pa.array([bytes([i]) * 16 for i in range(40)])
    table = {
        "view": numbers.cast(pa.string()).cast(pa.string_view()),
        "uuid": octets.cast(pa.binary(16)).cast(pa.uuid()),
        "octets": octets.cast(pa.binary_view()),
    }
    pq.write_table(pa.table(table), garden.given / "trees.parquet")
    garden.new("tabular", garden.given / "trees.parquet")
    types = [column.type for column in garden.contract.columns.values()]
    assert types == ["string", "fixed_size_binary[16]", "binary"]
    assert garden.runs() == 40


def test_a_name_of_which_nothing_would_be_left_is_told_as_it_is(garden):
    with pytest.raises(BadRequest, match=r"`цена.csv` has no letter or digit of ASCII before"):
        garden.new("tabular", trees(garden, name="цена.csv"))
