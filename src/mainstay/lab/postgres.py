"""A PostgreSQL of the run's own: started, stopped, killed, paused, looked into, dumped and restored."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from msgspec import Struct
from psycopg import sql

from mainstay.lab import namespace, postgres_log, postgres_rows
from mainstay.lab.disk import Disk
from mainstay.lab.lab import Lab, LabError, Program
from mainstay.lab.label import free_label
from mainstay.lab.last_lines import last_lines
from mainstay.lab.postgres_binaries import Installation, choose, copied, missing_extension, within_reach
from mainstay.lab.postgres_log import LogLine
from mainstay.lab.postgres_roles import (
    HOLDER,
    OUR_ITERATIONS,
    SERVICE,
    SERVICE_ITERATIONS,
    SUPERUSER,
    Password,
)
from mainstay.lab.postgres_rows import Table
from mainstay.lab.process_tree import NotFrozen, await_gone, below, freeze, send, thaw
from mainstay.lab.unprivileged import unprivileged

__all__ = ["Hold", "LogLine", "Postgres", "Session", "Table", "missing_extension"]

HOST = "127.0.0.1"
READY_S = 120.0  # a server that recovers from a crash gets this long
STOP_S = 60.0
COMMAND_S = 600.0  # a dump or a restore that takes longer is stuck
LOCK_S = 20  # our own questions wait no longer for a table
POLL_S = 0.02
SMALLEST_DISK_MB = 96  # an empty cluster takes about 40
_SEGMENT_MB = 4  # of the log of a server on a small disk
_SOCKET_MOST = 103  # bytes of a socket's path: 108 on Linux and 104 on macOS, with the final zero

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# What a project may not set: where the server listens is ours, and durability is what is judged.
_OURS = frozenset(
    "config_file data_directory external_pid_file fsync hba_file ident_file listen_addresses log_destination "
    "log_line_prefix log_timezone logging_collector port unix_socket_directories".split()
)
_PRELOADED = frozenset({"citus", "pg_cron", "pg_stat_statements", "pgaudit", "timescaledb"})


class Session(Struct, frozen=True):
    """A connection of the service, as the server sees it."""

    pid: int
    user: str
    database: str
    application: str
    state: str  # "active", "idle", "idle in transaction"...
    seconds: float  # in this state
    transaction: float  # seconds since its transaction began; 0 outside of one
    wait: str  # "Lock:transactionid"; "" when it waits for nothing
    query: str  # the last one, cut


class Hold:
    """Connections that are kept from the service."""

    def __init__(self) -> None:
        self.connections: list[psycopg.Connection[Any]] = []

    @property
    def held(self) -> int:
        return len(self.connections)

    def release(self) -> None:
        """Give all of them back."""
        while self.connections:
            self.connections.pop().close()


class Postgres:
    """A server on 127.0.0.1 with a database and a role for the service.

    The constructor chooses the server and starts nothing; LabError says which version or extension is
    missing.  Until `settle` is called the service's role is a superuser, so that every migration runs.
    What is asked of its databases raises psycopg.Error when it does not answer, or a table stays locked.
    """

    def __init__(
        self,
        lab: Lab,
        name: str,
        *,
        version: int = 0,
        extensions: Sequence[str] = (),
        user_settings: Mapping[str, str] | None = None,
        disk: int = 0,
    ) -> None:
        """Choose it; with `disk`, it will lie on a disk of so many megabytes, which `disk` then fills."""
        self.name = name
        self.user = SERVICE
        self.database = SERVICE
        self.start_seconds = 0.0  # the last start took: after a kill, the recovery from it
        self._lab = lab
        self._label = free_label(lab, f"postgres-{name}")
        self._user_settings = _checked(user_settings or {})
        self._preloaded = sorted(_PRELOADED.intersection(extensions))
        self._passwords = {
            SUPERUSER: Password.random(OUR_ITERATIONS),
            HOLDER: Password.random(OUR_ITERATIONS),
            SERVICE: Password.random(SERVICE_ITERATIONS),
        }
        chosen = choose(version, extensions)
        self.choice = str(chosen)
        self._account = unprivileged()
        self._installation = self._reachable(chosen.installation)
        self._folder = lab.subfolder(self._label, self._account.user if self._account else None)
        self._data = self._folder / ("disk/data" if disk else "data")
        self.port = lab.port()
        self._programs: list[Program] = []
        self._frozen: list[psutil.Process] = []
        self.disk: Disk | None = None
        if disk:
            self.disk = self._small_disk(disk)
        self._made = False
        self._furnished = False

    # --- its life ----------------------------------------------------------------------------

    @property
    def password(self) -> str:
        return self._passwords[SERVICE].text

    @property
    def version(self) -> str:
        return self._installation.version

    @property
    def running(self) -> bool:
        """Whether its first process is alive; it may be paused, or busy with recovery."""
        return bool(self._programs) and self._programs[-1].status() is None

    @property
    def paused(self) -> bool:
        return bool(self._frozen)

    def start(self) -> None:
        """Start it and wait until it answers; raises LabError with the log's last lines."""
        if not self.running:
            began = time.monotonic()
            if not self._made:
                self._make()
            self._programs.append(self._launch())
            self.await_answer()
            self.start_seconds = time.monotonic() - began
        if not self._furnished:
            self._furnish()

    def ensure_running(self) -> None:
        """Resume or start it, whatever was done to it, and wait until it answers."""
        self.resume()
        self.start()
        self.await_answer()

    def await_answer(self, within: float = READY_S) -> float:
        """Wait until it answers a query and say how many seconds that took; raises LabError."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            if not self.running:
                raise LabError(f"{self._spoken} did not start.", self.log_tail())
            with suppress(psycopg.OperationalError), self.connect("postgres", connect_timeout=5):
                return time.monotonic() - began
            time.sleep(POLL_S)
        raise LabError(f"{self._spoken} did not answer within {within:g} s.", self.log_tail())

    def settle(self) -> None:
        """Make the service's role an ordinary one, as in production, once its migrations have run.

        Only then are a few slots out of the service's reach, for our own connections when it has taken
        all others.
        """
        self._execute(sql.SQL("ALTER ROLE {} NOSUPERUSER").format(sql.Identifier(SERVICE)))

    def unsettle(self) -> None:
        """Make the service's role a superuser again, for more migrations."""
        self._execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(sql.Identifier(SERVICE)))

    def stop(self, mode: str = "fast") -> None:
        """Shut down: "smart" waits for the sessions, "fast" ends them, "immediate" does not even write.

        Raises LabError when it is not down within a minute.
        """
        if not self.running:
            return
        self.resume()
        program = self._programs[-1]
        left = below(program.pid)
        program.signal(_SIGNALS[mode], group=False)
        if program.wait(STOP_S) is None:
            raise LabError(f"{self._spoken} did not stop within {STOP_S:g} s.", self.log_tail())
        self._await_gone(left)

    def kill(self) -> None:
        """kill -9 of all its processes at once; the next `start` recovers from it."""
        if not self.running:
            return
        everyone = self._freeze()
        send(everyone, signal.SIGKILL)
        self._frozen.clear()
        if self._programs[-1].wait(STOP_S) is None:
            raise LabError(f"{self._spoken} is still there {STOP_S:g} s after it was killed.")
        self._await_gone(everyone[1:])

    def pause(self) -> None:
        """Stop all its processes where they stand: connections stay open, and nothing answers."""
        if self.running and not self._frozen:
            self._frozen = self._freeze()

    def resume(self) -> None:
        """Let it go on after a pause."""
        thaw(self._frozen)
        self._frozen.clear()

    def end(self) -> None:
        """Stop it for good; what cannot be ended now ends with the run."""
        with suppress(LabError):
            self.stop()
        with suppress(LabError):
            if self._programs:
                self._programs[-1].end(grace=0)
        with suppress(LabError):
            if self.disk:
                self.disk.end()

    # --- ways in -----------------------------------------------------------------------------

    def connect(self, database: str | None = None, **options: Any) -> psycopg.Connection[Any]:
        """A connection for us: direct, as superuser, each statement committed; raises psycopg.Error.

        Once `settle` was called it also succeeds when the service has taken all slots.
        """
        return self._connect(SUPERUSER, database, **options)

    def url(self, port: int, scheme: str = "postgresql", database: str | None = None) -> str:
        """The address for the service; `port` is the proxy's."""
        return f"{scheme}://{self.user}:{self.password}@{HOST}:{port}/{database or self.database}"

    def fields(self, port: int) -> dict[str, str]:
        """What placeholders can name; `port` is the proxy's."""
        return {
            "host": HOST,
            "port": str(port),
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "url": self.url(port),
        }

    def sessions(self) -> list[Session]:
        """The connections that the service holds, whoever opened them, ours left out."""
        query = """
            SELECT pid, usename, datname, application_name, coalesce(state, ''),
                   coalesce(extract(epoch FROM clock_timestamp() - state_change), 0)::float,
                   coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float,
                   coalesce(wait_event_type || ':' || wait_event, ''), left(coalesce(query, ''), 200)
            FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND usename <> ALL (%s)
            ORDER BY backend_start
        """
        with self.connect("postgres") as connection:
            return [Session(*row) for row in connection.execute(query, ([SUPERUSER, HOLDER],))]

    @contextmanager
    def hold_slots(self, leave: int) -> Iterator[Hold]:
        """Take connections until only `leave` remain for the service, and give them back at the end.

        Those that the service has already keep working.  Its role becomes an ordinary one (`settle`), for
        a superuser cannot be kept out.
        """
        hold = Hold()
        try:
            self._take(hold, leave)
            yield hold
        finally:
            hold.release()

    # --- databases ---------------------------------------------------------------------------

    def create_database(self, name: str, template: str | None = None) -> None:
        """A database of the service: empty, or a copy of `template`, to which nobody may be connected."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(SERVICE), sql.Identifier(template or "template0")
        )
        try:
            self._execute(statement)
        except psycopg.Error as error:
            raise LabError(f"{self._spoken}: the database {name} cannot be made: {_first(error)}.") from error

    def drop_database(self, name: str) -> None:
        """Drop it, with whoever is connected to it; nothing happens if there is none."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def tables(self, database: str | None = None) -> list[Table]:
        """The service's tables, by schema and name; those of extensions are not among them."""
        with self.connect(database) as connection:
            return postgres_rows.tables(connection)

    def counts(self, database: str | None = None) -> dict[str, int]:
        """How many rows each table has, all seen at one moment."""
        with self.connect(database) as connection:
            return postgres_rows.counts(connection)

    def digest(self, table: Table, database: str | None = None) -> str:
        """Equal for two tables that hold the same rows, in whatever order."""
        with self.connect(database) as connection:
            return postgres_rows.digest(connection, table)

    def digests(self, database: str | None = None) -> dict[str, str]:
        """The digest of each table, one after the other: nobody may write meanwhile."""
        with self.connect(database) as connection:
            return {
                str(table): postgres_rows.digest(connection, table)
                for table in postgres_rows.tables(connection)
            }

    def dump(self, path: Path, database: str | None = None) -> float:
        """Write a dump of the database to `path` (pg_dump, its own format); the seconds that took."""
        options = ["--format=custom", f"--file={path}", f"--dbname={database or self.database}"]
        return self._tool("pg_dump", [*options, f"--lock-wait-timeout={LOCK_S}s"])

    def restore(self, path: Path, database: str) -> float:
        """Read a dump into an empty database; the seconds that took.  Raises LabError at the first error."""
        options = ["--jobs=2", "--exit-on-error", f"--dbname={database}", str(path)]
        return self._tool("pg_restore", options)

    # --- its log -----------------------------------------------------------------------------

    @property
    def log(self) -> Path | None:
        """The log since the last start; None before the first."""
        return self._programs[-1].log if self._programs else None

    def log_tail(self) -> tuple[str, ...]:
        """The last lines since the last start, made safe to show."""
        return self._programs[-1].tail() if self._programs else ()

    def errors(self, since: float = 0.0) -> list[LogLine]:
        """What went wrong since then (seconds of the monotonic clock): errors, lost sessions, crashes.

        What was answered to our own connections is left out.
        """
        logs = dict.fromkeys(program.log for program in self._programs)
        found = (line for log in logs for line in postgres_log.lines(log) if line.is_error)
        return [line for line in found if line.at >= since and line.user not in (SUPERUSER, HOLDER)]

    # --- making it ---------------------------------------------------------------------------

    @property
    def _spoken(self) -> str:
        return f"{self.name} (PostgreSQL {self._installation.version})"

    def _reachable(self, one: Installation) -> Installation:
        """One that the user it runs as can run: itself, or a copy."""
        if self._account is None or within_reach(one, self._account.user):
            return one
        return copied(one, self._lab.subfolder(f"postgresql-{one.major}", self._account.user))

    def _small_disk(self, megabytes: int) -> Disk:
        if megabytes < SMALLEST_DISK_MB:
            raise LabError(f"{self._spoken} needs a disk of at least {SMALLEST_DISK_MB} MB.")
        folder = self._folder / "disk"
        folder.mkdir(mode=0o700)
        if self._account:
            os.chown(folder, self._account.user, self._account.group)
        return Disk(self._lab, f"{self._label}-disk", folder, megabytes, self._account)

    def _make(self) -> None:
        """A new, empty cluster."""
        secret = self._folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self._passwords[SUPERUSER].text)
        if self._account:
            os.chown(secret, self._account.user, self._account.group)
        self._finish(
            "initdb",
            [
                *(self._installation.program("initdb"), f"--pgdata={self._data}", f"--username={SUPERUSER}"),
                *("--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--no-locale"),
                *("--no-sync", "--no-instructions"),
                *([f"--wal-segsize={_SEGMENT_MB}"] if self.disk else []),
            ],
        )
        secret.unlink()
        self._made = True

    def _furnish(self) -> None:
        """The roles and the database, in a cluster that runs for the first time."""
        with self.connect("postgres") as connection:
            for role, kind in ((SERVICE, "SUPERUSER"), (HOLDER, "NOSUPERUSER")):
                statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE {} PASSWORD {}")
                stored = sql.Literal(self._passwords[role].stored())
                connection.execute(statement.format(sql.Identifier(role), sql.SQL(kind), stored))
        self.create_database(self.database)
        self._furnished = True

    def _finish(self, name: str, command: Sequence[str]) -> None:
        words, user = self._placed(command)
        done = self._lab.run(
            f"{self._label}-{name}",
            words,
            environment=self._environment(),
            cwd=self._folder,
            timeout=COMMAND_S,
            user=user,
        )
        if done.status:
            raise LabError(f"{self._spoken}: {name} ended with status {done.status}.", last_lines(done.log))

    def _launch(self) -> Program:
        settings = [word for name, value in self._settings().items() for word in ("-c", f"{name}={value}")]
        words, user = self._placed([self._installation.program("postgres"), "-D", str(self._data), *settings])
        return self._lab.start(
            self._label, words, environment=self._environment(), cwd=self._folder, user=user
        )

    def _placed(self, command: Sequence[str]) -> tuple[list[str], int | None]:
        """The command and the user to start it as; one on a small disk changes its user once it sees that."""
        account = self._account
        if self.disk is None:
            return list(command), account.user if account else None
        told = [str(self.disk.pid), *(map(str, (account.user, account.group)) if account else ())]
        return [sys.executable, "-I", "-S", namespace.__file__, *told, "--", *command], None

    def _settings(self) -> dict[str, str]:
        """On the command line, so that no migration's ALTER SYSTEM changes what is measured."""
        settings = {
            "max_connections": "100",
            "log_min_messages": "warning",
            "log_connections": "off",
            "log_disconnections": "off",
            "log_checkpoints": "off",
            "log_lock_waits": "on",
        }
        if self.disk:  # or its own log alone would fill it
            settings["max_wal_size"] = f"{self.disk.size // 4 >> 20}MB"
            settings["min_wal_size"] = f"{2 * _SEGMENT_MB}MB"
        if self._preloaded:
            settings["shared_preload_libraries"] = ",".join(self._preloaded)
        return settings | self._user_settings | self._fixed()

    def _fixed(self) -> dict[str, str]:
        socket = self._folder / f".s.PGSQL.{self.port}"
        fits = len(os.fsencode(socket)) <= _SOCKET_MOST
        return {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": str(self._folder) if fits else "",
            "fsync": "on",
            "dynamic_shared_memory_type": "mmap",  # files of the cluster: none is left in /dev/shm
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_line_prefix": postgres_log.PREFIX,
            "log_timezone": "UTC",
        }

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def _freeze(self) -> list[psutil.Process]:
        try:
            return freeze(self._programs[-1].pid)
        except NotFrozen as error:
            raise LabError(f"{self._spoken} could not be paused: {error}.", self.log_tail()) from error

    def _await_gone(self, processes: Sequence[psutil.Process]) -> None:
        """A server does not start as long as one process of the last one is there."""
        if not await_gone(processes, STOP_S):
            raise LabError(f"{self._spoken}: some of its processes do not end within {STOP_S:g} s.")

    # --- talking to it -----------------------------------------------------------------------

    def _connect(self, role: str, database: str | None, **options: Any) -> psycopg.Connection[Any]:
        told: dict[str, Any] = {
            "host": HOST,
            "port": self.port,
            "user": role,
            "password": self._passwords[role].text,
            "dbname": database or self.database,
            "application_name": "mainstay",
            "connect_timeout": 10,
            "options": f"-c lock_timeout={LOCK_S}s",  # the service may hold a table for ever
            "sslmode": "disable",
            "gssencmode": "disable",
            "autocommit": True,
        }
        return psycopg.connect(**(told | options))

    def _execute(self, statement: sql.Composed) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)

    def _take(self, hold: Hold, leave: int) -> None:
        self.settle()
        while (connection := self._slot()) is not None:
            hold.connections.append(connection)
        for _ in range(min(leave, hold.held)):
            hold.connections.pop().close()

    def _slot(self) -> psycopg.Connection[Any] | None:
        """One more connection; None when the server has none left for ordinary roles."""
        try:
            return self._connect(HOLDER, "postgres")
        except psycopg.OperationalError as error:  # a connection that fails tells no SQLSTATE, only a text
            if re.search("connection slots|too many clients", str(error)):
                return None
            raise LabError(f"{self._spoken}: {_first(error)}.") from error

    def _tool(self, name: str, options: Sequence[str]) -> float:
        """Run a program of its installation against it; the seconds that took."""
        began = time.monotonic()
        done = self._lab.run(
            f"{self._label}-{name}",
            [self._installation.program(name), "--no-password", *options],
            environment=self._environment() | self._access(),
            cwd=self._lab.folder,
            timeout=COMMAND_S,
        )
        if done.status:
            raise LabError(f"{self._spoken}: {name} ended with status {done.status}.", last_lines(done.log))
        return time.monotonic() - began

    def _access(self) -> dict[str, str]:
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self._passwords[SUPERUSER].text,
            "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable",
            "PGAPPNAME": "mainstay",
        }


def _checked(settings: Mapping[str, str]) -> dict[str, str]:
    for name in settings:
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.]*", name):
            raise LabError(f"`{name}` is not the name of a setting of PostgreSQL.")
        if name.lower() in _OURS:
            raise LabError(f"The setting `{name}` of PostgreSQL cannot be changed in a proof.")
    return {name.lower(): value for name, value in settings.items()}


def _first(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).splitlines()[0]
