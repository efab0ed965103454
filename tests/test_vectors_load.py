"""Releases of passages in a real Postgres: loaded, served, replaced, gone back to."""

from __future__ import annotations

import json
import os

import numpy as np
import pyarrow as pa
import pytest

from tests.passages import NAME, VIEW, Shelf, metadata, parquet, passages, vectors

TABLE = "readme_vectors_v1_0_0"
IN_CI = {"DOCKER_IMAGE_TAG": "acme/dreg:1.4", "ARGO_WORKFLOW_UID": "5f0c"}


def test_every_row_is_there_and_says_where_it_is_from(shelf):
    table = shelf.release("1.0.0")
    told = shelf.load(**IN_CI)
    assert (told["loaded"], told["swapped"], told["rows"], told["table"]) == (True, True, 60, TABLE)
    query = f"select key, repo, path, commit, chunk, h1, h2, h3, text from {VIEW} order by key"
    rows = [tuple(row.values()) for row in table.drop_columns("vector").to_pylist()]
    assert shelf.postgres.rows(query) == sorted(rows)
    told = f"select distinct data_version, model, docker_image, workflow_uid from {VIEW}"
    assert shelf.postgres.rows(told) == [
        (f"{NAME}-v1.0.0", "acme/tiny@5c38ec7", "acme/dreg:1.4", "5f0c")
    ]


def test_vectors_are_those_of_the_release_to_the_last_bit(shelf):
    from pgvector.psycopg import register_vector

    table = shelf.release("1.0.0")
    shelf.load()
    register_vector(shelf.postgres.connection)
    found = shelf.postgres.rows(f"select vector from {VIEW} order by key")
    released = table["vector"].combine_chunks().flatten().to_numpy().reshape(60, 8)
    assert np.array_equal(np.array([v.to_numpy() for (v,) in found], np.float32), released)


def test_readers_of_the_view_get_the_index(shelf):
    shelf.release("1.0.0", rows=2000, dimension=32)
    shelf.load()
    ordered = f"select key from {VIEW} order by vector::halfvec(32) <=> (select vector::halfvec(32) from {VIEW} limit 1) limit 5"
    plan = "\n".join(line for (line,) in shelf.postgres.rows(f"explain {ordered}"))
    assert "Index Scan using readme_vectors_v1_0_0" in plan


def test_where_workers_have_no_shared_memory_one_process_builds_the_index(shelf, monkeypatch):
    from dreg.adapters.postgres import filling

    shelf.release("1.0.0", rows=600, dimension=32)
    shelf.load()
    memory = os.statvfs("/dev/shm")
    more = (memory.f_blocks * memory.f_frsize >> 20) + 1024  # megabytes than all there is
    monkeypatch.setattr(filling, "MEGABYTES", (more, more))
    with shelf.postgres.connect() as connection:
        connection.execute("set min_parallel_table_scan_size = 0")
        filling.index(connection, ("public", TABLE), "vector", 32, 600)
    query = "select count(*) from pg_indexes where tablename = %s and indexdef like '%%hnsw%%'"
    assert shelf.postgres.one(query, TABLE) == 2


def test_a_key_comes_once(shelf):
    shelf.release("1.0.0")
    shelf.load()
    assert shelf.postgres.one(f"select path from {VIEW} where key = 'acme/infra/docs/00002.md#3'")
    query = (
        "select contype::text from pg_constraint where conrelid = %s::regclass and contype = 'p'"
    )
    assert shelf.postgres.rows(query, TABLE) == [("p",)]


def test_the_same_release_again_is_left_alone(shelf):
    shelf.release("1.0.0")
    shelf.load()
    which = f"select xmin::text, oid::text from pg_class where relname in ('{TABLE}', '{VIEW}') order by oid"
    before = shelf.postgres.rows(which)
    again = shelf.load()
    assert (again["loaded"], again["swapped"], again["previous"]) == (False, False, None)
    assert shelf.postgres.rows(which) == before
    done = shelf.dreg("vectors", "load", NAME)
    assert done.stdout == f"public.{VIEW} serves {NAME} 1.0.0 already (60 vectors)\n"


