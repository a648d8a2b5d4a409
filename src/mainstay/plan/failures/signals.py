"""The alerts and metrics by which a failure is noticed; their names are those of `plan.alerts`."""

from enum import StrEnum

from mainstay.model.specification import Specification
from mainstay.plan import alerts, objectives
from mainstay.plan.failures.mode import Signal


class Alarm(StrEnum):
    """What an alert is about; its name has the service before it."""

    BUDGET = "ErrorBudgetBurn"
    SLOW = "SlowRequests"
    NEED = "NeedFailing"
    OUTBOX = "OutboxGrowing"
    DATABASE = "DatabaseUnreachable"
    DISK = "DiskFilling"
    BACKUP = "BackupOld"


_METRICS = {
    Alarm.BUDGET: objectives.REQUESTS,
    Alarm.SLOW: objectives.SECONDS,
    Alarm.NEED: alerts.CALLS,
    Alarm.OUTBOX: alerts.OUTBOX,
    Alarm.DATABASE: alerts.READY,
    Alarm.DISK: alerts.DISK_LEFT,
    Alarm.BACKUP: alerts.BACKUP,
}


def alert(specification: Specification, alarm: Alarm) -> str:
    """`PaymentsNeedFailing`."""
    return alerts.pascal(specification.service) + alarm


def signals(specification: Specification, *alarms: Alarm) -> tuple[Signal, ...]:
    """The alerts of that kind with what they watch."""
    return tuple(Signal(alert(specification, each), _METRICS[each]) for each in alarms)
