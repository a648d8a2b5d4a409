"""What somebody can mend before or while budgets burn: needs, outbox, database, disk, backup."""

from collections.abc import Iterator

from mainstay.model.specification import Need, NeedKind, Operation, Specification, WhenDown
from mainstay.plan.alerts.rule import Alert, pascal
from mainstay.plan.alerts.signals import (
    BACKUP,
    BREAKER,
    CALLS,
    DATABASE_UP,
    DISK,
    DISK_LEFT,
    NOT_ARCHIVED,
    READY,
    everywhere,
    level,
)
from mainstay.plan.objectives import expected, selector

FAILING = 0.1  # of the calls to a need, assumed: a fifth of the share at which its breaker opens
FULL = 0.1  # of the disk that is left, assumed: enough to work on while somebody makes room
AHEAD = 86_400.0  # seconds, assumed: a disk that will be full within a day is a matter of this day
DAY = 86_400.0  # seconds from backup to backup, assumed, where data_loss does not ask for more


def causes(specification: Specification) -> Iterator[Alert]:
    """Only of what the service has: one without needs has no alert about them."""
    for need in specification.needs:
        yield from _need(specification, need)
    if has_outbox(specification):
        yield from _outbox(specification)
    yield from _database(specification)
    yield from _disk(specification)
    yield from _backup(specification)


def has_outbox(specification: Specification) -> bool:
    """Whether anything is done after the answer."""
    return any(later(specification, operation) for operation in specification.operations)


def later(specification: Specification, operation: Operation) -> tuple[str, ...]:
    """The needs that an operation leaves to the relay: each is one message of each request."""
    settled = [
        name
        for name in operation.calls
        if (need := specification.need(name)) and need.when_down is WhenDown.SETTLE_LATER
    ]
    return tuple(dict.fromkeys((*operation.emits, *settled)))


def waiting(specification: Specification) -> float:
    """Messages that pile up within the recovery budget, at expected load, while none is delivered."""
    rates = expected(specification)
    a_second = sum(len(later(specification, one)) * rates[one.name] for one in specification.operations)
    return float(round(a_second * specification.budgets.recovery))


def backup_every(specification: Specification) -> float:
    """Seconds: half of what may be lost, so that one may fail; a day where the log holds the rest."""
    loss = specification.data_loss
    return min(DAY, loss / 2) if loss > 0 else DAY


def backup_old(specification: Specification) -> float:
    """Seconds after which a backup is overdue: one and a half of its turns."""
    return 1.5 * backup_every(specification)


def _need(specification: Specification, need: Need) -> Iterator[Alert]:
    """A need without which a critical operation is refused wakes somebody; others wait for the morning."""
    name = f"{pascal(specification.service)}NeedFailing"
    refused = need.when_down is WhenDown.REFUSE
    critical = any(one.critical and need.name in (*one.calls, *one.emits) for one in specification.operations)
    severity = "page" if refused and critical else "ticket"
    labels, job = (("need", need.name),), everywhere(specification)
    if need.kind is NeedKind.HTTP:
        expression = f'max({BREAKER}{{{job},name="{need.name}"}}) > 0'
        said = f"The breaker of {need.name} is open: calls to it are refused."
        yield Alert(name, expression, 120.0, severity, said, labels)
    calls = f'{CALLS}{{{job},need="{need.name}"'
    expression = f'sum(rate({calls},outcome!="ok"}}[5m]))\n/\nsum(rate({calls}}}[5m]))\n> {FAILING:g}'
    said = f"More than {FAILING * 100:g} % of the calls to {need.name} fail."
    yield Alert(name, expression, 300.0, severity, said, labels, assumed=True)


def _outbox(specification: Specification) -> Iterator[Alert]:
    name = f"{pascal(specification.service)}OutboxGrowing"
    critical = any(one.critical and later(specification, one) for one in specification.operations)
    recovery = specification.budgets.recovery
    yield Alert(
        name,
        f"max({level(specification, 'outbox', 'age')}) > {recovery:g}",
        120.0,
        "page" if critical else "ticket",
        f"A message has waited for more than {recovery:g} s: nothing is delivered, or too slowly.",
    )
    depth, most = level(specification, "outbox", "depth"), max(1.0, waiting(specification))
    yield Alert(
        name,
        f"max({depth}) > {most:.0f}\nand\nmax(deriv({depth}[15m])) > 0",
        600.0,
        "ticket",
        f"More than {most:.0f} messages wait, and they become more.",
    )
    yield Alert(
        name,
        f"max({level(specification, 'outbox', 'dead')}) > 0",
        300.0,
        "ticket",
        "A message was given up after its last attempt: somebody has to decide what becomes of it.",
    )
    yield Alert(
        name,
        f'absent(up{{job="{specification.service}-relay"}} == 1)',
        300.0,
        "page" if critical else "ticket",
        "No relay answers: messages wait.",
    )


def _database(specification: Specification) -> Iterator[Alert]:
    name = f"{pascal(specification.service)}DatabaseUnreachable"
    checks = f'{READY}{{{selector(specification)},check="database"}}'
    yield Alert(name, f"max({checks}) == 0", 60.0, "page", "No instance reaches the database.")
    yield Alert(name, f"min({checks}) == 0", 300.0, "ticket", "An instance does not reach the database.")
    up = f'max({DATABASE_UP}{{job="{specification.service}-database"}}) == 0'
    yield Alert(name, up, 60.0, "page", "The database does not answer its exporter.")


def _disk(specification: Specification) -> Iterator[Alert]:
    name = f"{pascal(specification.service)}DiskFilling"
    claims = f'{{persistentvolumeclaim=~"{specification.service}-.*"}}'
    left = f"{DISK_LEFT}{claims} / {DISK}{claims} < {FULL:g}"
    yield Alert(name, left, 300.0, "page", f"Less than {FULL * 100:g} % of a disk is left.", assumed=True)
    soon = f"predict_linear({DISK_LEFT}{claims}[6h], {AHEAD:.0f}) < 0"
    said = f"A disk will be full within {AHEAD / 3600:g} h if it goes on like this."
    yield Alert(name, soon, 3600.0, "ticket", said, assumed=True)


def _backup(specification: Specification) -> Iterator[Alert]:
    name = f"{pascal(specification.service)}BackupOld"
    last, old = f'{BACKUP}{{service="{specification.service}"}}', backup_old(specification)
    yield Alert(
        name,
        f"time() - max({last}) > {old:.0f}\nor\nabsent({last})",
        300.0,
        "page" if specification.data_loss > 0 else "ticket",
        f"There is no backup of the last {old / 3600:g} h.",
        assumed=backup_every(specification) == DAY,
    )
    if specification.data_loss < backup_every(specification):
        failed = f'sum(increase({NOT_ARCHIVED}{{job="{specification.service}-database"}}[15m])) > 0'
        said = "The database's log is not archived: what is written now is in no backup."
        yield Alert(name, failed, 900.0, "page", said)
