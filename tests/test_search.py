"""`dreg search` on a real Postgres: what it finds, in which order, and how sure it is of that."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psycopg
import pytest

from dreg.adapters.postgres.searching import held, nearest
from dreg.core.embedding_model import parse_model
from dreg.errors import DregError
from dreg.vectors.loading import load
from dreg.vectors.searching import search
from tests import in_process, small_model
from tests.done import Done
from tests.passages import NAME, VIEW, WORDS, Shelf, passages, vectors
from tests.small_model import needs_torch

README = (Path(__file__).parents[1] / "README.md").read_text()
ROWS, DIMENSION = 20_000, 96
QUERIES = 100


class Words:
    """Makes vectors of texts by the words in them: an angle between two is about their words in common."""

    def __init__(self, width: int = len(WORDS) + 1) -> None:
        self.width = width

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(texts), self.width), np.float32)
        for row, text in enumerate(texts):
            words = text.lower().replace(",", " ").replace(".", " ").split()
            for i, word in enumerate(WORDS[: self.width]):
                found[row, i] = words.count(word)
            found[row, -1] = 0.1
        return found / np.linalg.norm(found, axis=1, keepdims=True)


TEXTS = [
    "A gpu is scheduled for training.",
    "Object storage keeps what a pipeline makes.",
    "A release is tracked: tracking, tracking.",
    "The catalog lists every release.",
]


@pytest.fixture
def served(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Four passages, loaded, and the environment in which they are searched."""
    shelf.release("1.0.0", table=passages(Words().encode(TEXTS), TEXTS))
    shelf.load()
    for name, value in shelf.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(shelf.made.train)
    return shelf


def ask(query: str, **options):
    return search(NAME, query, embedding=lambda texts, record: Words().encode(texts), **options)


def test_the_nearest_passage_comes_first_with_its_source(served):
    found = ask("which gpu does training get")
    best = found.passages[0]
    assert best.text == TEXTS[0]
    assert (best.repo, best.path, best.commit, best.chunk) == (
        "acme/infra",
        "docs/00000.md",
        "8d4f2c0",
        0,
    )
    assert best.headings == ("Infrastructure", "Usage")
    assert (found.version, found.passages_in_all, len(found.passages)) == ("1.0.0", 4, 4)
    scores = [passage.score for passage in found.passages]
    assert scores == sorted(scores, reverse=True)
    assert 0.99 < scores[0] <= 1.0


def test_a_score_is_the_cosine(served):
    query, texts = Words().encode(["tracking a release"]), Words().encode(TEXTS)
    found = {p.text: p.score for p in ask("tracking a release").passages}
    for text, cosine in zip(TEXTS, (texts @ query.T)[:, 0], strict=True):
        assert found[text] == pytest.approx(cosine, abs=1e-5)


def test_as_many_as_are_asked_for(served):
    assert len(ask("release", k=2).passages) == 2
    assert len(ask("release", k=1000, exact=True).passages) == 4


def test_people_see_passages_their_places_and_how_many(served):
    lines = list(ask("object storage of the pipeline", k=1).lines())
    assert lines == [
        "1. 1.000  acme/infra/docs/00000.md > Infrastructure",
        "   Object storage keeps what a pipeline makes.",
        "",
        f"1 of 4 passages of {NAME} 1.0.0",
    ]


def test_a_version_that_is_loaded_may_be_searched_beside_the_served_one(served):
    texts = ["A gpu, and nothing else."]
    served.release("1.1.0", table=passages(Words().encode(texts), texts))
    served.load()
    assert ask("gpu").version == "1.1.0"
    assert ask("gpu", version="1.0.0").passages[0].text == TEXTS[0]
    with pytest.raises(
        DregError, match=r"readme-vectors 2.0.0 is not loaded .*loaded: 1.0.0, 1.1.0"
    ):
        ask("gpu", version="2.0.0")


@pytest.fixture
def reader(served, monkeypatch):
    """A user who has no rights yet, and searches from now on."""
    role = f"reader_{os.getpid()}"
    served.postgres.do(f"create role {role} login")
    monkeypatch.setenv("PGVECTOR_USER", role)
    yield role
    served.postgres.do(f"drop owned by {role}")
    served.postgres.do(f"drop role {role}")


