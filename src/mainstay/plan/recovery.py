"""Backups, and the way back from each kind of disaster: times in seconds, sizes in bytes.

Speeds and the times of steps are assumed, since nothing has run; `mainstay prove` measures a restore.
"""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.specification import Entity, Field, FieldKind, Specification
from mainstay.plan.alerts import backup_every
from mainstay.plan.failures.guards import expected

DAY = 86_400.0
YEAR = 365 * DAY
RESTORE = 100e6  # bytes a second, of a base backup: assumed, a disk of a usual cloud
REPLAY = 20e6  # bytes a second, of write-ahead log: assumed; one process applies it
WAL_TIMES = 4.0  # bytes of write-ahead log for a byte of row: assumed; pages after a checkpoint, indexes
SEGMENT = 60.0  # seconds: PostgreSQL advises against much less for `archive_timeout`
KEPT = 35 * DAY  # of backups: assumed; a month, and days to notice
OVERHEAD = 64  # bytes of a row beside its fields: header, id, tenant, moment, index entries start there
TEXT_USED = 0.5  # of the length of a text: assumed


class Method(StrEnum):
    """How acknowledged writes are kept apart from the database's own disk."""

    SYNCHRONOUS = "synchronous standby, base backup and write-ahead log"
    STREAMED = "base backup and write-ahead log, streamed"
    ARCHIVED = "base backup and write-ahead log, archived by segment"
    DUMPED = "dumps"


class Disaster(StrEnum):
    """What is lost."""

    PRIMARY = "the database's machine"
    STORAGE = "the database and its standby"
    MISTAKE = "data, by a mistake or a bad release"
    PLACE = "the whole place"


class Who(StrEnum):
    """Who does a step."""

    ALERT = "alert"
    ON_CALL = "on call"
    SERVICE = "service"


class Deed(StrEnum):
    """What a step is."""

    NOTICE = "notice"
    DECIDE = "decide"
    STOP = "stop the service"
    FENCE = "make sure that the old primary is off"
    PROMOTE = "promote the standby"
    PROVIDE = "make an empty database"
    RESTORE = "restore the base backup"
    REPLAY = "replay the write-ahead log"
    LOAD = "load the last dump"
    RECONCILE = "ask the needs what happened since"
    START = "start the service"
    REDIRECT = "lead callers to the other place"
    CHECK = "check"


class Step(Struct, frozen=True):
    """One step of a plan."""

    deed: Deed
    who: Who
    seconds: float
    sum: str
    about: tuple[str, ...] = ()  # needs to be asked


class Plan(Struct, frozen=True):
    """The way back from one disaster."""

    disaster: Disaster
    steps: tuple[Step, ...]
    lost: float  # seconds of acknowledged writes at most
    budget: float  # seconds: of recovery
    allowed: float  # seconds: of data_loss

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(step.seconds for step in self.steps)

    @property
    def fits(self) -> bool:
        """Whether it takes no longer than the budget."""
        return self.seconds <= self.budget

    @property
    def keeps(self) -> bool:
        """Whether no more is lost than may be."""
        return self.lost <= self.allowed


class Size(Struct, frozen=True):
    """How much one entity grows."""

    entity: str
    row: int  # bytes
    rows: float  # a second
    sum: str


class Backup(Struct, frozen=True):
    """What is copied, how often, and how long it is kept."""

    method: Method
    every: float  # between two base backups, or dumps
    segment: float  # seconds until a segment of the log is closed at the latest; 0 where there is none
    lag: float  # seconds of writes that are lost with the database's machine, at most
    away: float  # seconds of writes that are lost with the whole place, at most
    kept: float
    secret: tuple[str, ...]  # fields whose key has to be kept too, elsewhere
    personal: tuple[str, ...]  # fields that live on in backups


class Recovery(Struct, frozen=True):
    """All of it."""

    backup: Backup
    sizes: tuple[Size, ...]
    bytes_a_year: float
    plans: tuple[Plan, ...]
    drill: float = 30 * DAY  # between two restores of a real backup into an empty database: assumed
    experiment: str = "backup-restored"  # of `mainstay prove`

    def plan(self, disaster: Disaster) -> Plan:
        """The way back from that one."""
        return next(plan for plan in self.plans if plan.disaster is disaster)


def recovery(specification: Specification) -> Recovery:
    """What follows from `data_loss` and `recovery`."""
    backup = _backup(specification)
    sizes = tuple(_size(specification, entity) for entity in specification.entities)
    year = sum(size.row * size.rows for size in sizes) * YEAR
    return Recovery(backup, sizes, year, tuple(_plans(specification, backup, year)))


# --- backup ----------------------------------------------------------------------------------


def _backup(specification: Specification) -> Backup:
    method = _method(specification.data_loss)
    every = backup_every(specification) if method is Method.DUMPED else DAY
    segment = {Method.SYNCHRONOUS: SEGMENT, Method.ARCHIVED: backup_every(specification)}.get(method, 0.0)
    lag = 0.0 if method is Method.SYNCHRONOUS else specification.data_loss
    fields = [(f"{e.name}.{f.name}", f) for e in specification.entities for f in e.fields]
    secret = tuple(name for name, field in fields if field.secret)
    personal = tuple(name for name, field in fields if field.personal)
    return Backup(method, every, segment, lag, lag or 2 * SEGMENT, KEPT, secret, personal)


