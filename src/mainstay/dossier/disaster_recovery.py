"""Backups and the way back, in words; the same as a page for those who need it at night."""

from collections.abc import Iterator

from mainstay.model.dossier import Artefact, Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Specification
from mainstay.plan.alerts import has_outbox
from mainstay.plan.capacity import capacity
from mainstay.plan.recovery import (
    DAY,
    RESTORE,
    WAL_TIMES,
    YEAR,
    Backup,
    Deed,
    Disaster,
    Method,
    Plan,
    Recovery,
    Size,
    Step,
    recovery,
)

PLACE = 80
LOST = {
    Disaster.PRIMARY: "The database's machine is lost",
    Disaster.STORAGE: "The database and its standby are lost",
    Disaster.MISTAKE: "Data is wrong or gone by a mistake or a bad release",
    Disaster.PLACE: "The whole place is lost",
}


def chapter(specification: Specification) -> Chapter:
    """What is copied, how large it grows, the way back from each disaster, and the page."""
    found = recovery(specification)
    return Chapter(
        "disaster-recovery",
        "What is kept, and how it comes back",
        f"At most {_time(specification.data_loss)} of acknowledged writes may be lost, and the service is "
        f"well again within {_time(specification.budgets.recovery)}: whether that holds is worked out here.",
        (
            Statements(tuple(_backup(specification, found)), "Backup"),
            Grid(
                ("entity", "bytes a row", "rows a second", "after a year"), _sizes(found), "What it grows to"
            ),
            *(_plan(plan) for plan in found.plans),
            Statements(tuple(_verdicts(found)), "Whether the budgets hold"),
            Statements(tuple(_drill(found)), "Practice"),
            Artefact("DISASTER_RECOVERY.md", "markdown", page(specification), "The page for that night"),
        ),
    )


# --- backup ----------------------------------------------------------------------------------


def _backup(specification: Specification, found: Recovery) -> Iterator[Statement]:
    backup = found.backup
    yield Statement(*_method(specification, backup))
    yield Statement(
        f"Backups are kept for {_time(backup.kept)}, in another place than the database.",
        Origin.ASSUMED,
        "a month, and days to notice; a mistake that is noticed later cannot be undone",
    )
    yield Statement(
        f"A base backup is read at {RESTORE / 1e6:g} MB/s, and a byte of row is {WAL_TIMES:g} of log.",
        Origin.ASSUMED,
        "a usual disk of a cloud; at half the speed a restore takes twice as long",
    )
    if backup.secret:
        yield Statement(
            f"The key of {_names(backup.secret)} is kept apart from the backups, and has a copy of its own.",
            sum="secret columns are encrypted by the service: a backup without the key is unreadable there",
        )
    if backup.personal:
        yield Statement(
            f"{_names(backup.personal)} is gone from backups {_time(backup.kept)} after it was deleted.",
            Origin.ASSUMED,
            "as long as backups are kept; if the law says sooner, keep them shorter",
        )


def _method(specification: Specification, backup: Backup) -> tuple[str, Origin, str]:
    loss = _time(specification.data_loss)
    match backup.method:
        case Method.SYNCHRONOUS:
            return (
                f"A commit is acknowledged when a standby in another zone has it too; and {_logged(backup)}.",
                Origin.DERIVED,
                f"data_loss {loss}: an archive is always behind, so only a synchronous standby keeps it",
            )
        case Method.STREAMED:
            return (
                "A base backup each day, and the write-ahead log streamed to another place.",
                Origin.DERIVED,
                f"data_loss {loss} / 2 is less than the minute that a segment should at least last",
            )
        case Method.ARCHIVED:
            return (
                f"There is {_logged(backup)}.",
                Origin.DERIVED,
                f"data_loss {loss} / 2 = {_time(backup.segment)}: the other half is for copying it away",
            )
        case Method.DUMPED:
            return (
                f"A dump every {_time(backup.every)}.",
                Origin.DERIVED,
                f"data_loss {loss}: half of it, at most a day, so that one dump may fail",
            )


