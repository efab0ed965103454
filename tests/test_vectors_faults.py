"""What readers see while versions are swapped and loaders die: the old version or the new one, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.passages import NAME, VIEW, Shelf

SIZES = {"1.0.0": 60, "1.1.0": 70, "1.2.0": 80}
WAIT = 120.0
LOCK = 7
# Where a load waits for the lock: before it copies a row into its new table, and before it makes an index.
STOPS = {
    "copying": """
        create function wait() returns trigger language plpgsql as
            $$ begin perform pg_advisory_xact_lock(7); return null; end $$;
        create function stop() returns event_trigger language plpgsql as $$
            declare made record;
            begin
                for made in select * from pg_event_trigger_ddl_commands() where object_type = 'table' loop
                    execute format('create trigger wait before insert on %s execute function wait()', made.object_identity);
                end loop;
            end $$;
        create event trigger stop on ddl_command_end when tag in ('CREATE TABLE') execute function stop();
    """,
    "indexing": """
        create function stop() returns event_trigger language plpgsql as
            $$ begin perform pg_advisory_xact_lock(7); end $$;
        create event trigger stop on ddl_command_start when tag in ('CREATE INDEX') execute function stop();
    """,
}


@contextmanager
def stopped(shelf: Shelf, moment: str) -> Iterator[Callable[[], None]]:
    """Loads get no further than that until the block ends; what is given waits for one to be there."""
    query = "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
    with shelf.postgres.connect(application_name="stop") as holder:
        holder.execute(STOPS[moment])
        holder.execute("select pg_advisory_lock(%s)", (LOCK,))
        yield lambda: until(lambda: shelf.postgres.rows(query))


class Reader(threading.Thread):
    """Asks the view again and again, and notes what it sees."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(daemon=True)
        # Who serves another version has readers wait for half a second at most.
        options = "-c lock_timeout=1500ms"
        self.connection = shelf.postgres.connect(application_name="reader", options=options)
        self.seen: list[tuple[str, int]] = []
        self.failed: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        query = f"select data_version, count(*) from {VIEW} group by 1"
        while not self.stop.is_set():
            try:
                (row,) = self.connection.execute(query).fetchall()
                self.seen.append(row)
            except Exception as error:
                self.failed.append(repr(error))

    @contextmanager
    def reading(self):
        self.start()
        try:
            yield self
        finally:
            self.stop.set()
            self.join(WAIT)
            self.connection.close()


