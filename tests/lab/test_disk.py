"""A database on a small disk runs out of space, keeps what it acknowledged, and nobody else sees the disk."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from mainstay.lab import disk
from mainstay.lab.disk import Disk
from mainstay.lab.lab import Lab, LabError
from mainstay.lab.postgres import Postgres

MEGABYTE = 1 << 20

possible = pytest.mark.skipif(bool(disk.possible()), reason=disk.possible() or "possible")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[Postgres]:
    postgres = Postgres(lab, "database", disk=96)
    postgres.start()
    yield postgres
    postgres.end()


@pytest.fixture
def postgres(server: Postgres) -> Iterator[Postgres]:
    """Running, with one row in one table, and space left."""
    with server.connect() as connection:
        connection.execute("CREATE TABLE orders (note text)")
        connection.execute("INSERT INTO orders VALUES ('kept')")
    yield server
    _disk(server).empty()
    server.ensure_running()
    with server.connect() as connection:
        connection.execute("DROP TABLE orders")


def _disk(postgres: Postgres) -> Disk:
    assert postgres.disk is not None
    return postgres.disk


def insert(connection: psycopg.Connection[Any], rows: int) -> None:
    connection.execute("INSERT INTO orders SELECT repeat('x', 1000) FROM generate_series(1, %s)", (rows,))


def write_log(postgres: Postgres, megabytes: int) -> None:
    """Make the server write so much to its own log, and nothing else."""
    with postgres.connect() as connection:
        for _ in range(megabytes):
            connection.execute("SELECT pg_logical_emit_message(false, 'log', repeat('x', 1000000))")


@possible
def test_a_full_disk_refuses_an_insert_and_an_emptied_one_takes_it(postgres: Postgres) -> None:
    assert _disk(postgres).fill() == 0
    with postgres.connect() as connection:
        with pytest.raises(errors.DiskFull, match="No space left on device"):
            insert(connection, 1000)
        assert postgres.running
        assert _disk(postgres).empty() > 10 * MEGABYTE
        insert(connection, 1000)
    assert postgres.counts() == {"orders": 1001}


@possible
def test_without_space_for_its_own_log_it_goes_down_and_comes_back_with_what_it_acknowledged(
    postgres: Postgres,
) -> None:
    _disk(postgres).fill()
    with pytest.raises(psycopg.OperationalError):
        write_log(postgres, megabytes=50)
    postgres.kill()  # or it has given up by itself
    with pytest.raises(LabError, match="No space left on device"):
        postgres.start()
    assert not postgres.running
    _disk(postgres).empty()
    postgres.ensure_running()
    assert postgres.counts() == {"orders": 1}
    assert any("No space left on device" in line.text for line in postgres.errors())


@possible
def test_the_disk_outlives_a_kill_of_the_server(postgres: Postgres) -> None:
    postgres.kill()
    postgres.start()
    assert postgres.counts() == {"orders": 1}


@possible
def test_as_much_is_left_free_as_is_asked_for(lab: Lab, tmp_path: Path) -> None:
    small = Disk(lab, "small", tmp_path, 8, None)
    page = os.sysconf("SC_PAGE_SIZE")
    assert small.free() == 8 * MEGABYTE
    for leave in (
        3 * MEGABYTE,
        MEGABYTE,
        0,
        5 * MEGABYTE,
        9 * MEGABYTE,
    ):  # more and less than the time before
        assert abs(small.fill(leave) - min(leave, 8 * MEGABYTE)) <= page
        assert small.free() == small.fill(leave)
    assert small.empty() == 8 * MEGABYTE
    assert small.empty() == 8 * MEGABYTE
    small.end()


@possible
def test_nobody_else_sees_the_disk_and_it_ends_with_its_keeper(lab: Lab, tmp_path: Path) -> None:
    small = Disk(lab, "hidden", tmp_path, 8, None)
    small.fill()
    assert str(tmp_path) in Path(f"/proc/{small.pid}/mountinfo").read_text()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert list(tmp_path.iterdir()) == []
    os.kill(small.pid, signal.SIGKILL)
    with pytest.raises(LabError, match="gives no answer"):
        small.free()
    small.end()
    assert not Path(f"/proc/{small.pid}").exists()
    tmp_path.rmdir()  # no mount holds it


@possible
def test_the_files_of_the_database_are_on_the_small_disk_alone(postgres: Postgres, lab: Lab) -> None:
    assert list((lab.folder / "postgres-database" / "disk").iterdir()) == []
    assert _disk(postgres).free() < 90 * MEGABYTE


def test_a_disk_too_small_for_a_database_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match="needs a disk of at least 96 MB"):
        Postgres(lab, "cramped", disk=10)


def test_where_it_cannot_be_done_the_reason_is_given(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.possible.cache_clear()
    monkeypatch.setattr("sys.platform", "darwin")
    try:
        with pytest.raises(LabError) as raised:
            Postgres(lab, "elsewhere", disk=96)
    finally:
        disk.possible.cache_clear()
    assert str(raised.value) == "A full disk cannot be played here: it takes the namespaces of Linux."
