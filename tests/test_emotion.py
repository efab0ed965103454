"""The dataset `emotion`: comments with one label, classes that keep their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dreg.inspection import breached
from tests.shipped import Shipped

LABELS = ["admiration", "anger", "fear", "joy", "love", "sadness", "surprise", "neutral"]
COMMENTS = {
    "train": [
        ('He said "run', "2", "eaaaaa0"),
        ("Oh, lovely!", "3", "eaaaaa1"),
        ("both at once", "2,3", "eaaaaa2"),
        ("nothing in it", "7", "eaaaaa3"),
        ("I miss [NAME]", "5", "eaaaaa4"),
        ("How dare they", "1", "eaaaaa5"),
        ("I love it", "4", "eaaaaa6"),
        ("Did not see that coming", "6", "eaaaaa7"),
    ],
    "dev": [("i LOVE it...", "4", "eaaaab0"), ("boo", "2", "eaaaab1")],
    "test": [("wow", "6", "eaaaac0")],
}


@pytest.fixture
def comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shipped:
    """The dataset with a dozen comments, and a contract that promises no numbers of them."""
    emotion = Shipped("emotion", tmp_path, monkeypatch)
    (emotion.raw / "emotions.txt").write_text("\n".join(LABELS))
    for name, rows in COMMENTS.items():
        (emotion.raw / f"{name}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    splits = {name: {"files": [f"processed/{name}.parquet"]} for name in ("train", "val", "test")}
    emotion.change("dataset.yaml", splits=splits, gates={})
    return emotion


def rows(emotion: Shipped, split: str) -> list[dict[str, Any]]:
    return pq.read_table(emotion.data / f"processed/{split}.parquet").to_pylist()


def test_only_comments_with_one_of_the_six_labels_are_kept(comments):
    comments.stage("process")
    assert [row["id"] for row in rows(comments, "train")] == [
        f"eaaaaa{i}" for i in (0, 1, 4, 5, 6, 7)
    ]


def test_a_label_is_its_place_in_the_contract_not_upstreams(comments):
    comments.stage("process")
    classes = comments.dataset.contract().columns["label"].classes
    assert classes == ("sadness", "joy", "love", "anger", "fear", "surprise")
    told = {row["text"]: classes[row["label"]] for row in rows(comments, "train")}
    assert told["Oh, lovely!"] == "joy"
    assert told["I miss [NAME]"] == "sadness"
    assert told["Did not see that coming"] == "surprise"


def test_a_quote_in_a_comment_is_a_character(comments):
    comments.stage("process")
    assert rows(comments, "train")[0]["text"] == 'He said "run'


def test_lengths_are_told_in_characters_and_words(comments):
    comments.stage("process", "analyze")
    profile = comments.metadata
    assert profile["metrics"]["train"] == {
        "words_mean": 3.16666666667,
        "words_p95": 5,
        "words_max": 5,
    }
    assert profile["splits"]["train"]["columns"]["text"]["max_length"] == 23


def test_near_duplicates_in_two_splits_are_told(comments):
    comments.change("dataset.yaml", gates={"max_near_duplicates": {"text": 0}})
    comments.stage("process", "analyze")
    dataset = comments.dataset
    [told] = breached(dataset, dataset.contract(), dataset.profile(), None)
    assert str(told).startswith("max_near_duplicates: column `text` has 1 value in more than one")


def test_a_comment_whose_label_upstream_does_not_know_is_no_comment_of_ours(comments):
    with (comments.raw / "dev.tsv").open("a") as file:
        file.write("odd\t27\teaaaab9\n")
    comments.stage("process")
    assert len(rows(comments, "val")) == 2


def test_a_cut_off_tsv_stops_the_stage(comments):
    (comments.raw / "test.tsv").write_text("wow\t6\teaaaac0\nand the")
    with pytest.raises(Exception, match="Expected 3 columns, got 1"):
        comments.stage("process")
    assert not (comments.data / "processed/test.parquet").exists()


def test_the_real_comments_give_the_committed_bytes(tmp_path, monkeypatch):
    emotion = Shipped("emotion", tmp_path, monkeypatch)
    emotion.from_mirror()
    counts = {name: split["num_samples"] for name, split in emotion.metadata["splits"].items()}
    assert counts == {"train": 5272, "val": 625, "test": 638}
    emotion.holds_what_is_committed()