def _logged(backup: Backup) -> str:
    closed = _time(backup.segment)
    return f"a base backup each day, and the write-ahead log, a segment of it closed after {closed}"


def _sizes(found: Recovery) -> tuple[Row, ...]:
    return tuple(_size(size) for size in found.sizes)


def _size(size: Size) -> Row:
    year = size.row * size.rows * YEAR
    cells = (f"`{size.entity}`", str(size.row), f"{size.rows:.3g}", f"{year / 1e9:,.1f} GB")
    said = f"{size.sum}; × {YEAR:,.0f} s = {year / 1e9:,.1f} GB; texts half full, nothing deleted"
    return Row(cells, Origin.ASSUMED, said)


# --- the way back ----------------------------------------------------------------------------


def _plan(plan: Plan) -> Grid:
    rows = (
        *(_row(number, step) for number, step in enumerate(plan.steps, start=1)),
        Row(
            ("", "all of it", "", _time(plan.seconds)),
            Origin.ASSUMED,
            " + ".join(f"{step.seconds:,.0f} s" for step in plan.steps) + f" = {plan.seconds:,.0f} s",
        ),
    )
    return Grid(("", "step", "who", "takes"), rows, LOST[plan.disaster])


def _row(number: int, step: Step) -> Row:
    cells = (str(number), _deed(step), step.who.value, _time(step.seconds))
    return Row(cells, Origin.ASSUMED, step.sum)


def _deed(step: Step) -> str:
    if step.deed is Deed.RECONCILE:
        return f"ask {_names(step.about)} what happened since, and enter what is missing"
    return step.deed.value


def _verdicts(found: Recovery) -> Iterator[Statement]:
    for plan in found.plans:
        lost = _loss(plan)
        sum_ = f"{_time(plan.seconds)} against {_time(plan.budget)}; {_time(plan.lost)} against "
        sum_ += _time(plan.allowed)
        if plan.fits and plan.keeps:
            said = f"{LOST[plan.disaster]}: well again within {_time(plan.seconds)}, {lost}."
            yield Statement(said, Origin.ASSUMED, f"{sum_}; with the times above")
        else:
            better = "a second standby, in another place, would hold both"
            if plan.disaster is Disaster.MISTAKE:
                better = "a standby repeats the mistake; one that follows an hour late would be quicker"
            said = f"{LOST[plan.disaster]}: {_time(plan.seconds)}, {lost}. Is that accepted?"
            yield Statement(said, Origin.OPEN, f"{sum_}; {better}")


def _loss(plan: Plan) -> str:
    if plan.disaster is Disaster.MISTAKE:
        return "and what was written after the mistake has to be entered anew"
    if plan.lost == 0:
        return "and nothing acknowledged is lost"
    return f"and at most {_time(plan.lost)} of acknowledged writes are lost"


def _drill(found: Recovery) -> Iterator[Statement]:
    yield Statement(
        f"With each release `mainstay prove` takes a backup under load, restores it and compares every row: "
        f"`{found.experiment}`.",
        sum="a backup that was never restored is a hope",
    )
    yield Statement(
        f"Every {_time(found.drill)} the last real backup is restored into an empty database, by this page, "
        "and the times above are replaced by those that it took.",
        Origin.ASSUMED,
        f"a broken backup is noticed while older ones are still kept ({_time(found.backup.kept)})",
    )


# --- the page --------------------------------------------------------------------------------


