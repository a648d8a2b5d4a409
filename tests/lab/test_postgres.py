"""A PostgreSQL of the run's own can be broken in many ways, and keeps what it acknowledged."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import errors

from mainstay.lab.lab import Lab, LabError
from mainstay.lab.postgres import Postgres
from mainstay.lab.postgres_rows import Table
from mainstay.lab.process_tree import await_gone

SOON = 20.0  # seconds, on a machine that has other things to do


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[Postgres]:
    postgres = Postgres(lab, "database")
    postgres.start()
    postgres.settle()
    yield postgres
    postgres.end()


@pytest.fixture
def postgres(server: Postgres) -> Iterator[Postgres]:
    """Running, with one empty table."""
    server.ensure_running()
    with service(server) as connection:
        connection.execute("CREATE TABLE orders (id bigserial PRIMARY KEY, note text)")
    yield server
    server.ensure_running()
    with server.connect() as connection:
        connection.execute("DROP TABLE orders")


def service(postgres: Postgres, **options: Any) -> psycopg.Connection[Any]:
    """A connection as the service opens it."""
    return psycopg.connect(postgres.url(postgres.port), autocommit=True, **options)


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    ends = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)


class Writer(threading.Thread):
    """Inserts numbers one after the other, on a connection of its own, until it fails or is told to stop."""

    def __init__(self, postgres: Postgres) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self._connection = service(postgres)
        self._told = threading.Event()

    def run(self) -> None:
        with self._connection as connection:
            while not self._told.is_set():
                note = f"{self.name} {len(self.acknowledged)}"
                try:
                    connection.execute("INSERT INTO orders (note) VALUES (%s)", (note,))
                except psycopg.OperationalError:
                    return
                self.acknowledged.append(note)

    def finish(self) -> None:
        self._told.set()
        self.join(SOON)
        assert not self.is_alive()


@pytest.fixture
def writers(postgres: Postgres) -> Iterator[list[Writer]]:
    started = [Writer(postgres) for _ in range(3)]
    for writer in started:
        writer.start()
    until(lambda: all(len(writer.acknowledged) > 5 for writer in started))
    yield started
    postgres.ensure_running()
    for writer in started:
        writer.finish()


def notes(postgres: Postgres) -> list[str]:
    with postgres.connect() as connection:
        return [note for (note,) in connection.execute("SELECT note FROM orders")]


# --- how it stands there -------------------------------------------------------------------------


def test_it_listens_on_this_machine_alone(postgres: Postgres) -> None:
    with postgres.connect() as connection:
        shown = connection.execute("SELECT current_setting('listen_addresses')").fetchone()
    assert shown == ("127.0.0.1",)
    with socket.create_connection(("127.0.0.1", postgres.port), SOON):
        pass


def test_durability_is_on_and_a_hundred_connections_are_the_most(postgres: Postgres) -> None:
    names = ("fsync", "synchronous_commit", "full_page_writes", "max_connections", "server_encoding")
    with postgres.connect() as connection:
        shown = [connection.execute("SELECT current_setting(%s)", (name,)).fetchone() for name in names]
    assert shown == [("on",), ("on",), ("on",), ("100",), ("UTF8",)]


@pytest.mark.parametrize("role", ["app", "mainstay", "mainstay_holder", "postgres"])
def test_nobody_gets_in_without_the_password(postgres: Postgres, role: str) -> None:
    for password in ("", "wrong"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(
                host="127.0.0.1",
                port=postgres.port,
                user=role,
                password=password,
                passfile=os.devnull,
                dbname="app",
            )


def test_the_fields_lead_to_the_database_through_whatever_port(postgres: Postgres) -> None:
    assert postgres.fields(7) == {
        "host": "127.0.0.1",
        "port": "7",
        "user": "app",
        "password": postgres.password,
        "database": "app",
        "url": f"postgresql://app:{postgres.password}@127.0.0.1:7/app",
    }
    assert postgres.url(7, "postgresql+psycopg", "other").startswith("postgresql+psycopg://app:")
    assert postgres.url(7, "postgresql+psycopg", "other").endswith("@127.0.0.1:7/other")


def test_the_service_owns_its_database_and_is_no_superuser_once_settled(postgres: Postgres) -> None:
    with service(postgres) as connection:
        row = connection.execute(
            "SELECT current_user, rolsuper, datdba::regrole::text FROM pg_roles, pg_database "
            "WHERE rolname = current_user AND datname = current_database()"
        ).fetchone()
    assert row == ("app", False, "app")


@pytest.mark.skipif(os.getuid() != 0, reason="whoever is not root stays who he is")
def test_as_root_it_runs_as_nobody(postgres: Postgres) -> None:
    first = psutil.Process(_first_pid(postgres))
    assert {process.uids().effective for process in (first, *first.children())} == {65534}


def _first_pid(postgres: Postgres) -> int:
    with postgres.connect() as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        parent = psutil.Process(row[0]).parent()
    assert parent is not None
    return parent.pid


# --- broken and back -----------------------------------------------------------------------------


def test_a_pause_lets_nobody_through_and_loses_nothing(postgres: Postgres, writers: list[Writer]) -> None:
    postgres.pause()
    before = [len(writer.acknowledged) for writer in writers]
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        service(postgres, connect_timeout=2)  # the least there is
    first = psutil.Process(_pid_of(postgres))
    states = {process.status() for process in (first, *first.children(recursive=True))}
    assert postgres.paused
    assert states == {psutil.STATUS_STOPPED}
    still = [len(writer.acknowledged) for writer in writers]
    assert all(0 <= now - then <= 1 for then, now in zip(before, still, strict=True))  # one was on its way
    postgres.resume()
    until(
        lambda: all(
            len(writer.acknowledged) > count + 5 for writer, count in zip(writers, still, strict=True)
        )
    )
    for writer in writers:
        writer.finish()
    expected = [note for writer in writers for note in writer.acknowledged]
    assert sorted(notes(postgres)) == sorted(expected)


def _pid_of(postgres: Postgres) -> int:
    """Of its first process, when nobody can ask it."""
    return next(
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if f"port={postgres.port}" in (process.info["cmdline"] or ())
    )


def test_what_was_acknowledged_outlives_a_kill(postgres: Postgres, writers: list[Writer]) -> None:
    postgres.kill()
    assert not postgres.running
    for writer in writers:
        writer.finish()  # their connections were cut
    postgres.start()
    assert 0 < postgres.start_seconds < SOON
    found = notes(postgres)
    assert len(found) == len(set(found))
    assert set(found) >= {note for writer in writers for note in writer.acknowledged}


def test_a_kill_leaves_no_process_and_refuses_connections(postgres: Postgres) -> None:
    first = psutil.Process(_first_pid(postgres))
    everyone = [first, *first.children(recursive=True)]
    postgres.kill()
    assert await_gone(everyone, 0.0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", postgres.port), SOON).close()


def test_it_can_be_killed_while_it_is_paused(postgres: Postgres) -> None:
    postgres.pause()
    postgres.kill()
    assert not postgres.paused
    postgres.start()
    assert postgres.counts() == {"orders": 0}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_stop_cuts_the_sessions_and_a_start_brings_it_back(postgres: Postgres, mode: str) -> None:
    with service(postgres) as connection:
        connection.execute("INSERT INTO orders (note) VALUES ('kept')")
        postgres.stop(mode)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert not postgres.running
    postgres.start()
    assert notes(postgres) == ["kept"]


def test_ensure_running_mends_whatever_was_done(postgres: Postgres) -> None:
    for breaks in (postgres.pause, postgres.kill, postgres.stop, lambda: None):
        breaks()
        postgres.ensure_running()
        assert postgres.counts() == {"orders": 0}


# --- slots ---------------------------------------------------------------------------------------


def test_holding_slots_leaves_the_service_as_many_as_told_and_us_a_way_in(postgres: Postgres) -> None:
    opened: list[psycopg.Connection[Any]] = []
    try:
        with postgres.hold_slots(leave=2) as hold:
            assert hold.held == 95  # of 100, 3 are for superusers
            opened += [service(postgres), service(postgres)]
            with pytest.raises(psycopg.OperationalError, match="slots"):
                service(postgres)
            assert len(postgres.sessions()) == 2
        opened.append(service(postgres))
    finally:
        for connection in opened:
            connection.close()


def test_the_sessions_tell_who_sits_in_a_transaction_and_who_waits_for_a_lock(postgres: Postgres) -> None:
    with service(postgres, application_name="idler") as idler, service(postgres) as waiter:
        idler.execute("BEGIN")
        idler.execute("LOCK TABLE orders")
        waiting = threading.Thread(target=waiter.execute, args=("INSERT INTO orders (note) VALUES ('late')",))
        waiting.start()
        until(lambda: any(session.wait.startswith("Lock:") for session in postgres.sessions()))
        sitting, stuck = postgres.sessions()
        idler.execute("ROLLBACK")
        waiting.join(SOON)
    assert (sitting.application, sitting.state, sitting.user, sitting.database) == (
        "idler",
        "idle in transaction",
        "app",
        "app",
    )
    assert 0 < sitting.seconds <= sitting.transaction < SOON
    assert (stuck.state, stuck.wait, stuck.query) == (
        "active",
        "Lock:relation",
        "INSERT INTO orders (note) VALUES ('late')",
    )


# --- what is in it -------------------------------------------------------------------------------


def test_counts_list_the_tables_of_every_schema_and_no_others(postgres: Postgres) -> None:
    with service(postgres) as connection:
        connection.execute("INSERT INTO orders (note) VALUES ('a'), ('b')")
        connection.execute("CREATE SCHEMA audit")
        connection.execute('CREATE UNLOGGED TABLE audit."Log" (line text)')
        connection.execute("CREATE TEMPORARY TABLE passing (x int)")
        assert postgres.tables() == [Table("audit", "Log", unlogged=True), Table("public", "orders")]
        assert postgres.counts() == {"audit.Log": 0, "orders": 2}
        connection.execute("DROP SCHEMA audit CASCADE")


def test_a_digest_ignores_the_order_of_rows_and_sees_everything_else(postgres: Postgres) -> None:
    def digest(*rows: str) -> str:
        with service(postgres) as connection:
            connection.execute("CREATE TABLE bag (x text, at timestamptz DEFAULT '2026-01-01 00:00+00')")
            for row in rows:
                connection.execute("INSERT INTO bag (x) VALUES (%s)", (row,))
            try:
                return postgres.digest(Table("public", "bag"))
            finally:
                connection.execute("DROP TABLE bag")

    assert digest("a", "b", "c") == digest("c", "a", "b")
    others = [digest(), digest("a"), digest("a", "a"), digest("a", "b"), digest("a", "B"), digest("a,b")]
    assert len(set(others)) == len(others)


def test_a_digest_does_not_depend_on_the_settings_of_a_database(postgres: Postgres) -> None:
    with service(postgres) as connection:
        connection.execute(
            "CREATE TABLE times AS SELECT now() AS at, interval '1 day' AS length, 0.1::float8 AS x"
        )
        before = postgres.digests()
        connection.execute("ALTER DATABASE app SET TimeZone = 'Asia/Tokyo'")
        connection.execute("ALTER DATABASE app SET IntervalStyle = 'iso_8601'")
        connection.execute("ALTER DATABASE app SET extra_float_digits = -5")
        assert postgres.digests() == before
        connection.execute("ALTER DATABASE app RESET ALL")
        connection.execute("DROP TABLE times")


def test_a_restored_dump_holds_the_same_rows(postgres: Postgres, tmp_path: Path) -> None:
    with service(postgres) as connection:
        connection.execute(
            "INSERT INTO orders (note) SELECT 'order ' || n FROM generate_series(1, 5000) AS n"
        )
    taken = postgres.dump(tmp_path / "dump")
    postgres.create_database("restored")
    read = postgres.restore(tmp_path / "dump", "restored")
    assert postgres.counts("restored") == {"orders": 5000}
    assert postgres.digests("restored") == postgres.digests()
    assert 0 < taken < SOON
    assert 0 < read < SOON
    postgres.drop_database("restored")


def test_a_restore_that_fails_says_so_with_the_last_lines(postgres: Postgres, tmp_path: Path) -> None:
    (tmp_path / "dump").write_text("no dump")
    with pytest.raises(LabError, match="pg_restore ended with status 1") as raised:
        postgres.restore(tmp_path / "dump", "app")
    assert "not appear to be a valid archive" in str(raised.value)


def test_a_database_can_be_copied_and_dropped_with_whoever_is_in_it(postgres: Postgres) -> None:
    with service(postgres) as connection:
        connection.execute("INSERT INTO orders (note) VALUES ('first')")
    until(lambda: not postgres.sessions())
    postgres.create_database("copy", template="app")
    with psycopg.connect(postgres.url(postgres.port, database="copy")) as connection:
        assert connection.execute("SELECT note FROM orders").fetchall() == [("first",)]
        postgres.drop_database("copy")
        with pytest.raises(errors.AdminShutdown):
            connection.execute("SELECT 1")
    postgres.drop_database("copy")  # nothing happens


def test_a_database_that_cannot_be_made_is_told_in_one_sentence(postgres: Postgres) -> None:
    with pytest.raises(LabError, match=r'the database app cannot be made: database "app" already exists\.$'):
        postgres.create_database("app")


# --- its log -------------------------------------------------------------------------------------


def test_the_errors_of_the_service_are_told_and_ours_are_not(postgres: Postgres) -> None:
    began = time.monotonic()
    with service(postgres) as connection, pytest.raises(errors.UndefinedTable):
        connection.execute("SELECT * FROM nowhere")
    with postgres.connect() as ours, pytest.raises(errors.UndefinedTable):
        ours.execute("SELECT * FROM elsewhere")
    until(lambda: bool(postgres.errors(began)))
    (error,) = postgres.errors(began - 0.001)
    assert (error.severity, error.user) == ("ERROR", "app")
    assert error.text == 'relation "nowhere" does not exist at character 15'
    assert began - 0.01 < error.at < time.monotonic()
    assert postgres.errors(time.monotonic()) == []


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fsync", "PORT", "listen_addresses"])
def test_a_setting_that_would_void_the_proof_is_refused(lab: Lab, name: str) -> None:
    with pytest.raises(LabError, match=f"The setting `{name}` of PostgreSQL cannot be changed"):
        Postgres(lab, "other", user_settings={name: "off"})


def test_a_setting_that_the_server_does_not_know_ends_in_a_sentence_with_its_log(lab: Lab) -> None:
    postgres = Postgres(lab, "mistaken", user_settings={"max_conections": "10"})
    with pytest.raises(LabError) as raised:
        postgres.start()
    sentence, _, *lines = str(raised.value).splitlines()
    assert sentence.startswith("mistaken (PostgreSQL ")
    assert sentence.endswith(") did not start.")
    assert any('unrecognized configuration parameter "max_conections"' in line for line in lines)
    postgres.end()


def test_a_second_one_of_the_same_name_is_another_with_settings_of_its_own(
    postgres: Postgres, lab: Lab
) -> None:
    second = Postgres(lab, "database", user_settings={"max_connections": "17", "statement_timeout": "5s"})
    second.start()
    with service(second) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("17",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5s",)
    assert (second.counts(), postgres.counts()) == ({}, {"orders": 0})
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.url(second.port))
    second.end()
    assert postgres.running


# --- nothing is left -----------------------------------------------------------------------------


def test_until_it_is_settled_a_migration_may_do_anything_and_nothing_of_it_is_left() -> None:
    segments = Path("/proc/sysvipc/shm")
    with Lab() as lab:
        postgres = Postgres(lab, "database")
        postgres.start()
        with service(postgres) as connection:
            connection.execute("CREATE EXTENSION vector")
            connection.execute("CREATE ROLE reader")
        assert postgres.counts() == {}
        first = psutil.Process(_first_pid(postgres))
        everyone = [first, *first.children(recursive=True)]
        folder = lab.folder
    assert not folder.exists()
    assert await_gone(everyone, SOON)
    pids = {str(process.pid) for process in everyone}
    if segments.exists():  # one is left behind by a server that is killed
        creators = {line.split()[4] for line in segments.read_text().splitlines()[1:]}
        assert not pids & creators