def test_a_new_version_is_served_instead_and_the_one_before_stays(shelf):
    shelf.release("1.0.0", rows=60)
    shelf.load()
    shelf.release("1.1.0", rows=70)
    told = shelf.load()
    assert (told["previous"], told["version"], told["dropped"]) == ("1.0.0", "1.1.0", [])
    assert shelf.postgres.one(f"select count(*) from {VIEW}") == 70
    assert shelf.postgres.one(f"select count(*) from {TABLE}") == 60


def test_as_many_versions_stay_as_are_kept(shelf):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        shelf.release(version)
        told = shelf.load()
    assert told["dropped"] == [TABLE]
    assert shelf.postgres.tables == {VIEW, "readme_vectors_v1_1_0", "readme_vectors_v1_2_0"}
    assert shelf.load(NAME, "--keep", "1")["dropped"] == ["readme_vectors_v1_1_0"]
    assert shelf.postgres.tables == {VIEW, "readme_vectors_v1_2_0"}


def test_a_table_that_another_view_reads_is_never_dropped(shelf):
    for version in ("1.0.0", "1.1.0"):
        shelf.release(version)
        shelf.load(f"{NAME}@{version}")
        if version == "1.0.0":
            shelf.load(f"{NAME}@{version}", PGVECTOR_TABLE_NAME="staging")
    done = shelf.dreg("vectors", "load", NAME, "--keep", "1")
    assert done.code == 0
    assert f"warning: table {TABLE} stays: it is in use" in done.stderr
    assert shelf.postgres.one("select distinct data_version from staging") == f"{NAME}-v1.0.0"


def test_going_back_is_the_swap_alone_and_asks_no_registry(shelf):
    for version in ("1.0.0", "1.1.0"):
        shelf.release(version)
        shelf.load()
    (shelf.made.bare).rename(shelf.made.home / "gone.git")
    filled = shelf.postgres.one(f"select pg_relation_filenode('{TABLE}')")
    done = shelf.dreg("vectors", "rollback", NAME)
    assert (done.code, done.stdout) == (0, f"public.{VIEW} serves {NAME} 1.0.0 instead of 1.1.0\n")
    assert shelf.postgres.one(f"select distinct data_version from {VIEW}") == f"{NAME}-v1.0.0"
    assert shelf.postgres.one(f"select pg_relation_filenode('{TABLE}')") == filled
    forward = shelf.dreg("vectors", "rollback", NAME, "--to", "1.1.0", "--json")
    assert forward.json["swapped"]
    assert not shelf.dreg("vectors", "rollback", NAME, "--to", "1.1.0", "--json").json["swapped"]


def test_there_is_no_going_back_to_what_is_not_loaded(shelf):
    shelf.release("1.0.0")
    shelf.load()
    done = shelf.dreg("vectors", "rollback", NAME)
    assert done.code == 2
    assert f"no version of {NAME} before 1.0.0 is loaded (loaded: 1.0.0)" in done.stderr
    done = shelf.dreg("vectors", "rollback", NAME, "--to", "0.9.0")
    assert (done.code, f"hint: load it: dreg vectors load {NAME}@0.9.0" in done.stderr) == (2, True)


def test_loading_the_version_before_is_going_back_too(shelf):
    for version in ("1.0.0", "1.1.0"):
        shelf.release(version)
        shelf.load()
    told = shelf.load(f"{NAME}@1.0.0")
    assert (told["loaded"], told["swapped"], told["previous"]) == (False, True, "1.1.0")