def page(specification: Specification) -> str:
    """`DISASTER_RECOVERY.md`."""
    found = recovery(specification)
    loss, length = _time(specification.data_loss), _time(specification.budgets.recovery)
    lines = [
        "# Disaster recovery",
        "",
        f"`{specification.service}` belongs to {specification.owner}. Call them first, then follow one plan.",
        "",
        f"May be lost: {loss} of acknowledged writes. May take: {length}.",
        "The times are assumed until a drill has measured them.",
        "",
        f"Kept: {found.backup.method}.",
    ]
    if found.backup.secret:
        lines.append(
            f"You also need the key of {_names(found.backup.secret)}: without it they stay unreadable."
        )
    for plan in found.plans:
        lines += ["", f"## {LOST[plan.disaster]}", "", f"Takes {_time(plan.seconds)}, {_loss(plan)}.", ""]
        lines += [
            line for n, step in enumerate(plan.steps, 1) for line in _written(specification, plan, n, step)
        ]
    lines += ["", "## Before the doors open", "", *_checks(specification)]
    lines += ["", "## Practice", "", *(f"- {statement.said}" for statement in _drill(found))]
    return "\n".join(lines) + "\n"


def _written(specification: Specification, plan: Plan, number: int, step: Step) -> Iterator[str]:
    said = _deed(step)
    yield f"{number}. {said[0].upper()}{said[1:]} ({step.who}, {_time(step.seconds)})."
    command = _command(specification, plan.disaster, step.deed)
    if command:
        yield ""
        yield "   ```sh"
        yield from (f"   {line}" for line in command.splitlines())
        yield "   ```"
        yield ""


def _command(specification: Specification, disaster: Disaster, deed: Deed) -> str:
    """For the deeds that are the same everywhere; the others depend on the platform, and are not guessed."""
    deployments = f"deployment/{specification.service}"
    if has_outbox(specification):
        deployments += f" deployment/{specification.service}-relay"
    match deed:
        case Deed.STOP:
            return f"kubectl scale {deployments} --replicas=0"
        case Deed.PROMOTE:
            return "psql --host STANDBY --command 'select pg_promote()'"
        case Deed.RESTORE:
            return "tar --extract --file BASE.tar --directory $PGDATA"
        case Deed.REPLAY:
            return "\n".join(_replay(disaster))
        case Deed.LOAD:
            return (
                f"createdb {specification.service}\n"
                f"pg_restore --exit-on-error --dbname {specification.service} LAST.dump"
            )
        case Deed.START:
            return "\n".join(_start(specification, disaster, deployments))
        case _:
            return ""


def _replay(disaster: Disaster) -> Iterator[str]:
    yield "echo \"restore_command = 'cp ARCHIVE/%f %p'\" >> $PGDATA/postgresql.auto.conf"
    if disaster is Disaster.MISTAKE:
        moment = "recovery_target_time = 'JUST BEFORE THE MISTAKE'"
        yield f'echo "{moment}" >> $PGDATA/postgresql.auto.conf'
        yield "echo \"recovery_target_action = 'promote'\" >> $PGDATA/postgresql.auto.conf"
    yield "touch $PGDATA/recovery.signal"
    yield "pg_ctl --pgdata $PGDATA --wait start"


def _start(specification: Specification, disaster: Disaster, deployments: str) -> Iterator[str]:
    """What was stopped begins again; what went on gets new connections."""
    service = specification.service
    yield f"# DATABASE_URL of {service} now names the new database"
    yield f"kubectl scale deployment/{service} --replicas={capacity(specification).replicas}"
    if has_outbox(specification):
        yield f"kubectl scale deployment/{service}-relay --replicas=1"
    if disaster is Disaster.PRIMARY:
        yield f"kubectl rollout restart {deployments}"


def _checks(specification: Specification) -> Iterator[str]:
    yield "- `/readyz` answers 200 on every replica."
    for entity in specification.entities:
        for rule in entity.rules:
            yield f"- No `{entity.name}` breaks `{rule.text}`."
    for operation in specification.operations:
        if operation.critical:
            yield f"- `{operation.name}` works once, and a repeat with the same key changes nothing."
    yield "- The newest row is no older than what may be lost; tell callers which stretch was lost."


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _time(seconds: float) -> str:
    for unit, length in (("days", DAY), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 2 * length:
            return (
                f"{seconds / length:.{0 if seconds >= 10 * length else 1}f}".removesuffix(".0") + f" {unit}"
            )
    return f"{seconds:g} s"
