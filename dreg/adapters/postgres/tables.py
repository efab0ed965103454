"""The tables of vectors in a schema: which there are, what is written on them, making and removing one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

from dreg.core.vectors import Record
from dreg.errors import BadRequest, Outside, Refused

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

LEAST = (0, 7)  # of pgvector: vectors of half precision
GRANTED = "ask an administrator of that database for: CREATE EXTENSION vector"
RECORDS = """
    select c.relname, obj_description(c.oid, 'pg_class') from pg_class c
    join pg_namespace n on n.oid = c.relnamespace where n.nspname = %s and c.relkind in ('r', 'p')
"""
ON_TABLES = """
    select distinct t.relname, n.nspname || '.' || v.relname
    from pg_rewrite r
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class
    join pg_class t on t.oid = d.refobjid join pg_namespace tn on tn.oid = t.relnamespace
    join pg_class v on v.oid = r.ev_class join pg_namespace n on n.oid = v.relnamespace
    where tn.nspname = %s and v.relkind = 'v' order by 1, 2
"""
LOCK_HELD_BY = """
    select a.pid, coalesce(nullif(a.application_name, ''), a.usename, '?') from pg_locks l
    join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.database = (
        select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = %s and a.pid <> pg_backend_pid()
"""
OFTEN, SELDOM = 0.05, 1.0  # seconds between two looks, at first and in the end


def schema_of(connection: Connection, named: str) -> str:
    """The schema that is `named`, else where this user's tables go. Raises BadRequest for none."""
    if named:
        query: LiteralString = "select nspname from pg_namespace where nspname = %s"
        found = connection.execute(query, (named,)).fetchone()
    else:
        found = connection.execute("select current_schema()").fetchone()
    if found is None or found[0] is None:
        raise BadRequest(
            f"the database has no schema `{named}`" if named else "this user has no schema to use",
            hint="make it there, CREATE SCHEMA, or name another: PGVECTOR_TABLE_NAME=schema.name",
        )
    return str(found[0])


def extended(connection: Connection) -> None:
    """pgvector is there, and its types are known by name. Raises Outside where it can't be had."""
    import psycopg
    from psycopg import sql

    query = "select e.extversion, n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    found = connection.execute(query).fetchone()
    if found is None:
        available = "select 1 from pg_available_extensions where name = 'vector'"
        if connection.execute(available).fetchone() is None:
            raise Outside(
                "the Postgres server has no pgvector",
                hint="install pgvector 0.7 or later on it; its image is pgvector/pgvector",
            )
        try:
            connection.execute("create extension if not exists vector")
        except psycopg.errors.UniqueViolation:
            pass  # another loader was quicker
        except psycopg.errors.InsufficientPrivilege as error:
            raise Outside(
                "the database has no extension `vector`, and this user may not create it",
                hint=GRANTED,
            ) from error
        found = connection.execute(query).fetchone()
    assert found is not None
    version, schema = found
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST:
        raise Outside(
            f"the database has pgvector {version}, and vectors of half precision came with 0.7",
            hint="have an administrator update it: ALTER EXTENSION vector UPDATE",
        )
    connection.execute(
        sql.SQL("select set_config('search_path', current_setting('search_path') || ', ' || quote_ident({}), false)").format(sql.Literal(schema))
    )  # fmt: skip


def records(connection: Connection, schema: str) -> dict[str, Record]:
    """The tables that dreg made there, by name, with what is written on them."""
    rows = connection.execute(RECORDS, (schema,)).fetchall()
    parsed = {name: Record.parse(comment) for name, comment in rows}
    return {name: record for name, record in sorted(parsed.items()) if record is not None}


def views_on(connection: Connection, schema: str) -> dict[str, list[str]]:
    """The views that read a table of that schema, `schema.name`, by the table."""
    found: dict[str, list[str]] = {}
    for name, view in connection.execute(ON_TABLES, (schema,)):
        found.setdefault(name, []).append(view)
    return found


@contextmanager
def claimed(
    connection: Connection, what: str, wait: float, tell: Callable[[str], None]
) -> Iterator[None]:
    """One loader at a time at `what`, for as long as this connection lives; others are awaited.

    Raises Outside when another has it for all of `wait` seconds.
    """
    hashed = connection.execute("select hashtextextended(%s, 0)", (f"dreg vectors {what}",))
    (key,) = hashed.fetchone() or (0,)
    start, pause, told = time.monotonic(), OFTEN, False
    while not _taken(connection, key):
        who = connection.execute(LOCK_HELD_BY, (key,)).fetchone()
        other = f"{who[1]} (server process {who[0]})" if who else "another process"
        if (waited := time.monotonic() - start) >= wait:
            raise Outside(
                f"vectors of `{what}` are still being loaded by {other} after {waited:.0f} s",
                hint="run the command again when that has ended, or wait longer: --wait SECONDS",
            )
        if not told:
            tell(f"vectors of `{what}` are being loaded by {other}; waiting up to {wait:.0f} s")
            told = True
        time.sleep(min(pause, max(0.0, wait - waited)))
        pause = min(2 * pause, SELDOM)
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", (key,))


def _taken(connection: Connection, key: int) -> bool:
    row = connection.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone()
    return bool(row and row[0])


def make(
    connection: Connection, schema: str, name: str, columns: Mapping[str, str], record: Record
) -> None:
    """An empty table of `columns`, names and types, marked as not complete. Raises Refused for a
    name that something else has."""
    import psycopg
    from psycopg import sql

    typed = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
        for column, kind in columns.items()
    ]
    try:
        with connection.transaction():
            listed = sql.SQL(", ").join(typed)
            connection.execute(
                sql.SQL("create table {} ({})").format(sql.Identifier(schema, name), listed)
            )
            mark(connection, schema, name, record)
    except psycopg.errors.DuplicateTable as error:
        raise Refused(
            f"`{schema}.{name}` is there already, and dreg did not make it",
            hint="rename it, or load into another schema: PGVECTOR_TABLE_NAME=schema.name",
        ) from error


def mark(connection: Connection, schema: str, name: str, record: Record) -> None:
    """Write on a table what it holds."""
    from psycopg import sql

    text = sql.Literal(record.to_text())
    connection.execute(
        sql.SQL("comment on table {} is {}").format(sql.Identifier(schema, name), text)
    )


def remove(connection: Connection, schema: str, names: Sequence[str]) -> list[str]:
    """Drop tables, each at once or not at all; those that went. Readers are never kept waiting."""
    import psycopg
    from psycopg import sql

    gone = []
    for name in names:
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '1s'")
                connection.execute(
                    sql.SQL("drop table if exists {}").format(sql.Identifier(schema, name))
                )
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist):
            continue
        gone.append(name)
    return gone