def start(shelf: Shelf, *options: str, request: str = NAME) -> subprocess.Popen[str]:
    return subprocess.Popen(
        shelf.made.command("vectors", "load", request, *options),
        cwd=shelf.made.train,
        env={**os.environ, **shelf.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(holds) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def served(shelf: Shelf) -> str:
    return shelf.postgres.one(f"select distinct data_version from {VIEW}").rpartition("-v")[2]


def test_readers_see_a_whole_version_at_any_moment(shelf):
    for version, rows in SIZES.items():
        shelf.release(version, rows=rows)
    shelf.load(f"{NAME}@1.0.0")
    with Reader(shelf).reading() as reader:
        for version in ("1.1.0", "1.2.0", "1.1.0", "1.0.0"):
            shelf.load(f"{NAME}@{version}")
        for version in ("1.1.0", "1.0.0") * 3:
            assert shelf.dreg("vectors", "rollback", NAME, "--to", version).code == 0
    assert reader.failed == []
    whole = {(f"{NAME}-v{version}", rows) for version, rows in SIZES.items()}
    assert set(reader.seen) == whole


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_snapshot_from_before_the_load_never_finds_the_table_empty(shelf, level):
    """Postgres reads its catalogue as of now, and rows as of the snapshot."""
    for version, rows in SIZES.items():
        shelf.release(version, rows=rows)
    shelf.load(f"{NAME}@1.0.0")
    reader = shelf.postgres.connect(application_name="analyst")
    reader.execute(f"begin isolation level {level}")
    reader.execute("select 1").fetchall()  # the snapshot; the view is not touched yet
    shelf.load(f"{NAME}@1.1.0")
    query = f"select data_version, count(*), min(h1) from {VIEW} group by 1"
    assert reader.execute(query).fetchall() == [(f"{NAME}-v1.1.0", 70, "Infrastructure")]
    reader.execute("set local enable_seqscan = off")
    nearest = f"select count(*) from (select key from {VIEW} order by vector::halfvec(8) <=> '[1,0,0,0,0,0,0,0]' limit 5) n"
    assert reader.execute(nearest).fetchall() == [(5,)]
    reader.close()


def test_a_reader_who_keeps_the_view_keeps_nobody_else_waiting(shelf):
    for version in ("1.0.0", "1.1.0"):
        shelf.release(version)
    shelf.load(f"{NAME}@1.0.0")
    slow = shelf.postgres.connect(application_name="slow")
    slow.execute("begin")
    slow.execute(f"select * from {VIEW}").fetchall()
    with Reader(shelf).reading() as reader:
        done = shelf.dreg("vectors", "load", f"{NAME}@1.1.0", "--wait", "1")
    assert done.code == 3
    assert "a transaction of slow (server process " in done.stderr
    assert reader.failed == []
    slow.execute("commit")
    told = shelf.load(f"{NAME}@1.1.0")
    assert (told["loaded"], told["swapped"]) == (False, True)
    slow.close()


@pytest.mark.parametrize("moment", STOPS)
def test_a_loader_that_is_killed_leaves_the_old_version_served(shelf, moment):
    shelf.release("1.0.0")
    shelf.load()
    shelf.release("1.1.0", rows=70)
    new = "readme_vectors_v1_1_0"
    with stopped(shelf, moment) as there:
        loader = start(shelf)
        there()
        loader.kill()
        loader.communicate()
        assert served(shelf) == "1.0.0"
    again = shelf.dreg("vectors", "load", NAME)
    assert again.code == 0, again.stderr
    assert f"removed what a load that broke off had left: {new}" in again.stderr
    assert served(shelf) == "1.1.0"
    assert shelf.postgres.one(f"select count(*) from {VIEW}") == 70
    assert shelf.postgres.tables == {VIEW, "readme_vectors_v1_0_0", new}


def test_what_a_killed_loader_left_goes_with_the_next_version_too(shelf):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        shelf.release(version)
    shelf.load(f"{NAME}@1.0.0")
    with stopped(shelf, "copying") as there:
        loader = start(shelf, request=f"{NAME}@1.1.0")
        there()
        loader.kill()
        loader.communicate()
    assert "readme_vectors_v1_1_0" in shelf.postgres.tables
    shelf.load(f"{NAME}@1.2.0")
    assert "readme_vectors_v1_1_0" not in shelf.postgres.tables


@pytest.mark.parametrize("moment", STOPS)
def test_an_interrupt_ends_it_and_nothing_is_served(shelf, moment):
    shelf.release("1.0.0")
    shelf.load()
    shelf.release("1.1.0")
    with stopped(shelf, moment) as there:
        loader = start(shelf)
        there()
        loader.send_signal(signal.SIGINT)
        _, stderr = loader.communicate(timeout=WAIT)
    assert loader.returncode != 0
    assert "Traceback" not in stderr
    assert served(shelf) == "1.0.0"


@pytest.mark.parametrize("moment", STOPS)
def test_a_server_that_goes_away_is_told_and_the_old_version_is_served(shelf, moment):
    shelf.release("1.0.0")
    shelf.load()
    shelf.release("1.1.0")
    end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dreg' and datname = current_database()"
    with stopped(shelf, moment) as there:
        loader = start(shelf)
        there()
        shelf.postgres.rows(end)
        _, stderr = loader.communicate(timeout=WAIT)
    assert loader.returncode == 3, stderr
    assert "the connection to Postgres at " in stderr
    assert "was lost" in stderr
    assert "what is served is as before" in stderr
    assert served(shelf) == "1.0.0"
    assert shelf.load()["version"] == "1.1.0"


def test_of_two_loaders_one_loads_and_the_other_finds_it_done(shelf):
    shelf.release("1.0.0")
    with stopped(shelf, "copying") as there:
        first = start(shelf, "--json")
        there()
        second = start(shelf, "--json")
        assert second.stderr is not None
        told = next(line for line in second.stderr if "are being loaded" in line)
    assert told.startswith(f"vectors of `public.{NAME}` are being loaded by dreg (server process ")
    ended = [loader.communicate(timeout=WAIT) for loader in (first, second)]
    assert [loader.returncode for loader in (first, second)] == [0, 0], ended
    assert ['"loaded": true' in stdout for stdout, _ in ended] == [True, False]
    assert served(shelf) == "1.0.0"


def test_who_does_not_wait_is_told_who_loads(shelf):
    shelf.release("1.0.0")
    with stopped(shelf, "copying") as there:
        loader = start(shelf)
        there()
        done = shelf.dreg("vectors", "load", NAME, "--wait", "0")
    assert done.code == 3
    assert "are still being loaded by dreg (server process " in done.stderr
    assert loader.wait(WAIT) == 0


# Servers that are no help


def test_a_wrong_password_is_told(shelf):
    role, host = f"keeper_{os.getpid()}", shelf.postgres.environment["PGVECTOR_HOST"]
    shelf.postgres.do(f"create role {role} login password 'right'")
    rules = Path(shelf.postgres.one("show hba_file"))
    before = rules.read_text()
    try:
        rules.write_text(f"local all {role} scram-sha-256\n{before}")
        shelf.postgres.rows("select pg_reload_conf()")
        shelf.release("1.0.0")
        given = {"PGVECTOR_USER": role, "PGVECTOR_PASSWORD": "wrong-and-secret"}
        until(lambda: shelf.dreg("vectors", "list", NAME, **given).code == 3)
        done = shelf.dreg("vectors", "load", NAME, **given)
        assert done.code == 3
        assert f"Postgres at {host}" in done.stderr
        said = f'refused access: password authentication failed for user "{role}"\n'
        assert said in done.stderr
        assert "hint: check PGVECTOR_USER and PGVECTOR_PASSWORD" in done.stderr
        assert "wrong-and-secret" not in done.stderr
    finally:
        rules.write_text(before)
        shelf.postgres.rows("select pg_reload_conf()")
        shelf.postgres.do(f"drop role {role}")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (
            {"PGVECTOR_HOST": "127.0.0.1", "PGVECTOR_PORT": "1"},
            "cannot be reached: Connection refused\n",
        ),
        (
            {"PGVECTOR_HOST": "localhost", "PGVECTOR_PORT": "1"},
            "cannot be reached: Connection refused\n",
        ),
        (
            {"PGVECTOR_HOST": "/nowhere"},
            "cannot be reached: No such file or directory\n",
        ),
        ({"PGVECTOR_HOST": "no-such-host.invalid"}, "cannot be reached: "),
        (
            {"PGVECTOR_DATABASE": "nothing"},
            'has no such database or user: database "nothing" does not exist\n',
        ),
    ],
)
def test_a_server_that_cannot_be_used_is_named(shelf, given, what):
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME, **given)
    assert (done.code, what in done.stderr, "hint: check" in done.stderr) == (3, True, True), done
    assert ("?" in done.stderr, "connection failed" in done.stderr) == (False, False), done


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"PGVECTOR_HOST": ""}, "PGVECTOR_HOST is missing"),
        ({"PGVECTOR_HOST": "", "PGVECTOR_USER": "", "PGVECTOR_DATABASE": ""}, "no Postgres server is named"),
        ({"PGVECTOR_PORT": "many"}, "`many` is no port"),
    ],
)  # fmt: skip
def test_half_a_server_is_none(shelf, given, what):
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME, **given)
    assert (done.code, what in done.stderr) == (2, True), done.stderr