def test_what_is_loaded_is_listed(shelf):
    for version in ("1.0.0", "1.1.0"):
        shelf.release(version)
        shelf.load()
    told = shelf.dreg("vectors", "list", NAME, "--json").json
    assert [(t["version"], t["served"], t["complete"], t["views"]) for t in told["tables"]] == [
        ("1.0.0", False, True, []),
        ("1.1.0", True, True, [f"public.{VIEW}"]),
    ]
    lines = shelf.dreg("vectors", "list", NAME).stdout.splitlines()
    assert lines[0].split() == [
        "VERSION",
        "STATE",
        "VECTORS",
        "DIMENSION",
        "MODEL",
        "TABLE",
        "VIEWS",
    ]
    assert lines[2].split()[:3] == ["1.1.0", "served", "60"]


def test_a_plan_changes_nothing(shelf):
    shelf.release("1.0.0")
    told = shelf.load(NAME, "--dry-run")
    assert (told["dry_run"], told["loaded"], told["swapped"], told["rows"]) == (
        True,
        True,
        True,
        60,
    )
    assert shelf.postgres.tables == set()
    shelf.load()
    assert shelf.dreg("vectors", "load", NAME, "--dry-run").stdout.startswith(
        f"public.{VIEW} serves"
    )


# What is refused


def test_another_dimension_needs_a_word_and_keeps_who_may_read(shelf):
    shelf.release("1.0.0", dimension=8)
    shelf.load()
    shelf.postgres.do("create role reader")
    try:
        shelf.postgres.do(f"grant select on {VIEW} to reader")
        shelf.postgres.do(f"grant select on {VIEW} to public")
        shelf.release("2.0.0", dimension=16)
        done = shelf.dreg("vectors", "load", NAME)
        assert done.code == 1
        assert (
            f"readers of `public.{VIEW}` would get vectors of 16 dimensions instead of 8"
            in done.stderr
        )
        assert "--allow-major" in done.stderr
        assert shelf.postgres.tables == {VIEW, TABLE}, "refused before anything is loaded"
        assert shelf.load(NAME, "--allow-major")["previous"] == "1.0.0"
        query = f"select has_table_privilege('reader', '{VIEW}', 'select'), relacl::text like '%%=r/%%' from pg_class where relname = '{VIEW}'"
        assert shelf.postgres.rows(query) == [(True, True)]
        assert shelf.postgres.one(f"select distinct vector_dims(vector) from {VIEW}") == 16
        back = shelf.dreg("vectors", "rollback", NAME)
        assert (back.code, "--allow-major" in back.stderr) == (1, True)
        assert shelf.dreg("vectors", "rollback", NAME, "--allow-major").code == 0
    finally:
        shelf.postgres.do("drop owned by reader")
        shelf.postgres.do("drop role reader")


def test_another_model_needs_a_word(shelf):
    shelf.release("1.0.0")
    shelf.load()
    shelf.release("2.0.0", model="acme/tiny@9e1b")
    done = shelf.dreg("vectors", "load", NAME)
    assert done.code == 1
    assert "would get vectors made by acme/tiny@9e1b instead of acme/tiny@5c38ec7" in done.stderr
    assert shelf.load(NAME, "--allow-major")["swapped"]


def test_a_column_more_is_a_minor_thing(shelf):
    table = shelf.release("1.0.0")
    shelf.load()
    more = table.add_column(0, "language", pa.array(["en"] * table.num_rows))
    shelf.release("1.1.0", table=more)
    shelf.load()
    assert shelf.postgres.one(f"select distinct language from {VIEW}") == "en"


def test_other_views_of_the_view_are_not_broken(shelf):
    shelf.release("1.0.0", dimension=8)
    shelf.load()
    shelf.postgres.do(f"create view mine as select key from {VIEW}")
    shelf.release("2.0.0", dimension=16)
    done = shelf.dreg("vectors", "load", NAME, "--allow-major")
    assert done.code == 1
    assert "view mine depends on view passages" in done.stderr
    assert shelf.postgres.one(f"select distinct data_version from {VIEW}") == f"{NAME}-v1.0.0"