def _method(loss: float) -> Method:
    """A segment that is closed needs as long again to be copied away: half the loss for each.

    Segments below a minute fill the archive with empty log (PostgreSQL, `archive_timeout`): then the log
    is streamed.
    """
    if loss == 0:
        return Method.SYNCHRONOUS
    if loss / 2 < SEGMENT:
        return Method.STREAMED
    return Method.ARCHIVED if loss < 2 * DAY else Method.DUMPED


# --- size ------------------------------------------------------------------------------------

_WIDTHS = {
    FieldKind.UUID: 16,
    FieldKind.REFERENCE: 16,
    FieldKind.INTEGER: 8,
    FieldKind.MONEY: 12,
    FieldKind.BOOLEAN: 1,
    FieldKind.TIME: 8,
    FieldKind.DATE: 4,
    FieldKind.EMAIL: 30,
    FieldKind.URL: 60,
    FieldKind.ENUM: 10,
}


def _size(specification: Specification, entity: Entity) -> Size:
    row = OVERHEAD + sum(_width(field) for field in entity.fields)
    rows = sum(expected(specification, o) for o in specification.operations if o.creates == entity.name)
    said = f"{OVERHEAD} bytes + {row - OVERHEAD} of its fields = {row} bytes; {rows:.3g} rows/s"
    return Size(entity.name, row, rows, said)


def _width(field: Field) -> int:
    if field.kind is FieldKind.TEXT:
        return round((field.length or 100) * TEXT_USED)
    return _WIDTHS[field.kind]


# --- plans -----------------------------------------------------------------------------------


def _plans(specification: Specification, backup: Backup, year: float) -> list[Plan]:
    budget, allowed = specification.budgets.recovery, specification.data_loss
    back = _from_backup(specification, backup, year)
    seen = Step(Deed.NOTICE, Who.ON_CALL, 0, "counted from when somebody sees it: no alert can")
    moved = Step(Deed.REDIRECT, Who.ON_CALL, 300, "names are kept for some minutes by those who asked")
    standby = backup.method is Method.SYNCHRONOUS
    mistaken = backup.every if backup.method is Method.DUMPED else 0.0
    return [
        Plan(Disaster.PRIMARY, _promotion() if standby else back, backup.lag, budget, allowed),
        Plan(Disaster.STORAGE, back, backup.away, budget, allowed),
        Plan(Disaster.MISTAKE, (seen, *back[1:]), mistaken, budget, allowed),
        Plan(Disaster.PLACE, (*back, moved), backup.away, budget, allowed),
    ]


def _promotion() -> tuple[Step, ...]:
    return (
        Step(Deed.NOTICE, Who.ALERT, 60, "the alert waits a minute"),
        Step(Deed.FENCE, Who.ON_CALL, 60, "one command, or the platform's failover"),
        Step(Deed.PROMOTE, Who.ON_CALL, 30, "one command, and what it has not yet replayed"),
        Step(Deed.START, Who.SERVICE, 15, "new connections, and the next probe"),
        Step(Deed.CHECK, Who.ON_CALL, 60, "`/readyz`, and one request of each kind"),
    )


def _from_backup(specification: Specification, backup: Backup, year: float) -> tuple[Step, ...]:
    restoring = year / RESTORE
    said = f"{_gigabytes(year)} after a year / {RESTORE / 1e6:g} MB/s = {restoring:,.0f} s"
    steps = [
        Step(Deed.NOTICE, Who.ALERT, 60, "the alert waits a minute"),
        Step(Deed.DECIDE, Who.ON_CALL, 300, "somebody is awake, and sees that nothing is left"),
        Step(Deed.STOP, Who.ON_CALL, 30, "no replica runs: nothing is written meanwhile"),
        Step(Deed.PROVIDE, Who.ON_CALL, 300, "a new machine, or a new instance"),
    ]
    if backup.method is Method.DUMPED:
        steps.append(Step(Deed.LOAD, Who.ON_CALL, restoring, said))
    else:
        log = year / YEAR * WAL_TIMES * backup.every
        replaying = log / REPLAY
        told = f"{_gigabytes(log)} of log since the base backup / {REPLAY / 1e6:g} MB/s = {replaying:,.0f} s"
        steps.append(Step(Deed.RESTORE, Who.ON_CALL, restoring, said))
        steps.append(Step(Deed.REPLAY, Who.ON_CALL, replaying, told))
    called = {name for operation in specification.operations for name in operation.calls}
    asked = tuple(need.name for need in specification.needs if need.name in called)
    if asked:
        steps.append(Step(Deed.RECONCILE, Who.ON_CALL, 600, "each answers a list of what it did", asked))
    steps.append(Step(Deed.START, Who.SERVICE, 15, "new connections, and the next probe"))
    steps.append(Step(Deed.CHECK, Who.ON_CALL, 120, "the rules, the counts, one request of each kind"))
    return tuple(steps)


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