def test_who_may_read_the_view_may_search_and_still_may_when_another_version_is_served(
    served, reader
):
    served.postgres.do(f"grant select on {VIEW} to {reader}")
    assert ask("gpu").passages[0].text == TEXTS[0]
    assert ask("gpu", exact=True).passages[0].text == TEXTS[0]
    texts = ["A gpu, and nothing else."]
    served.release("1.1.0", table=passages(Words().encode(texts), texts))
    served.load()
    assert [p.text for p in ask("gpu").passages] == texts


def test_who_may_not_read_is_told_what_a_reader_needs(served, reader):
    with pytest.raises(DregError) as caught:
        ask("gpu")
    assert caught.value.fact == (
        f"Postgres does not let `{reader}` read `public.{VIEW}`: permission denied for view {VIEW}"
    )
    assert caught.value.hint == (
        "have its owner grant SELECT on it, and USAGE on the schema `public`; "
        "or use another PGVECTOR_USER"
    )
    served.postgres.do(f"grant select on {VIEW} to {reader}")
    with pytest.raises(DregError, match=r"read `public.readme_vectors_v1_0_0`: permission denied"):
        ask("gpu", version="1.0.0")


def test_who_may_read_the_served_table_may_read_the_next_and_nobody_may_write_to_it(served, reader):
    table = "readme_vectors_v1_0_0"
    served.postgres.do(f"grant select, insert, delete on {table} to {reader}")
    assert ask("gpu", version="1.0.0").version == "1.0.0"
    texts = ["A gpu, and nothing else."]
    served.release("1.1.0", table=passages(Words().encode(texts), texts))
    served.load()
    assert [p.text for p in ask("gpu", version="1.1.0").passages] == texts
    rights = "select string_agg(privilege_type, ' ') from information_schema.role_table_grants where grantee = %s and table_name = %s"
    assert served.postgres.one(rights, reader, "readme_vectors_v1_1_0") == "SELECT"


def test_readers_of_the_view_read_on_when_another_user_loads_the_next_version(served, reader):
    """The view is its first loader's, and reads with that one's rights; the next table is another's."""
    loader = f"loader_{os.getpid()}"
    served.postgres.do(f"create role {loader} login")
    try:
        for what in (VIEW, "readme_vectors_v1_0_0"):
            kind = "view" if what == VIEW else "table"
            served.postgres.do(f"alter {kind} {what} owner to {loader}")
        served.postgres.do(f"grant select on {VIEW} to {reader}")
        assert ask("gpu").passages[0].text == TEXTS[0]
        texts = ["A gpu, and nothing else."]
        served.release("1.1.0", table=passages(Words().encode(texts), texts))
        served.load()
        assert [p.text for p in ask("gpu").passages] == texts
        done = served.dreg("vectors", "load", f"{NAME}@1.0.0", PGVECTOR_USER=reader)
        assert done.code == 3
    finally:
        served.postgres.do(f"drop owned by {loader} cascade")
        served.postgres.do(f"drop role {loader}")


def test_what_is_served_meanwhile_is_searched_with_a_query_of_its_own_model(served):
    """The query was embedded for 1.0.0, of nine dimensions; by then 2.0.0 is served, of five."""
    texts = ["A gpu, and nothing else."]
    served.release("2.0.0", table=passages(Words(5).encode(texts), texts), model="acme/other@1")
    asked = []

    def embedding(queries, record):
        asked.append(record.version)
        if len(asked) == 1:
            served.load(NAME, "--allow-major")
        return Words(record.dimension).encode(queries)

    found = search(NAME, "gpu", embedding=embedding)
    assert (asked, found.version, found.model) == (["1.0.0", "2.0.0"], "2.0.0", "acme/other@1")
    assert [passage.text for passage in found.passages] == texts


def test_what_is_served_stays_so_while_its_rows_are_read(served):
    with (
        served.postgres.connect() as reader,
        held(reader, ("public", VIEW)),
        served.postgres.connect() as loader,
    ):
        loader.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            loader.execute(f"create or replace view {VIEW} as select * from readme_vectors_v1_0_0")


def test_a_query_is_embedded_by_the_model_of_what_is_searched(served):
    asked = []

    def embedding(texts, record):
        asked.append((record.model, record.version))
        return Words().encode(texts)

    search(NAME, "gpu", embedding=embedding)
    assert asked == [("acme/tiny@5c38ec7", "1.0.0")]