def test_the_embedded_server_never_takes_the_place_of_one_that_is_named(shelf):
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME, "--embedded")
    assert (done.code, "--embedded, and PGVECTOR_HOST names a server" in done.stderr) == (2, True)


def test_a_server_without_pgvector_is_told(shelf):
    database = shelf.postgres.environment["PGVECTOR_DATABASE"]
    shelf.postgres.do(f"alter database {database} set extension_control_path = '/nowhere'")
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, "the Postgres server has no pgvector" in done.stderr) == (3, True)


def test_a_server_that_only_follows_another_is_told(shelf):
    database = shelf.postgres.environment["PGVECTOR_DATABASE"]
    shelf.postgres.do("create extension vector")
    shelf.postgres.do(f"alter database {database} set default_transaction_read_only = on")
    shelf.release("1.0.0")
    done = shelf.dreg("vectors", "load", NAME)
    assert (done.code, "is only to be read: cannot execute CREATE TABLE" in done.stderr) == (
        3,
        True,
    )
    assert "hint: load into the server that it follows: PGVECTOR_HOST" in done.stderr


def test_an_extension_that_the_user_may_not_create_is_told(shelf):
    role = f"guest_{os.getpid()}"
    shelf.postgres.do(f"create role {role} login")
    try:
        shelf.release("1.0.0")
        done = shelf.dreg("vectors", "load", NAME, PGVECTOR_USER=role)
        assert done.code == 3
        assert (
            "the database has no extension `vector`, and this user may not create it" in done.stderr
        )
        assert "CREATE EXTENSION vector" in done.stderr
    finally:
        shelf.postgres.do(f"drop role {role}")


