"""The service itself: killed, in two versions at once, without disk, with more work than it can do."""

from mainstay.model.specification import Operation, Specification
from mainstay.plan.failures.guards import service_guard
from mainstay.plan.failures.mode import Doubt, Effect, FailureMode, Healer, Mode, Part, Result, Time
from mainstay.plan.failures.signals import Alarm, signals
from mainstay.plan.failures.statuses import done


def own_modes(specification: Specification) -> tuple[FailureMode, ...]:
    """Four of it."""
    return (
        _killed(specification),
        _two_versions(specification),
        _disk_full(specification),
        _overload(specification),
    )


def _killed(specification: Specification) -> FailureMode:
    guard = service_guard(specification)
    seconds = guard.start + guard.probe
    effects = tuple(Effect(o.name, _cut(o), 0) for o in specification.operations)
    unkeyed = any(effect.result is Result.UNKNOWN for effect in effects)
    said = f"{guard.start:g} s to start + {guard.probe:g} s until the next probe = {seconds:g} s"
    return FailureMode(
        Part.SERVICE,
        specification.service,
        Mode.KILLED,
        effects,
        signals(specification, Alarm.BUDGET),
        Time(0.0, "the platform sees the process end"),
        Healer.PLATFORM,
        Time(seconds, said, assumed=True),
        experiments=("all-killed", "worker-killed"),
        doubts=(Doubt.UNKEYED,) if unkeyed else (),
    )


def _cut(operation: Operation) -> Result:
    """A request that was under way: reads, PUT and DELETE may be repeated as they are (RFC 9110, 9.2.2)."""
    if operation.critical and operation.writes:
        return Result.REPLAYED
    return Result.ASK_AGAIN if operation.method in ("GET", "PUT", "DELETE") else Result.UNKNOWN


def _two_versions(specification: Specification) -> FailureMode:
    return FailureMode(
        Part.SERVICE,
        specification.service,
        Mode.TWO_VERSIONS,
        tuple(Effect(o.name, Result.AS_EVER, done(specification, o)) for o in specification.operations),
        signals(specification, Alarm.BUDGET),
        Time(0.0, "nothing happens by itself: it is a release"),
        Healer.ITSELF,
        Time(0.0, "a schema fits the version before it and the version after it"),
        experiments=("two-versions", "rolling-restart", "service-terminated"),
    )


def _disk_full(specification: Specification) -> FailureMode:
    """The service keeps nothing on a disk of its own: it is the disk of the database."""
    return FailureMode(
        Part.SERVICE,
        specification.service,
        Mode.DISK_FULL,
        tuple(
            Effect(o.name, Result.REFUSED, 503)
            if o.method != "GET"
            else Effect(o.name, Result.AS_EVER, done(specification, o))
            for o in specification.operations
        ),
        signals(specification, Alarm.DISK, Alarm.BUDGET),
        Time(0.0, "the first write that fails is one"),
        Healer.PERSON,
        Time(0.0, "the next write succeeds as soon as there is room"),
        experiments=("disk-full",),
    )


def _overload(specification: Specification) -> FailureMode:
    guard = service_guard(specification)
    said = (
        f"what is under way ends within {guard.deadline:g} s; callers come back after {guard.retry_after:g} s"
    )
    return FailureMode(
        Part.SERVICE,
        specification.service,
        Mode.OVERLOAD,
        tuple(Effect(o.name, Result.SHED, 503) for o in specification.operations),
        signals(specification, Alarm.BUDGET, Alarm.SLOW),
        Time(0.0, f"at once, above {guard.at_once} requests under way in a replica: {guard.sum}"),
        Healer.ITSELF,
        Time(guard.deadline, said, assumed=True),
        experiments=("peak", "knee", "comes-back-under-load"),
    )
