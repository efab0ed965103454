"""What scripts of texts import: labels as indices, splits that near-duplicates don't cross."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreg.adapters.promises.shared import normal_form
from dreg.errors import BadRequest, Outside
from dreg.stages.text import by_text, class_indices, words_in

TEXTS = st.lists(st.text("aBß .!?\t", max_size=4), max_size=30)


def column(texts: list[str]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.string())})


def test_a_label_becomes_its_place_in_the_contract():
    found = class_indices(pa.chunked_array([["b", "a"], ["b"]]), ["a", "b"])
    assert found.to_pylist() == [1, 0, 1]
    assert found.type == pa.int64()


@pytest.mark.parametrize("odd", ["c", None])
def test_a_label_that_is_no_class_is_named_with_its_row(odd):
    with pytest.raises(Outside, match=f"row 2 has the label `{odd}`, which is no class") as caught:
        class_indices(pa.chunked_array([["a", odd]]), ["a", "b"])
    assert caught.value.hint == "classes in dataset.yaml: a, b"


@settings(deadline=None)
@given(TEXTS)
def test_what_differs_in_case_and_punctuation_alone_is_in_one_split(texts):
    spoken = [*texts, *(f" {text.upper()}!" for text in texts)]
    first, second = by_text(column(spoken), "text", 0.5)
    one, other = (set(normal_form(half["text"]).to_pylist()) for half in (first, second))
    assert not one & other
    assert len(first) + len(second) == len(spoken)


def test_other_columns_do_not_decide():
    table = pa.table({"text": ["same"] * 50, "label": list(range(50))})
    assert sorted(map(len, by_text(table, "text", 0.5))) == [0, 50]


def test_the_split_of_a_text_is_the_same_for_ever():
    _, held_out = by_text(column([f"message {i}" for i in range(12)]), "text", 0.4)
    assert held_out["text"].to_pylist() == ["message 4", "message 6", "message 7"]


def test_a_share_that_leaves_a_split_empty_is_refused():
    with pytest.raises(BadRequest, match="leaves a split without rows"):
        by_text(column(["a"]), "text", 0)


def test_words_are_what_has_no_space_in_it():
    texts = pa.array(["one two", None, "  padded\tand \u00a0 split ", "", "don't"])
    assert words_in(texts).tolist() == [2, 3, 0, 1]
