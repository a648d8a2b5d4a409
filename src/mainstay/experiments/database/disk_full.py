"""The disk of the database is full."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg import sql

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab import disk
from mainstay.lab.lab import LabError
from mainstay.lab.postgres import Postgres
from mainstay.model.proof import Claim

SPARE_MB = 128  # beside the data: an empty cluster takes 40, and the load writes meanwhile
MOST_MB = 400  # of data: the small disk lies in memory
STARTS = 5  # of a server that was just giving up when it got its space back
COPYING_S = 8.0  # about, in the plan
FULL = "No space left on device"


class DiskFull(DatabaseFault):
    """While the disk of the database is full callers are told, and what was acknowledged is kept.

    The database is copied to a small disk that nobody else sees. Under load the disk is filled to the last
    byte: tables cannot grow, and a server that cannot write its log any more goes down. Then there is space
    again, and the server is started if it has ended.

    Treat "no space left" as a database that is away: roll back, answer 503, try again later. Watch the free
    space, and page someone while there still is some.
    """

    what = "the disk of the database is full"
    names = (*DatabaseFault.names, "disk", "space")
    explained_by = ("swallowed-exception",)

    def possible(self, stand: Stand) -> str:
        assert stand.database is not None  # or it would not apply
        megabytes = _megabytes(stand.database)
        crowded = f"{megabytes} MB of data are too many for a disk in memory" if megabytes > MOST_MB else ""
        return disk.possible() or crowded

    def seconds(self, stand: Stand) -> float:
        return super().seconds(stand) + COPYING_S + 2 * stand.startup

    def run(self, trial: Trial) -> Iterator[Claim]:
        with self._on_small_disk(trial):
            yield from super().run(trial)

    def inject(self, trial: Trial) -> None:
        _disk(self.server(trial)).fill()

    def heal(self, trial: Trial) -> None:
        server = self.server(trial)
        _disk(server).empty()
        for _ in range(STARTS):  # it may be about to end, of the space it found missing a moment ago
            with suppress(LabError):
                server.ensure_running()
                return
        server.ensure_running()

    def judge(self, trial: Trial, began: float, lifted: float, until: float) -> Iterator[Claim]:
        noticed = [line for line in self.server(trial).errors(began) if FULL in line.text]
        trial.notes.append(
            f"the database wrote {FULL!r} {len(noticed)} times into its log"
            if noticed
            else "the database needed no more space while the disk was full: nothing was tried"
        )
        yield from super().judge(trial, began, lifted, until)

    @contextmanager
    def _on_small_disk(self, trial: Trial) -> Iterator[None]:
        """The service works on a copy of its database meanwhile, and on its own one again afterwards."""
        stand, name = trial.stand, self.through(trial)
        original = self.server(trial)
        stand.service.stop()
        small = _copy(stand, name, original)
        stand.service.swap_database(name, small)
        try:
            stand.restart()
            trial.follow()
            yield
        except Exception:
            _put_back(stand, name, original)
            raise
        _put_back(stand, name, original)


def _copy(stand: Stand, name: str, original: Postgres) -> Postgres:
    """A server on a small disk that holds what the original one holds."""
    declared = next(each for each in stand.declaration.dependencies if each.name == name)
    size = SPARE_MB + 2 * _megabytes(original)
    small = Postgres(
        stand.lab, f"{name}-small", version=declared.version, extensions=declared.extensions, disk=size
    )
    small.start()
    _copy_roles(original, small)
    dump = stand.lab.subfolder("disk-full") / "whole.dump"
    original.dump(dump)
    small.restore(dump, small.database)
    dump.unlink()
    small.settle()
    return small


def _put_back(stand: Stand, name: str, original: Postgres) -> None:
    stand.service.stop()
    small = stand.service.swap_database(name, original)
    small.end()
    stand.restart()
    stand.renew()  # what the load knows was made on the small disk, and is gone


def _copy_roles(original: Postgres, small: Postgres) -> None:
    """The names of those to whom migrations granted something."""
    query = "SELECT rolname FROM pg_roles WHERE NOT starts_with(rolname, 'pg_')"
    with original.connect() as there, small.connect() as here:
        known = {name for (name,) in here.execute(query)}
        for (name,) in there.execute(query).fetchall():
            if name not in known:
                here.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))


def _megabytes(server: Postgres) -> int:
    with server.connect() as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) >> 20 if row else 0


def _disk(server: Postgres) -> disk.Disk:
    assert server.disk is not None
    return server.disk
