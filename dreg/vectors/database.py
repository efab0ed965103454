"""The database in which vectors are, opened: a schema, the view in it, the tables below."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dreg.adapters.postgres.connecting import TABLE, chosen, connected
from dreg.core.vectors import Record, view_name
from dreg.core.version import check_name
from dreg.errors import BadRequest

if TYPE_CHECKING:
    from dreg.adapters.postgres.tables import Connection


@dataclass(frozen=True)
class Database:
    """An open connection, where it leads (without a password), and what readers read there."""

    connection: Connection
    place: str
    schema: str
    view: str

    def tables(self) -> dict[str, Record]:
        """All tables that dreg made in the schema, by name."""
        from dreg.adapters.postgres.tables import records

        return records(self.connection, self.schema)

    def served(self) -> str | None:
        """The table that the view serves. Raises Refused where something else has its name."""
        from dreg.adapters.postgres.serving import served

        return served(self.connection, self.schema, self.view)

    def serving(self, dataset: str) -> tuple[str, Record]:
        """The table of the dataset that is served now. Raises BadRequest when none is."""
        table, tables = self.served(), self.tables()
        record = tables.get(table) if table else None
        if table is None or record is None:
            others = {one.dataset for one in tables.values() if one.complete} - {dataset}
            raise BadRequest(
                f"`{self.schema}.{self.view}` at {self.place} serves nothing yet",
                hint=f"loaded there: {', '.join(sorted(others))}; another, if `dreg list` has it: "
                f"dreg vectors load {dataset}"
                if others
                else f"dreg vectors load {dataset}, if `dreg list` has it",
            )
        if record.dataset != dataset:
            raise BadRequest(
                f"`{self.schema}.{self.view}` serves {record.called}, not `{dataset}`",
                hint=f"ask for `{record.dataset}`, or set {TABLE} to the view of `{dataset}`",
            )
        return table, record


@contextmanager
def opened(dataset: str, embedded: bool) -> Iterator[Database]:
    """The database that PGVECTOR_* names, or the embedded one, with pgvector in it.

    Raises BadRequest when neither or both are asked for, or the view's name is none, Outside when
    the server can't be reached or has no pgvector.
    """
    name, at, version = dataset.partition("@")
    if at:
        raise BadRequest(
            f"`{dataset}` is a request, and here a dataset is named",
            hint=f"{name} alone; search takes --version {version}, rollback --to {version}",
        )
    check_name(dataset)
    schema, view = view_name(os.environ.get(TABLE), dataset)
    place = chosen(embedded)
    with connected(place) as connection:
        from dreg.adapters.postgres.tables import extended, schema_of

        schema = schema_of(connection, schema)
        extended(connection)
        yield Database(connection, str(place), schema, view)