def test_a_view_serves_one_dataset(shelf):
    shelf.release("1.0.0")
    shelf.load()
    table = passages(vectors(20, 8))
    data = {"processed/chunks.parquet": parquet(table)}
    shelf.made.release("1.0.0", data, name="other", metadata=metadata(table))
    done = shelf.dreg("vectors", "load", "other")
    assert done.code == 1
    assert f"`public.{VIEW}` serves {NAME} 1.0.0, and not `other`" in done.stderr


def test_a_view_serves_one_registry_unless_another_is_to_take_its_place(shelf, tmp_path):
    other = Shelf(shelf.made.copy(tmp_path / "other"), shelf.postgres)
    shelf.release("1.0.0")
    shelf.load()
    other.release("1.0.0", rows=50)
    other.release("1.1.0", rows=50)
    done = other.dreg("vectors", "load", NAME)
    assert done.code == 1
    assert f"`public.{VIEW}` serves {NAME} 1.0.0 of commit " in done.stderr
    assert f"which {other.made.bare} does not have" in done.stderr
    assert shelf.postgres.one(f"select count(*) from {VIEW}") == 60
    assert other.load(NAME, "--allow-major")["previous"] == "1.0.0"
    shelf.release("1.0.1")
    assert shelf.dreg("vectors", "load", NAME).code == 1


def test_a_tag_that_moved_is_no_release_that_is_loaded(shelf):
    shelf.release("1.0.0")
    shelf.load()
    shelf.release("1.0.0", rows=61, force=True)
    done = shelf.dreg("vectors", "load", NAME, DREG_CACHE=str(shelf.made.home / "another"))
    assert done.code == 1
    assert f"`public.{TABLE}` has another release called {NAME} 1.0.0" in done.stderr


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (f"create table {VIEW} (a int)", f"`public.{VIEW}` is a table"),
        (f"create view {VIEW} as select 1 as a", f"the view `public.{VIEW}` is there already"),
        (f"create table {TABLE} (a int)", f"`public.{TABLE}` is there already"),
    ],
)
def test_what_others_made_is_not_touched(shelf, statement, what):
    shelf.release("1.0.0")
    shelf.postgres.do(statement)
    before = shelf.postgres.tables
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, what in done.stderr) == (1, True), done.stderr
    assert shelf.postgres.tables == before


def test_a_release_without_vectors_is_none_to_load(shelf):
    shelf.release("1.0.0", table=passages(vectors(5, 4)).drop_columns("vector"))
    done = shelf.dreg("vectors", "load", NAME)
    assert done.code == 2
    assert f"{NAME} 1.0.0 has no column of vectors" in done.stderr


def test_nobody_is_served_an_empty_table(shelf):
    shelf.release("1.0.0", table=passages(vectors(5, 4)).slice(0, 0))
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, "has no samples, and nobody is served an empty table" in done.stderr) == (
        2,
        True,
    )


def test_a_release_of_which_rows_are_missing_is_not_served(shelf):
    shelf.release("1.0.0")
    shelf.load()
    shelf.release("1.1.0", rows=50, counted=60)
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, "has 50 rows, and its metadata.json says 60" in done.stderr) == (3, True)
    assert shelf.postgres.one(f"select distinct data_version from {VIEW}") == f"{NAME}-v1.0.0"


