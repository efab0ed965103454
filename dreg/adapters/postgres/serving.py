"""The view that readers use: which table it serves, and having it serve another in one moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, LiteralString

from dreg.adapters.postgres.tables import mark, records
from dreg.core.json_text import parse_json
from dreg.core.vectors import MADE_BY, served_now
from dreg.errors import Outside, Refused

if TYPE_CHECKING:
    from dreg.adapters.postgres.tables import Connection

# A privilege, the role as SQL writes it (None: everybody), and whether it may be handed on.
Grant = tuple[LiteralString, LiteralString | None, bool]
# Who waits for a lock has everybody behind it wait as well: readers stand still no longer than that.
STANDSTILL = "500ms"
PAUSE = 0.5  # seconds between two tries
KIND = """
    select c.relkind, obj_description(c.oid, 'pg_class') from pg_class c
    join pg_namespace n on n.oid = c.relnamespace where n.nspname = %s and c.relname = %s
"""
SHAPE = """
    select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a
    join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
GRANTS = """
    select a.privilege_type, case when a.grantee = 0 then null else a.grantee::regrole::text end, a.is_grantable
    from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
    where n.nspname = %s and c.relname = %s and a.grantee <> c.relowner
"""
OWNER = """
    select c.relowner::regrole::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %s and c.relname = %s
"""
HOLDERS = """
    select a.pid, coalesce(nullif(a.application_name, ''), a.usename, '?') from pg_locks l
    join pg_stat_activity a on a.pid = l.pid join pg_class c on c.oid = l.relation
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %s and c.relname = %s and l.granted and a.pid <> pg_backend_pid()
    order by a.xact_start limit 1
"""


def served(connection: Connection, schema: str, view: str) -> str | None:
    """The table that the view serves; None if there is no view yet.

    Raises Refused for a table, or for a view of somebody else.
    """
    found = connection.execute(KIND, (schema, view)).fetchone()
    if found is None:
        return None
    kind, comment = found
    if kind != "v":
        what = "a table" if kind in ("r", "p") else "something else"
        raise Refused(
            f"`{schema}.{view}` is {what}, and readers are served through a view of that name",
            hint="choose another PGVECTOR_TABLE_NAME, or rename what is there",
        )
    try:
        data = parse_json(comment or "")
        if data["made_by"] == MADE_BY:
            return str(data["serves"])
    except (ValueError, TypeError, KeyError):
        pass
    raise Refused(
        f"the view `{schema}.{view}` is there already, and dreg did not make it",
        hint="choose another PGVECTOR_TABLE_NAME, or rename what is there",
    )


def swap(
    connection: Connection,
    schema: str,
    view: str,
    table: str,
    *,
    check: Callable[[str | None], None],
    wait: float,
    tell: Callable[[str], None],
) -> None:
    """Have the view serve the table: before, readers see the old one, after it the new one, never less.

    `check` is called with what is served in that very moment, and may raise. Raises Outside when
    some reader's transaction keeps the view for all of `wait` seconds.
    """
    import psycopg

    deadline, told = time.monotonic() + wait, ""
    while True:
        try:
            with connection.transaction():
                _swap(connection, schema, view, table, check)
            return
        except psycopg.errors.LockNotAvailable:
            who = connection.execute(HOLDERS, (schema, view)).fetchone()
        other = f"{who[1]} (server process {who[0]})" if who else "a reader"
        if time.monotonic() >= deadline:
            raise Outside(
                f"`{schema}.{view}` cannot be swapped: a transaction of {other} has read it",
                hint="end it, or wait longer: --wait SECONDS; the table is loaded, and the same "
                "command again does the swap alone",
            )
        if other != told:
            tell(f"a transaction of {other} has read `{schema}.{view}`; waiting for it to end")
            told = other
        time.sleep(PAUSE)


def _swap(
    connection: Connection,
    schema: str,
    view: str,
    table: str,
    check: Callable[[str | None], None],
) -> None:
    from psycopg import sql

    connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(STANDSTILL)))
    # Two datasets may be about to be served under one name.
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"dreg view {schema}.{view}",)
    )
    before = served(connection, schema, view)
    check(before)
    called, new = sql.Identifier(schema, view), _shape(connection, schema, table)
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in new)
    select = sql.SQL("as select {} from {}").format(names, sql.Identifier(schema, table))
    old = _shape(connection, schema, view)
    if new[: len(old)] == old:
        connection.execute(sql.SQL("create or replace view {} {}").format(called, select))
    else:
        _make_anew(connection, schema, view, select)
    text = sql.Literal(json.dumps({"made_by": MADE_BY, "serves": table}))
    connection.execute(sql.SQL("comment on view {} is {}").format(called, text))
    record = records(connection, schema)[table]
    mark(connection, schema, table, served_now(record, time.time()))
    if before is not None:
        _let_read_on(connection, schema, before, table)
    _let_the_view_read(connection, schema, view, table)


def _make_anew(connection: Connection, schema: str, view: str, select: Any) -> None:
    """Other columns: Postgres replaces no view by one of those. Who may read it still may."""
    import psycopg
    from psycopg import sql

    called = sql.Identifier(schema, view)
    granted = _grants(connection, schema, view)
    try:
        connection.execute(sql.SQL("drop view {}").format(called))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise Refused(
            f"`{schema}.{view}` gets other columns, and others were made from it: "
            f"{' '.join((error.diag.message_detail or '').split())}",
            hint="drop those first, and make them again afterwards",
        ) from error
    connection.execute(sql.SQL("create view {} {}").format(called, select))
    _grant(connection, (schema, view), granted)


def _let_read_on(connection: Connection, schema: str, before: str, table: str) -> None:
    """Who may read the table that was served may read the one that is: `dreg search --version` does.

    Nobody is given the right to write to it.
    """
    there = _grants(connection, schema, table)
    reading = [one for one in _grants(connection, schema, before) if one[0] == "SELECT"]
    _grant(connection, (schema, table), [one for one in reading if one not in there])


def _let_the_view_read(connection: Connection, schema: str, view: str, table: str) -> None:
    """A view reads with its owner's rights, and another user may have loaded the table."""
    from psycopg import sql

    owner = _owner(connection, schema, view)
    if owner != _owner(connection, schema, table):
        _grant(connection, (schema, table), [("SELECT", owner, False)])
    # What nobody could read is not served: the swap is undone, and the old table stays.
    connection.execute(sql.SQL("select from {} limit 0").format(sql.Identifier(schema, view)))


def _owner(connection: Connection, schema: str, name: str) -> LiteralString:
    found: tuple[LiteralString] | None = connection.execute(OWNER, (schema, name)).fetchone()
    assert found is not None
    return found[0]


def _grants(connection: Connection, schema: str, name: str) -> list[Grant]:
    return connection.execute(GRANTS, (schema, name)).fetchall()


def _grant(connection: Connection, called: tuple[str, str], granted: Sequence[Grant]) -> None:
    from psycopg import sql

    for privilege, who, on in granted:
        # regrole's text is quoted as SQL has it already; privileges are words of Postgres.
        connection.execute(
            sql.SQL("grant {} on {} to {}{}").format(
                sql.SQL(privilege),
                sql.Identifier(*called),
                sql.SQL(who or "public"),
                sql.SQL(" with grant option" if on else ""),
            )
        )


def _shape(connection: Connection, schema: str, name: str) -> list[tuple[str, str]]:
    return connection.execute(SHAPE, (schema, name)).fetchall()
