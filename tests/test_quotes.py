"""Quotes in CSV: whatever is wrong with them is seen, however the file was read."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from dreg.adapters.formats import quotes

TEXT = st.text(alphabet='ab",\n\r', max_size=20)


def odd(text: str, step: int) -> bool:
    return quotes.odd(io.BytesIO(text.encode()), ",", step)


@given(TEXT, st.integers(1, 5))
def test_what_a_strict_parser_refuses_is_odd(text, step):
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        assert odd(text, step)


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2)), st.booleans(), st.integers(1, 5))
def test_what_is_written_as_it_should_be_needs_no_closer_look(rows, every, step):
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL).writerows(rows)
    assert not odd(file.getvalue(), step)
