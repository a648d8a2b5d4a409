"""A database that is down, slow, wrong or half-open."""

from collections.abc import Sequence

from mainstay.model.specification import Operation, Specification
from mainstay.plan.failures.guards import DATABASE, ServiceGuard, service_guard
from mainstay.plan.failures.mode import Doubt, Effect, FailureMode, Healer, Mode, Part, Result, Time
from mainstay.plan.failures.signals import Alarm, signals
from mainstay.plan.failures.statuses import done

_ASKED = f"{DATABASE.cached:g} s cached + {DATABASE.ready:g} s for a check of readiness"
_ANEW = f"{DATABASE.connect:g} s for a new connection"


def database_modes(specification: Specification) -> tuple[FailureMode, ...]:
    """Four of it."""
    return (
        _down(specification),
        _slow(specification),
        _wrong(specification),
        _half_open(specification),
    )


def _down(specification: Specification) -> FailureMode:
    return _mode(
        specification,
        Mode.DOWN,
        [_refused(o) for o in specification.operations],
        Time(DATABASE.cached + DATABASE.ready, f"{_ASKED} = 2 s", assumed=True),
        _comes_back(service_guard(specification)),
        ("database-stopped", "database-killed", "database-connections-reset"),
        Healer.PLATFORM,
    )


def _slow(specification: Specification) -> FailureMode:
    return _mode(
        specification,
        Mode.SLOW,
        [
            Effect(o.name, Result.SLOWER, done(specification, o), DATABASE.statement)
            for o in specification.operations
        ],
        Time(DATABASE.statement, f"a statement is given up after {DATABASE.statement:g} s", assumed=True),
        Time(0.0, "the next statement is as fast as ever"),
        ("database-slowed",),
        alarm=Alarm.SLOW,
    )


def _wrong(specification: Specification) -> FailureMode:
    """It answers, with errors: no connection is left, or it is read-only after a failover."""
    return _mode(
        specification,
        Mode.WRONG,
        [_refused(o) if o.method != "GET" else _served(specification, o) for o in specification.operations],
        Time(0.0, "the first error is one"),
        _comes_back(service_guard(specification)),
        ("database-slots-exhausted",),
        doubts=(Doubt.READ_ONLY,),
    )


def _half_open(specification: Specification) -> FailureMode:
    """It is paused, or something between forgot the connections."""
    wait = DATABASE.silent
    seconds = DATABASE.silent + DATABASE.connect
    said = f"{DATABASE.silent:g} s without a sign + {_ANEW} = {seconds:g} s"
    return _mode(
        specification,
        Mode.HALF_OPEN,
        [_refused(o, wait) for o in specification.operations],
        Time(
            DATABASE.silent,
            f"connections are given up after {DATABASE.silent:g} s without a sign",
            assumed=True,
        ),
        Time(seconds, said, assumed=True),
        ("database-paused", "database-forgotten"),
    )


def _mode(
    specification: Specification,
    mode: Mode,
    effects: Sequence[Effect],
    noticed: Time,
    recovers: Time,
    experiments: tuple[str, ...],
    healer: Healer = Healer.ITSELF,
    alarm: Alarm = Alarm.DATABASE,
    doubts: tuple[Doubt, ...] = (),
) -> FailureMode:
    return FailureMode(
        Part.DATABASE,
        "database",
        mode,
        tuple(effects),
        signals(specification, alarm, Alarm.BUDGET),
        noticed,
        healer,
        recovers,
        experiments=experiments,
        doubts=doubts,
    )


def _comes_back(guard: ServiceGuard) -> Time:
    """A new connection, a check of readiness, and the platform's next question."""
    seconds = DATABASE.connect + DATABASE.cached + guard.probe
    said = f"{_ANEW} + {DATABASE.cached:g} s cached + {guard.probe:g} s until the next probe = {seconds:g} s"
    return Time(seconds, said, assumed=True)


def _refused(operation: Operation, wait: float = 0.0) -> Effect:
    return Effect(operation.name, Result.REFUSED, 503, wait)


def _served(specification: Specification, operation: Operation) -> Effect:
    return Effect(operation.name, Result.AS_EVER, done(specification, operation))
