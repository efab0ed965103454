"""What tables of vectors are called, what is written on them, which stay, and what may be served."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from dreg.core.vectors import (
    Record,
    before,
    incompatible,
    of_version,
    superfluous,
    table_name,
    versions,
    view_name,
)
from dreg.errors import BadRequest

RECORD = Record("wine", "1.0.0", "8d4f", "acme/tiny@5c38", 8, 60, "vector", complete=True)
MANY = {
    f"wine_v{v.replace('.', '_')}": replace(RECORD, version=v, served=when)
    for v, when in (("1.0.0", 3.0), ("1.9.0", 1.0), ("1.10.0", 2.0), ("2.0.0", 0.0))
}


def named(name: str, version: str) -> str:
    return table_name(name, Version.parse(version))


def test_a_table_is_called_as_its_release():
    assert named("wine-quality", "1.20.3") == "wine_quality_v1_20_3"


def test_what_would_be_called_the_same_is_told_apart():
    names = [
        named("wine", version) for version in ("1.0.0", "1.0.0-rc.1", "1.0.0-rc-1", "1.0.0+rc.1", "1.0.0-RC.1")
    ]  # fmt: skip
    long = [named("w" * 80, "1.0.0"), named("w" * 81, "1.0.0"), named("w" * 80, "1.0.1")]
    assert len({*names, *long}) == 8


@given(
    st.from_regex(r"[a-z0-9]{1,50}(-[a-z0-9]{1,40}){0,3}", fullmatch=True), st.integers(0, 10**9)
)
def test_a_name_is_one_that_postgres_takes_as_it_is(name, number):
    found = named(name, f"{number}.0.{number}")
    assert len(found) <= 63
    assert found.replace("_", "").isalnum()
    assert found == found.lower()


@pytest.mark.parametrize(
    ("told", "schema", "name"),
    [
        ("passages", "", "passages"),
        ("rag.passages", "rag", "passages"),
        (None, "", "wine_quality"),
        ("", "", "wine_quality"),
        ('x"; drop table y; --', "", 'x"; drop table y; --'),
        ("Größe", "", "Größe"),
    ],
)
def test_the_view_is_called_as_the_environment_says(told, schema, name):
    assert view_name(told, "wine-quality") == (schema, name)


@pytest.mark.parametrize("told", ["x" * 64, "ü" * 32, " ", "a.", ".b", "a\0b", f"{'s' * 64}.x"])
def test_what_postgres_would_cut_or_refuse_names_no_view(told):
    with pytest.raises(BadRequest):
        view_name(told, "wine")


def test_what_is_written_on_a_table_is_read_again():
    record = replace(RECORD, declared={"name": 'it\'s "so"'}, served=1.5)
    assert Record.parse(record.to_text()) == record
    assert record.tag == "wine-v1.0.0"


@pytest.mark.parametrize(
    "comment", [None, "", "a table", "{}", "[1]", '{"made_by": "dreg"}', '{"made_by": "me", "version": "1.0.0"}',
                RECORD.to_text().replace("1.0.0", "one")]
)  # fmt: skip
def test_what_somebody_else_wrote_is_no_record(comment):
    assert Record.parse(comment) is None


def test_a_later_dreg_may_write_more():
    text = RECORD.to_text().replace('"rows"', '"colour": "red", "rows"')
    assert Record.parse(text) == RECORD


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dimension": 9}, "vectors of 9 dimensions instead of 8"),
        ({"model": "acme/tiny@9e1b"}, "vectors made by acme/tiny@9e1b instead of acme/tiny@5c38"),
        ({"model": "acme/large@5c38"}, "vectors made by acme/large@5c38 instead of acme/tiny@5c38"),
        ({"model": "acme/tiny"}, ""),
        ({"version": "2.0.0", "rows": 1}, ""),
    ],
)
def test_another_model_or_dimension_is_not_for_the_same_readers(change, why):
    assert incompatible(RECORD, replace(RECORD, **change)) == why


def test_tables_that_were_served_last_stay():
    def gone(keep: int) -> list[str]:
        return superfluous(MANY, "wine", "wine_v1_9_0", keep)

    assert gone(1) == ["wine_v2_0_0", "wine_v1_10_0", "wine_v1_0_0"]
    assert gone(2) == ["wine_v2_0_0", "wine_v1_10_0"]
    assert gone(4) == gone(9) == []
    assert superfluous(MANY, "beer", "beer_v1_0_0", 1) == []


def test_the_version_before_is_the_next_lower_one():
    assert before(MANY, MANY["wine_v2_0_0"]) == "wine_v1_10_0"
    assert before(MANY, MANY["wine_v1_9_0"]) == "wine_v1_0_0"
    assert before(MANY, MANY["wine_v1_0_0"]) is None
    half = {**MANY, "wine_v1_10_0": replace(MANY["wine_v1_10_0"], complete=False)}
    assert before(half, MANY["wine_v2_0_0"]) == "wine_v1_9_0"


def test_what_is_loaded_is_told_in_order():
    assert versions(MANY.values(), "wine") == ["1.0.0", "1.9.0", "1.10.0", "2.0.0"]
    found = of_version(MANY, "wine", Version(1, 9, 0))
    assert found == ("wine_v1_9_0", MANY["wine_v1_9_0"])
    assert of_version(MANY, "wine", Version(3)) is None
