"""`dreg search`: passages that mean what a query means, and where they are from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreg.core.vectors import Record, of_version, versions
from dreg.core.version import parse_version
from dreg.errors import BadRequest
from dreg.output import count
from dreg.vectors.database import Database, opened
from dreg.vectors.model import Embedding, by_declared_model, embed

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
        of = f"{count(len(self.passages))} of {count(self.passages_in_all)} passages"
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

    Raises BadRequest for an empty query, and for what is not loaded; Outside when server or model
    fail.
    """
    if not query.strip():
        raise BadRequest("the query is empty", hint=f'dreg search {name} "what you look for"')
    with opened(name, embedded) as database:
        from dreg.adapters.postgres.searching import nearest

        table, record = _meant(database, name, version)
        rows = nearest(
            database.connection,
            (database.schema, table),
            record.column,
            embed(query, record, embedding),
            k,
            exact=exact,
        )
    return Searched(
        dataset=record.dataset,
        version=record.version,
        model=record.model,
        query=query,
        exact=exact,
        passages_in_all=record.rows,
        passages=tuple(map(_passage, rows)),
    )


def _meant(database: Database, name: str, version: str | None) -> tuple[str, Record]:
    if version is None:
        return database.serving(name)
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
