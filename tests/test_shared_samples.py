"""What is in more than one split: leakage by the sample index, near-duplicates by the data."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dreg.adapters.promises.shared import normal_form
from tests.small_registry import NAME
from tests.test_check import Shop, shop  # noqa: F401 - a fixture

NONE = {"max_leakage": 0}


def leaky(shop: Shop, train, val, gates, **more) -> list[str]:  # noqa: F811
    columns = {name: {"type": str(array.type)} for name, array in train.items()}
    shop.contract(columns, gates=gates, **more)
    shop.file("train.parquet", pa.table(train), group=2)
    shop.file("val.parquet", pa.table(val), group=2)
    shop.measure()
    return shop.problems()


def ids(*numbers: int) -> pa.Array:
    return pa.array(numbers, pa.int64())


def test_without_a_key_equal_contents_leak(shop):  # noqa: F811
    train = {"id": ids(1, 2, 3, 3), "x": ids(1, 2, 3, 3)}
    val = {"id": ids(9, 3, 1, 1), "x": ids(9, 3, 2, 2)}
    assert leaky(shop, train, val, NONE) == [
        "max_leakage: samples are in more than one split: 1, at most 0 may be",
        "  processed/train.parquet row 3, as processed/val.parquet row 2",
    ]
    assert leaky(shop, train, val, {"max_leakage": 1}) == []


def test_with_a_key_equal_keys_leak_whatever_else_differs(shop):  # noqa: F811
    train = {"id": ids(1, 2, 3), "x": ids(1, 2, 3)}
    val = {"id": ids(9, 8, 7, 6, 3), "x": ids(1, 2, 3, 4, 5)}
    assert leaky(shop, train, val, NONE, key="id") == [
        "max_leakage: samples are in more than one split: 1, at most 0 may be",
        "  processed/train.parquet row 3 (key 3), as processed/val.parquet row 5 (key 3)",
    ]
    (shop.data / "processed" / "val.parquet").unlink()
    assert shop.problems()[1:] == ["  split `train` (key 3), as split `val` (key 3)"]


def test_samples_of_one_split_alone_do_not_leak(shop):  # noqa: F811
    train = {"x": ids(1, 1, 1, 2)}
    assert leaky(shop, train, {"x": ids(5, 5)}, NONE) == []


def test_more_leaks_than_memory_holds_are_counted(shop, monkeypatch):  # noqa: F811
    monkeypatch.setattr("dreg.adapters.promises.repeats.MOST_BYTES", 1 << 16)
    train = {"x": pa.array(range(60_000), pa.int64())}
    val = {"x": pa.array(range(50_000, 70_000), pa.int64())}
    said = leaky(shop, train, val, NONE)
    assert said[0] == "max_leakage: samples are in more than one split: 10,000, at most 0 may be"
    assert (len(said), said[-1]) == (7, "  and 9,995 more")


TEXTS = pa.array(["Hello,  World!", "naïve", None, "!!!", "STRASSE", "x"])
ALIKE = pa.array(["hello world", "other", None, "???", "Straße", "y"])


def test_texts_are_compared_but_for_case_and_punctuation(shop):  # noqa: F811
    columns = {"text": {"type": "string", "nullable": True}, "x": "int64"}
    shop.contract(columns, gates={"max_near_duplicates": {"text": 0, "x": 1}})
    shop.file("train.parquet", {"text": TEXTS, "x": ids(1, 2, 3, 4, 5, 6)}, group=2)
    shop.file("val.parquet", {"text": ALIKE, "x": ids(10, 20, 30, 40, 50, 6)})
    shop.measure()
    assert shop.problems() == [
        "max_near_duplicates: column `text` has 2 values in more than one split but for case and "
        "punctuation, at most 0 may be",
        '  processed/train.parquet row 1: "Hello,  World!", as processed/val.parquet row 1',
        '  processed/train.parquet row 5: "STRASSE", as processed/val.parquet row 5',
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ﬁne", "Fine"),
        ("ΟΔΟΣ", "οδός"[:2] + "ός"[:0] + "ος"),
        ("a\tb\n c", "A. b — c?"),
        ("１２", "12"),
        ("Straße", "STRASSE"),
    ],
)
def test_the_normal_form(one, other):
    first, second = normal_form(pa.array([one, other])).to_pylist()
    assert first == second
    assert normal_form(pa.array([first]))[0].as_py() == first


@pytest.mark.parametrize(("one", "other"), [("C++", "C"), ("a b", "ab"), ("好", "坏"), ("é", "e")])
def test_what_the_normal_form_keeps_apart(one, other):
    first, second = normal_form(pa.array([one, other])).to_pylist()
    assert first != second


@pytest.mark.slow
def test_a_leak_refuses_the_release_and_an_exception_is_recorded(ready):
    ready.edit(f"pipelines/{NAME}/dataset.yaml", r"^columns:", "key: [leaves]\ncolumns:")
    duplicates = ready.dreg("run", NAME)
    assert duplicates.code != 0  # no key: two samples have as many leaves
    ready.edit(f"pipelines/{NAME}/dataset.yaml", r"^key: .*\n", "")
    contract = ready.path / f"pipelines/{NAME}/dataset.yaml"
    text = contract.read_text().partition("\ngates:")[0]
    contract.write_text(
        text.replace("leaves: { type: int64,", "leaves: { type: int64, unique: true,")
        + "\ngates:\n  max_near_duplicates: { leaves: 0 }\n"
    )
    said = ready.ok("run", NAME).stdout
    assert f"warning: {NAME} breaks its contract: column `leaves` has" in said
    assert f"samples that break it are named by: dreg check {NAME}" in said
    refused = ready.dreg("release", NAME)
    assert refused.code == 1
    assert "values that came before, promised unique" in refused.stderr
    assert "processed/train.parquet row" in refused.stderr
    contract.write_text(contract.read_text().replace(" unique: true,", ""))
    ready.ok("run", NAME)
    refused = ready.dreg("release", NAME)
    assert refused.code == 1
    assert "max_near_duplicates: column `leaves` has" in refused.stderr
    assert ", as processed/val.parquet row" in refused.stderr
    allow = ("--allow", "max_near_duplicates", "--reason", "counts repeat")
    ready.ok("release", NAME, *allow)
    message = ready.git("tag", "--list", "--format=%(contents)", f"{NAME}-v1.0.0")
    changelog = (ready.path / f"data/{NAME}/CHANGELOG.md").read_text()
    for told in (message, changelog):
        assert "max_near_duplicates: column `leaves` has" in told
        assert "counts repeat" in told
    assert "Dreg-Allowed: max_near_duplicates" in message


def test_data_that_was_edited_since_is_told(ready):
    path = ready.path / f"data/{NAME}/processed/val.parquet"
    path.chmod(0o644)
    text = path.read_bytes()
    path.unlink()
    path.write_bytes(text + b" ")
    done = ready.dreg("check", NAME)
    assert done.code == 1
    assert (
        f"the data in the tree is not what was measured: data/{NAME}/processed edited"
        in done.stderr
    )


def test_documents_in_folders_are_named_by_their_files(shop):  # noqa: F811
    shop.contract(
        {"file": "path", "text": "document"},
        splits={"train": {"files": ["train/*.md"]}, "val": {"files": ["val/*.md"]}},
        gates={"max_near_duplicates": {"text": 0}},
    )
    for name, text in {
        "train/a": "One.",
        "train/b": "Two!",
        "val/c": "three",
        "val/d": "two",
    }.items():
        path = shop.data / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shop.measure()
    assert [line for line in shop.problems() if line.startswith("  ")] == [
        '  train/b.md: "Two!", as val/d.md',
    ]


def test_files_of_one_content_leak_under_whatever_names(shop):  # noqa: F811
    shop.contract(
        {"file": "string", "text": "document"},
        splits={"train": {"files": ["train/*.md"]}, "val": {"files": ["val/*.md"]}},
        gates=NONE,
        key="file",
    )
    for name, text in {
        "train/a": "One.",
        "train/b": "Two.",
        "val/c": "Three.",
        "val/d": "Two.",
    }.items():
        path = shop.data / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shop.measure()
    assert shop.problems() == [
        "max_leakage: samples are in more than one split: 1, at most 0 may be",
        "  train/b.md (key b.md), as val/d.md (key d.md)",
    ]