def test_a_vector_of_another_dimension_is_refused(served):
    with pytest.raises(
        DregError, match=r"makes vectors of 5, and those of readme-vectors 1.0.0 have 9"
    ):
        search(NAME, "gpu", embedding=lambda texts, record: Words(5).encode(texts))


def test_a_release_that_does_not_say_where_its_model_is_had_is_told(served):
    done = served.dreg("search", NAME, "gpu")
    assert done.code == 2
    assert f"{NAME} 1.0.0 does not declare where its model is had: acme/tiny@5c38ec7" in done.stderr


@pytest.mark.parametrize("declared", [b"", b"[]", b"{", b'{"name": "acme/other"}'])
def test_a_declaration_that_is_of_no_use_is_none(shelf, declared):
    shelf.release("1.0.0", files={"processed/model.json": declared})
    shelf.load()
    assert "does not declare where its model is had" in shelf.dreg("search", NAME, "gpu").stderr


def test_what_serves_nothing_cannot_be_searched(shelf):
    done = shelf.dreg("search", NAME, "gpu")
    assert (done.code, "serves nothing yet" in done.stderr) == (2, True)
    assert f"hint: dreg vectors load {NAME}" in done.stderr


def test_another_dataset_is_not_what_the_view_serves(served):
    done = served.dreg("search", "other", "gpu")
    assert (done.code, f"serves {NAME} 1.0.0, not `other`" in done.stderr) == (2, True)
    assert f"hint: ask for `{NAME}`, or set PGVECTOR_TABLE_NAME to the view" in done.stderr


def test_where_another_dataset_is_loaded_a_name_that_is_not_is_told_which(served):
    done = served.dreg("search", "nope", "gpu", PGVECTOR_TABLE_NAME="")
    assert (done.code, "`public.nope` at " in done.stderr) == (2, True)
    assert f"hint: loaded there: {NAME}; another, if `dreg list` has it" in done.stderr


@pytest.mark.parametrize("query", ["", "  \n"])
def test_an_empty_query_finds_nothing_and_says_so(served, query):
    done = served.dreg("search", NAME, query)
    assert (done.code, "the query is empty" in done.stderr) == (2, True)


def test_a_query_that_is_no_text_is_told(served):
    with pytest.raises(DregError, match="the query is not UTF-8 text"):
        ask("gpu \udcff")


@pytest.mark.parametrize("command", [("search", "gpu"), ("vectors list",), ("vectors rollback",)])
def test_a_version_beside_the_name_is_told_where_it_goes(served, command):
    first, *rest = command
    done = served.dreg(*first.split(), f"{NAME}@1.0.0", *rest)
    assert done.code == 2
    assert f"`{NAME}@1.0.0` is a request, and here a dataset is named" in done.stderr
    assert "search takes --version 1.0.0, rollback --to 1.0.0" in done.stderr


def test_vectors_without_passages_are_told(shelf, monkeypatch):
    table = passages(vectors(5, 9)).drop_columns("text")
    shelf.release("1.0.0", table=table)
    shelf.load()
    for name, value in shelf.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DregError, match='no passages: column "text" does not exist'):
        ask("gpu")


def test_hostile_words_are_words(served):
    for query in ("'; drop view passages; --", "%s %(k)s {found}", "\0gpu"):
        assert len(ask(query).passages) == 4


def test_the_answer_in_json_is_whole(served, capsys):
    from dreg.output import jsonable

    told = json.loads(json.dumps(jsonable(ask("gpu", k=1))))
    assert told["passages"][0]["key"] == "acme/infra/docs/00000.md#0"
    assert set(told) == {
        "dataset",
        "version",
        "model",
        "query",
        "exact",
        "passages_in_all",
        "passages",
    }