def test_a_user_who_may_use_only_one_schema_needs_no_more(shelf):
    role = f"loader_{os.getpid()}"
    shelf.postgres.do("create extension vector")
    shelf.postgres.do(f"create role {role} login")
    try:
        shelf.postgres.do("revoke create on schema public from public")
        shelf.release("1.0.0")
        shelf.release("1.1.0")
        done = shelf.dreg("vectors", "load", NAME, PGVECTOR_USER=role)
        assert (done.code, "does not let this user do that" in done.stderr) == (3, True), (
            done.stderr
        )
        shelf.postgres.do(f"create schema own authorization {role}")
        given = {"PGVECTOR_USER": role, "PGVECTOR_TABLE_NAME": "own.passages"}
        shelf.load(f"{NAME}@1.0.0", **given)
        assert shelf.load(f"{NAME}@1.1.0", **given)["swapped"]
    finally:
        shelf.postgres.do(f"drop owned by {role} cascade")
        shelf.postgres.do(f"drop role {role}")


# The embedded server


def without_server(shelf: Shelf, folder: Path) -> dict[str, str]:
    named = {name: "" for name in shelf.environment() if name.startswith("PGVECTOR_")}
    return {**os.environ, **shelf.environment(), **named, "XDG_DATA_HOME": str(folder)}


def embedded(shelf: Shelf, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shelf.made.command("vectors", *arguments, "--embedded"),
        cwd=shelf.made.train,
        env=without_server(shelf, folder),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_embedded_server_keeps_what_it_was_given(shelf, open_folder):
    shelf.release("1.0.0")
    done = embedded(shelf, open_folder, "load", NAME)
    assert done.returncode == 0, done.stderr
    assert "public.readme_vectors serves readme-vectors 1.0.0" in done.stdout
    assert "1.0.0    served" in embedded(shelf, open_folder, "list", NAME).stdout
    data = open_folder / "dreg" / "postgres"
    assert (data / "PG_VERSION").is_file()
    assert not (data / "postmaster.pid").exists(), "it ended with the last who used it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root the server is another user's")
def test_for_the_embedded_server_no_home_is_opened_to_everybody(shelf, open_folder):
    shelf.release("1.0.0")
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    done = embedded(shelf, home, "load", NAME)
    assert (done.returncode, f"would open `{home}` to everybody" in done.stderr) == (1, True)
    assert home.stat().st_mode & 0o777 == 0o700
