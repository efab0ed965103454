"""The Postgres that PGVECTOR_* names, or an embedded one, and its errors in a user's terms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dreg.adapters.extras import needed
from dreg.errors import BadRequest, DregError, Outside

if TYPE_CHECKING:
    import psycopg

EXTRA = "vectors"
HOST, TABLE = "PGVECTOR_HOST", "PGVECTOR_TABLE_NAME"
PATIENCE = 10  # seconds to connect
# A build of an index sends nothing for long, and what is between us and the server may forget us.
KEPT_ALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10}
# Libpq tells of each address where it tried, and goes on with a question below the fact.
TOLD = re.compile(r"connection to server [^\n]*? failed: (?:[A-Z]+: +)?([^\n]+)")


@dataclass(frozen=True)
class Place:
    """A server and a database on it. What is empty is left to libpq: its variables, its password file."""

    host: str
    port: str = ""
    user: str = ""
    password: str = ""
    database: str = ""

    def __repr__(self) -> str:
        return f"<Postgres at {self}>"

    def __str__(self) -> str:
        if self.host.startswith("/"):
            return self.host + (f" (database {self.database})" if self.database else "")
        port = f":{self.port}" if self.port else ""
        return f"{self.host}{port}" + (f"/{self.database}" if self.database else "")


def configured(environment: Mapping[str, str]) -> Place | None:
    """The server that PGVECTOR_* names; None where they name none. Raises BadRequest for half of one."""
    given = {
        part: environment.get(f"PGVECTOR_{part.upper()}", "").strip()
        for part in ("host", "port", "user", "database")
    }
    password = environment.get("PGVECTOR_PASSWORD", "")
    if not given["host"]:
        if any(given.values()) or password:
            raise BadRequest(
                f"of a Postgres server {HOST} is missing, and others of PGVECTOR_* are set",
                hint=f"set {HOST} too, or unset the others",
            )
        return None
    port = given["port"]
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadRequest(
            f"`{port}` is no port", hint="PGVECTOR_PORT is a number; Postgres itself takes 5432"
        )
    return Place(password=password, **given)


def chosen(embedded: bool) -> Place:
    """The configured server, or the embedded one if that is asked for; never one for the other.

    Raises BadRequest when both are meant, or none.
    """
    place = configured(os.environ)
    if embedded and place is not None:
        raise BadRequest(
            f"--embedded, and {HOST} names a server ({place})",
            hint=f"leave out one of them: env -u {HOST} dreg ... --embedded",
        )
    if embedded:
        from dreg.adapters.postgres.embedded import start

        return start()
    if place is None:
        raise BadRequest(
            "no Postgres server is named",
            hint=f"set {HOST}, PGVECTOR_USER, PGVECTOR_PASSWORD and PGVECTOR_DATABASE, "
            "or try it without a server: --embedded",
        )
    return place


@contextmanager
def connected(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own, in autocommit. Raises as `explained` does."""
    psycopg = needed("psycopg", EXTRA)
    given = {"host": place.host, "port": place.port, "user": place.user}
    given |= {"password": place.password, "dbname": place.database}
    try:
        connection = psycopg.connect(
            **{name: value for name, value in given.items() if value},
            autocommit=True,
            connect_timeout=PATIENCE,
            application_name="dreg",
            **KEPT_ALIVE,
        )
    except psycopg.Error as error:
        raise _unreachable(error, place) from error
    with explained(place):
        try:
            # Limits that were set for queries are none for building an index.
            connection.execute("set statement_timeout = 0")
            connection.execute("set idle_in_transaction_session_timeout = 0")
            yield connection
        finally:
            connection.close()


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Errors of Postgres as ours: Outside, with what the server says."""
    import psycopg

    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        said = _said(error)
        raise Outside(
            f"Postgres at {place} does not let this user do that: {said}",
            hint="use the PGVECTOR_USER who owns it, or have that one grant its role to this user"
            if said.startswith("must be owner of")
            else "have its owner grant USAGE and CREATE on the schema, or use another PGVECTOR_USER",
        ) from error
    except psycopg.errors.DiskFull as error:
        raise Outside(
            f"Postgres at {place} has no space left: {_said(error)}",
            hint="free some, then run the command again; what is served is as before",
        ) from error
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
        raise Outside(
            f"Postgres at {place} does not take a row of the release: {_said(error)}",
            hint="tell the registry's owner, or load another version; what is served is as before",
        ) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise Outside(
            f"Postgres at {place} is only to be read: {_said(error)}",
            hint=f"load into the server that it follows: {HOST}; or have its administrator set "
            "default_transaction_read_only to off",
        ) from error
    except psycopg.Error as error:
        raise _failure(error, place) from error


def _failure(error: Any, place: Place) -> DregError:
    import psycopg

    state = error.sqlstate or ""
    if isinstance(error, psycopg.OperationalError) and (state[:2] in ("", "08", "57")):
        return Outside(
            f"the connection to Postgres at {place} was lost: {_said(error)}",
            hint="run the command again when it is back; until then what is served is as before",
        )
    return Outside(
        f"Postgres at {place} failed: {_said(error)}",
        hint="run the command again with --debug to see where",
    )


def _said(error: Any) -> str:
    """What the server says, in one line."""
    told = error.diag.message_primary or next(iter(str(error).strip().splitlines()), "")
    return " ".join(told.split()).rstrip(".") or type(error).__name__


def _unreachable(error: Any, place: Place) -> DregError:
    text = str(error)
    said = _of_connecting(text) or type(error).__name__
    if "password" in text or "authentication" in text or "pg_hba.conf" in text:
        return Outside(
            f"Postgres at {place} refused access: {said}",
            hint="check PGVECTOR_USER and PGVECTOR_PASSWORD",
        )
    if "does not exist" in text:
        return Outside(
            f"Postgres at {place} has no such database or user: {said}",
            hint="check PGVECTOR_DATABASE and PGVECTOR_USER",
        )
    return Outside(
        f"Postgres at {place} cannot be reached: {said}",
        hint=f"check that it runs, and {HOST} and PGVECTOR_PORT",
    )


def _of_connecting(text: str) -> str:
    """The fact in what libpq tells of a connection that it did not get: of the first address, where it
    tried several."""
    if (told := TOLD.search(text)) is not None:
        return " ".join(told[1].split()).rstrip(".")
    first = next(iter(text.strip().splitlines()), "").removeprefix("connection failed: ")
    return " ".join(first.split()).rstrip(".")
