"""What is loaded and served, and going back to the version before: the swap of the view alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dreg.adapters.claims import patience
from dreg.core.vectors import Record, before, of_version, versions
from dreg.core.version import parse_version
from dreg.errors import BadRequest
from dreg.output import count, out, table
from dreg.vectors.database import Database, opened
from dreg.vectors.loading import check_served


@dataclass(frozen=True)
class Table:
    """A table of vectors. `views` are those that read it; it is not `complete` while it is loaded,
    and after a load that broke off."""

    table: str
    version: str
    vectors: int
    dimension: int
    model: str
    complete: bool
    served: bool
    views: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """The answer of `dreg vectors list`: what is loaded of a dataset."""

    dataset: str
    database: str
    view: str
    tables: tuple[Table, ...]

    def lines(self) -> Iterator[str]:
        if not self.tables:
            yield f"no version of {self.dataset} is loaded at {self.database}"
            return
        yield from table(
            ("VERSION", "STATE", "VECTORS", "DIMENSION", "MODEL", "TABLE", "VIEWS"),
            [
                (
                    one.version,
                    "served" if one.served else "loaded" if one.complete else "incomplete",
                    count(one.vectors),
                    one.dimension,
                    one.model,
                    one.table,
                    ", ".join(one.views) or "-",
                )
                for one in self.tables
            ],
        )


@dataclass(frozen=True)
class RolledBack:
    """The answer of `dreg vectors rollback`; `swapped` is False where that version was served already."""

    dataset: str
    version: str
    previous: str
    view: str
    table: str
    swapped: bool

    def lines(self) -> Iterator[str]:
        if self.swapped:
            yield f"{self.view} serves {self.dataset} {self.version} instead of {self.previous}"
        else:
            yield f"{self.view} serves {self.dataset} {self.version} already"


def listing(dataset: str, *, embedded: bool = False) -> Listing:
    """What is loaded of a dataset, the oldest version first."""
    with opened(dataset, embedded) as database:
        from dreg.adapters.postgres.tables import views_on

        served, views = database.served(), views_on(database.connection, database.schema)
        found = [
            Table(
                table=name,
                version=record.version,
                vectors=record.rows,
                dimension=record.dimension,
                model=record.model,
                complete=record.complete,
                served=name == served,
                views=tuple(views.get(name, ())),
            )
            for name, record in database.tables().items()
            if record.dataset == dataset
        ]
        view = f"{database.schema}.{database.view}"
        ordered = sorted(found, key=lambda one: parse_version(one.version))
        return Listing(dataset, database.place, view, tuple(ordered))


def rollback(
    dataset: str,
    *,
    to: str | None = None,
    embedded: bool = False,
    allow_major: bool = False,
    wait: float | None = None,
) -> RolledBack:
    """Serve the version before, or the version `to`; nothing is loaded, and no registry asked.

    Raises BadRequest where that is not loaded, Refused and Outside as `load` does.
    """
    seconds = patience(wait)
    with opened(dataset, embedded) as database:
        from dreg.adapters.postgres import serving, tables

        with tables.claimed(database.connection, f"{database.schema}.{dataset}", seconds, out.note):
            table, now = database.serving(dataset)
            name, record = _wanted(database, now, to)
            if name != table:

                def check(served: str | None) -> None:
                    found = database.tables().get(served) if served else None
                    check_served(database, found, record, allow_major)

                serving.swap(
                    database.connection, database.schema, database.view, name,
                    check=check, wait=seconds, tell=out.note,
                )  # fmt: skip
        view = f"{database.schema}.{database.view}"
        return RolledBack(dataset, record.version, now.version, view, name, name != table)


def _wanted(database: Database, now: Record, to: str | None) -> tuple[str, Record]:
    tables = database.tables()
    if to is None:
        name = before(tables, now)
        if name is not None:
            return name, tables[name]
    else:
        found = of_version(tables, now.dataset, parse_version(to))
        if found is not None:
            return found
    there = ", ".join(versions(tables.values(), now.dataset))
    raise BadRequest(
        f"no version of {now.dataset} before {now.version} is loaded (loaded: {there})"
        if to is None
        else f"{now.dataset} {to} is not loaded (loaded: {there})",
        hint=f"load it: dreg vectors load {now.dataset}@{to or 'VERSION'}",
    )
