"""Passages nearest to a vector: by the index, and by looking at every row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dreg.errors import BadRequest, Outside

if TYPE_CHECKING:
    import numpy as np

    from dreg.adapters.postgres.tables import Connection

# How many the index looks at is its trade of time for recall: 40 by default, at most 1000.
LOOKED_AT, MOST = 200, 1000
SHOWN = ("key", "repo", "path", "commit", "chunk", "h1", "h2", "h3", "text")


@contextmanager
def held(connection: Connection, view: tuple[str, str]) -> Iterator[None]:
    """What the view serves stays what it serves, until the rows are read. Raises Outside for who may
    not read it."""
    from psycopg import sql

    with connection.transaction():
        with _readable(connection, view):
            connection.execute(sql.SQL("select from {} limit 0").format(sql.Identifier(*view)))
        yield


@contextmanager
def _readable(connection: Connection, table: tuple[str, str]) -> Iterator[None]:
    """Raises Outside with what a reader needs, which is less than a loader does."""
    import psycopg

    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        schema, name = table
        raise Outside(
            f"Postgres does not let `{connection.info.user}` read `{schema}.{name}`: "
            f"{error.diag.message_primary}",
            hint=f"have its owner grant SELECT on it, and USAGE on the schema `{schema}`; "
            "or use another PGVECTOR_USER",
        ) from error


def nearest(
    connection: Connection,
    table: tuple[str, str],
    column: str,
    query: np.ndarray,
    k: int,
    *,
    exact: bool = False,
) -> list[dict[str, Any]]:
    """The `k` rows whose vectors have the least angle to the query's, with `score`, its cosine.

    By the index more candidates are found than are wanted, in half precision, and put in order by
    what was released; `exact` compares with every row. Equal ones are in the order of their keys.
    `table` may be a view of one. Raises BadRequest for a table without passages, Outside for who may
    not read it.
    """
    import psycopg
    from pgvector.psycopg import register_vector
    from psycopg import sql
    from psycopg.rows import dict_row

    register_vector(connection)
    found = sql.SQL(", ").join(map(sql.Identifier, (*SHOWN, "data_version")))
    parts = {
        "table": sql.Identifier(*table),
        "vector": sql.Identifier(column),
        "dimension": sql.Literal(len(query)),
        "found": found,
    }
    candidates = sql.SQL(
        "select {found}, {vector} from {table} order by {vector}::halfvec({dimension}) "
        "<=> %(query)s::halfvec({dimension}) limit %(candidates)s"
        if not exact
        else "select {found}, {vector} from {table}"
    ).format(**parts)
    whole = sql.SQL(
        "select {found}, 1 - ({vector} <=> %(query)s) as score from ({candidates}) c "
        "order by {vector} <=> %(query)s, key limit %(k)s"
    ).format(**parts, candidates=candidates)
    looked_at = min(MOST, max(LOOKED_AT, 4 * k))
    try:
        with _readable(connection, table), connection.transaction():
            connection.execute("set transaction read only")
            connection.execute(
                sql.SQL("set local hnsw.ef_search = {}").format(sql.Literal(looked_at))
            )
            cursor = connection.cursor(row_factory=dict_row)
            given = {"query": query, "k": k, "candidates": max(k, looked_at)}
            return cursor.execute(whole, given).fetchall()
    except psycopg.errors.UndefinedColumn as error:
        raise BadRequest(
            f"`{'.'.join(table)}` has no passages: {error.diag.message_primary}",
            hint=f"what can be searched has the columns {', '.join(SHOWN)}",
        ) from error
