"""Counts and names in sentences, and sentences in Markdown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreg.core import wording
from dreg.core.shares import exceeds, over
from dreg.core.wording import as_markdown, numbered, printable, tick

DREG = Path(wording.__file__).parents[1]


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [
        (0, "sample", "0 samples"), (1, "sample", "1 sample"), (1200, "null", "1,200 nulls"),
        (1, "class", "1 class"), (2, "class", "2 classes"),
        (1, "entry", "1 entry"), (0, "entry", "0 entries"), (2, "day", "2 days"), (1, "file", "1 file"),
    ],
)  # fmt: skip
def test_a_count_is_right_in_number(number, noun, told):
    assert numbered(number, noun) == told


@pytest.mark.parametrize(
    ("name", "told"),
    [("pH", "`pH`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("a|b", "`a|b`")],
)
def test_a_name_is_code_whatever_is_in_it(name, told):
    assert tick(name) == told


def test_what_is_not_a_name_stands_for_itself_in_markdown():
    told = f"licence <b>X</b> [y](z) *w* of {tick('<i>')} and {tick('a`<u>')}, CC_BY _v_ `"
    assert as_markdown(told) == (
        r"licence \<b>X\</b> \[y](z) \*w\* of `<i>` and `` a`<u> ``, CC_BY \_v\_ \`"
    )


@given(st.text("ab`<*_ ", min_size=1, max_size=8))
def test_a_name_survives_markdown_and_brings_no_markup(name):
    told = as_markdown(f"column {tick(name)} is gone")
    assert told == f"column {tick(name)} is gone"
    fence = re.match(r"column (`+)", told)[1]
    assert name.count(fence) == 0


def test_nothing_is_left_that_a_terminal_obeys():
    assert printable("a\x1b[31m\u202eb\n") == r"a\x1b[31m\u202eb\n"


@pytest.mark.parametrize("percent", range(1, 100))
def test_a_share_that_is_just_met_is_not_exceeded(percent):
    share = float(f"0.{percent:02}")
    assert not exceeds(percent, 100, share)
    assert exceeds(percent + 1, 100, share)
    assert not over((percent + 5) / 100 - percent / 100, 0.05)


def test_of_nothing_anything_is_more():
    assert exceeds(1, 0, 0.5)
    assert not exceeds(0, 0, 0.5)


COUNTED = {
    "bytes", "files", "images", "rows", "vectors", "classes", "tags", "samples", "objects", "columns",
    "datasets", "passages", "READMEs",
}  # fmt: skip
MANY = ("of", "more than", "at least")  # what is told only of several, or of a bound


def plurals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """A value that is followed by a plural in a text: the line, and the value."""
    for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
        for before, value, after in zip(
            [None, *text.values], text.values, text.values[1:], strict=False
        ):
            if not (isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant)):
                continue
            said = str(before.value) if isinstance(before, ast.Constant) else ""
            noun = re.match(r" (\w+)", str(after.value))
            asked = ast.unparse(value.value)
            if (
                noun
                and noun[1] in COUNTED
                and not said.rstrip().endswith(MANY)
                and not asked.isupper()
            ):
                yield value.lineno, f"{asked} {noun[1]}"


def test_whatever_is_counted_is_right_in_number():
    modules = [path for path in DREG.rglob("*.py") if "templates" not in path.parts]
    odd = {str(path): [*plurals(ast.parse(path.read_text()))] for path in modules}
    assert {path: found for path, found in odd.items() if found} == {}