@pytest.mark.parametrize(
    ("vector", "what"),
    [
        (None, "a row of the release has no vector"),
        ([1.0, None], "or a part of one is missing"),
        ([1.0, float("nan")], "NaN not allowed in vector"),
    ],
)
def test_a_row_without_a_whole_vector_is_told(shelf, vector, what):
    rows = pa.array([[0.5, 0.5], vector], pa.list_(pa.float32(), 2))
    table = passages(vectors(2, 2)).drop_columns("vector").append_column("vector", rows)
    shelf.release("1.0.0", table=table)
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, what in done.stderr) == (3, True), done.stderr
    assert VIEW not in shelf.postgres.tables


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pa.array([b"x"] * 5), "column `more` is binary, which dreg does not load into Postgres"),
        (None, "the release has a column `model`, and so has every table"),
    ],
)
def test_a_column_that_cannot_be_loaded_is_named(shelf, column, what):
    table = passages(vectors(5, 4))
    name = "model" if column is None else "more"
    values = pa.array(["x"] * 5) if column is None else column
    shelf.release("1.0.0", table=table.append_column(name, values))
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, what in done.stderr) == (2, True), done.stderr
    assert shelf.postgres.tables == set()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("x" * 64, "has 64 bytes, and a name in Postgres at most 63"),
        ("ctid", "the release has a column `ctid`, and so has every table of Postgres"),
    ],
)
def test_a_column_that_postgres_cannot_call_so_is_named(shelf, name, what):
    table = passages(vectors(5, 4)).append_column(name, pa.array(["x"] * 5))
    shelf.release("1.0.0", table=table)
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, what in done.stderr) == (2, True), done.stderr
    assert shelf.postgres.tables == set()


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("text", "a\0b", 'invalid byte sequence for encoding "UTF8": 0x00'),
        ("key", "".join(map(chr, range(0x4E00, 0x5E00))), "index row requires"),
        ("vector", [1e6, 1.0], "out of range for type halfvec"),
    ],
)
def test_what_postgres_does_not_take_is_told_with_what_to_do(shelf, column, value, what):
    shelf.release("1.0.0")
    shelf.load()
    table = passages(vectors(2, 2))
    kind = table.schema.field(column).type
    rows = pa.array([table[column][0].as_py(), value], kind)
    shelf.release("1.0.1", table=table.set_column(table.column_names.index(column), column, rows))
    done = shelf.dreg("vectors", "load", NAME, "--allow-major")
    assert (done.code, "does not take a row of the release" in done.stderr) == (3, True)
    assert what in done.stderr
    assert "hint: tell the registry's owner, or load another version" in done.stderr
    assert shelf.postgres.one(f"select distinct data_version from {VIEW}") == f"{NAME}-v1.0.0"


# Names


@pytest.mark.parametrize("view", ['x"; drop table y; --', "Größe", "SELECT", "a b", "x" * 63, "%s"])
def test_whatever_the_view_is_called_it_is_only_a_name(shelf, view):
    shelf.release("1.0.0")
    shelf.load(PGVECTOR_TABLE_NAME=view)
    assert shelf.postgres.tables == {view, TABLE}


def test_the_view_may_be_in_a_schema_of_its_own(shelf):
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME, PGVECTOR_TABLE_NAME="rag.passages")
    assert (done.code, "the database has no schema `rag`" in done.stderr) == (2, True)
    shelf.postgres.do("create schema rag")
    assert shelf.load(PGVECTOR_TABLE_NAME="rag.passages")["view"] == "rag.passages"
    assert shelf.postgres.one("select count(*) from rag.passages") == 60
    assert shelf.postgres.tables == set()


def test_without_a_name_the_view_is_called_as_the_dataset(shelf):
    shelf.release("1.0.0")
    assert shelf.load(PGVECTOR_TABLE_NAME="")["view"] == "public.readme_vectors"


def test_a_name_that_postgres_would_cut_is_refused(shelf):
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME, PGVECTOR_TABLE_NAME="x" * 64)
    assert (done.code, "has 64 bytes, and a name in Postgres at most 63" in done.stderr) == (
        2,
        True,
    )


def test_the_extension_may_be_in_another_schema(shelf):
    shelf.postgres.do("create schema extensions")
    shelf.postgres.do("create extension vector schema extensions")
    shelf.release("1.0.0")
    assert shelf.load()["rows"] == 60


def test_an_answer_in_json_has_no_password(shelf):
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME, "--json", PGVECTOR_PASSWORD="correct-horse-battery")
    assert json.loads(done.stdout)["loaded"]
    assert "correct-horse" not in done.stdout + done.stderr
