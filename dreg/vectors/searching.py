"""`dreg search`: passages that mean what a query means, and where they are from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dreg.core.vectors import Record, of_version, versions
from dreg.core.version import parse_version
from dreg.core.wording import numbered
from dreg.errors import BadRequest
from dreg.output import count
from dreg.vectors.database import Database, opened
from dreg.vectors.model import Embedding, by_declared_model, embed

if TYPE_CHECKING:
    import numpy as np

WIDTH, LINES = 96, 4  # of a passage, for people


@dataclass(frozen=True)
class Passage:
    """A part of a file. `score` is the cosine between its vector and the query's, at most 1;
    `chunk` its number in the file; `headings` are those that it stands below."""

    score: float
    key: str
    repo: str
    path: str
    commit: str | None
    chunk: int
    headings: tuple[str, ...]
    text: str

    def lines(self, number: int) -> Iterator[str]:
        below = "".join(f" > {heading}" for heading in self.headings)
        yield f"{number}. {self.score:.3f}  {self.repo}/{self.path}{below}"
        words = " ".join(self.text.split())
        yield from textwrap.wrap(
            words, WIDTH, initial_indent="   ", subsequent_indent="   ", max_lines=LINES,
            placeholder=" ...", break_on_hyphens=False,
        )  # fmt: skip


@dataclass(frozen=True)
class Searched:
    """The answer of `dreg search`: the nearest passages, the best first. `passages_in_all` is how many
    the version has; `exact` whether every one of them was compared."""

    dataset: str
    version: str
    model: str
    query: str
    exact: bool
    passages_in_all: int
    passages: tuple[Passage, ...]

    def lines(self) -> Iterator[str]:
        for number, passage in enumerate(self.passages, 1):
            yield from passage.lines(number)
            yield ""
        of = f"{count(len(self.passages))} of {numbered(self.passages_in_all, 'passage')}"
        yield f"{of} of {self.dataset} {self.version}"


def search(
    name: str,
    query: str,
    *,
    k: int = 5,
    version: str | None = None,
    exact: bool = False,
    embedded: bool = False,
    embedding: Embedding = by_declared_model,
) -> Searched:
    """The `k` passages nearest to the query, of what is served, or of a `version` that is loaded.

    What is served is read through the view, as other readers do. Raises BadRequest for an empty query,
    and for what is not loaded; Outside when server or model fail, and for who may not read it.
    """
    if not query.strip():
        raise BadRequest("the query is empty", hint=f'dreg search {name} "what you look for"')
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("the query is not UTF-8 text", hint="type it in UTF-8") from error
    with opened(name, embedded) as database:
        if version is None:
            record, rows = _of_the_view(database, name, query, k, exact, embedding)
        else:
            table, record = _loaded(database, name, version)
            vector = embed(query, record, embedding)
            rows = _nearest(database, table, record, vector, k, exact)
    return Searched(
        dataset=record.dataset,
        version=record.version,
        model=record.model,
        query=query,
        exact=exact,
        passages_in_all=record.rows,
        passages=tuple(map(_passage, rows)),
    )


def _of_the_view(
    database: Database, name: str, query: str, k: int, exact: bool, embedding: Embedding
) -> tuple[Record, list[dict[str, Any]]]:
    """What is served and its nearest rows, through the view; anew if another is served meanwhile: to
    embed the query takes seconds, and another version may be of another model."""
    from dreg.adapters.postgres.searching import held

    while True:
        table, record = database.serving(name)
        vector = embed(query, record, embedding)
        with held(database.connection, (database.schema, database.view)):
            if database.served() == table:
                return record, _nearest(database, database.view, record, vector, k, exact)


def _nearest(
    database: Database, where: str, record: Record, vector: np.ndarray, k: int, exact: bool
) -> list[dict[str, Any]]:
    from dreg.adapters.postgres.searching import nearest

    place = database.schema, where
    return nearest(database.connection, place, record.column, vector, k, exact=exact)


def _loaded(database: Database, name: str, version: str) -> tuple[str, Record]:
    """The table of a version. Raises BadRequest where it is not loaded."""
    tables = database.tables()
    found = of_version(tables, name, parse_version(version))
    if found is None:
        there = ", ".join(versions(tables.values(), name)) or "none"
        raise BadRequest(
            f"{name} {version} is not loaded at {database.place} (loaded: {there})",
            hint=f"dreg vectors load {name}@{version}",
        )
    return found


def _passage(row: dict[str, Any]) -> Passage:
    return Passage(
        score=round(float(row["score"]), 6),
        key=row["key"],
        repo=row["repo"],
        path=row["path"],
        commit=row["commit"],
        chunk=row["chunk"],
        headings=tuple(row[level] for level in ("h1", "h2", "h3") if row[level]),
        text=row["text"],
    )