@pytest.fixture
def mirror(shelf: Shelf, tmp_path) -> dict[str, str]:
    """Where the small model is had; 1.0.0 and 1.1.0 are released, whose passages it embedded."""
    from dreg.adapters.embedding.direct import vectors_here

    small_model.put_below(tmp_path / "mirror")
    told = small_model.declared()
    found = {"DREG_MIRROR": str(tmp_path / "mirror")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**found, **shelf.made.environment}.items():
            patch.setenv(name, value)
        made = vectors_here([*TEXTS, "how to turn the soil"], parse_model(told, "here"), print)
    files = {"processed/model.json": json.dumps(told).encode()}
    for version in ("1.0.0", "1.1.0"):
        table = passages(made[:-1], [*TEXTS[:-1], f"{TEXTS[-1]} {version}"])
        shelf.release(version, table=table, model="tests/small@1", files=files)
    return found


@pytest.fixture
def here(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Commands where one trains, in this process: importing torch takes seconds."""
    monkeypatch.chdir(shelf.made.train)

    def dreg(*arguments: str, **more: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in shelf.environment(**more).items():
                patch.setenv(name, value)
            return in_process.dreg(*arguments)

    return dreg


@needs_torch
def test_the_commands_of_the_readme(shelf, mirror, here):
    section = README.partition("## Vectors in Postgres")[2].partition("\n## ")[0]
    commands = re.findall(r"^training\$ dreg (.*)$", section, re.MULTILINE)
    assert len(commands) == 4
    shelf.load(f"{NAME}@1.0.0")
    said = ""
    for line in commands:
        words = [w.replace("opencloudhub-readmes-embeddings", NAME) for w in shlex.split(line)]
        done = here(*words, **mirror)
        assert done.code == 0, done.stderr
        said += done.stdout
    assert f"serves {NAME} 1.1.0" in said
    assert f"of {NAME} 1.0.0" in said  # once it was rolled back


@needs_torch
def test_the_query_is_embedded_by_the_files_that_the_release_declares(shelf, tmp_path, here):
    from dreg.adapters.embedding.direct import vectors_here

    small_model.put_below(tmp_path / "mirror")
    told = small_model.declared()
    mirror = {"DREG_MIRROR": str(tmp_path / "mirror")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**mirror, **shelf.made.environment}.items():
            patch.setenv(name, value)
        made = vectors_here([*TEXTS, "how to turn the soil"], parse_model(told, "here"), print)
    table = passages(made[:-1], TEXTS)
    declared = json.dumps(told).encode()
    shelf.release(
        "1.0.0", table=table, model="tests/small@1", files={"processed/model.json": declared}
    )
    shelf.load()
    shutil.rmtree(shelf.made.bare)  # the database is all that a search needs
    done = here("search", NAME, "how to turn the soil", "--json", "--exact", **mirror)
    assert done.code == 0, done.stderr
    found = {passage["text"]: passage["score"] for passage in done.json["passages"]}
    cosines = made[:-1] @ made[-1] / np.linalg.norm(made[:-1], axis=1) / np.linalg.norm(made[-1])
    assert found == {
        text: pytest.approx(cosine, abs=1e-5) for text, cosine in zip(TEXTS, cosines, strict=True)
    }

    weights = tmp_path / "mirror" / "small-model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    elsewhere = {"DREG_CACHE": str(tmp_path / "another"), **mirror}
    spoilt = shelf.dreg("search", NAME, "soil", **elsewhere)
    assert spoilt.code == 3
    assert "model.safetensors" in spoilt.stderr


@pytest.mark.slow
def test_the_index_finds_what_an_exact_search_finds(shelf, monkeypatch):
    """Recall of at least 0.98 among 20,000 vectors in clusters, as those of texts are."""
    for name, value in shelf.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(shelf.made.train)
    found = vectors(ROWS, DIMENSION, seed=1)
    shelf.release("1.0.0", table=passages(found))
    table = load(NAME).table
    random = np.random.default_rng(2)
    wanted = found[random.integers(ROWS, size=QUERIES)] + 0.05 * random.normal(
        size=(QUERIES, DIMENSION)
    )
    hits = 0
    with shelf.postgres.connect() as connection:
        for query in wanted.astype(np.float32):
            given = connection, ("public", table), "vector", query, 10
            exact = [row["key"] for row in nearest(*given, exact=True)]
            best = np.argsort(-(found @ query) / np.linalg.norm(query))[:10]
            assert exact[0] == f"acme/infra/docs/{best[0] // 10:05}.md#{best[0] % 10}"
            hits += len({*exact} & {row["key"] for row in nearest(*given)})
    assert hits / (10 * QUERIES) >= 0.98
