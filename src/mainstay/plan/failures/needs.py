"""A need that is down, slow, wrong or half-open."""

from mainstay.model.specification import Need, NeedKind, Operation, Specification, WhenDown
from mainstay.plan.failures.guards import NeedGuard, need_guard, relay_policy, waits_for
from mainstay.plan.failures.mode import Doubt, Effect, FailureMode, Healer, Mode, Part, Result, Time
from mainstay.plan.failures.signals import Alarm, signals
from mainstay.plan.failures.statuses import done

MODES = (Mode.DOWN, Mode.SLOW, Mode.WRONG, Mode.HALF_OPEN)
_EXPERIMENTS = {
    Mode.DOWN: "dependency-down",
    Mode.SLOW: "dependency-slow",
    Mode.WRONG: "dependency-wrong",
    Mode.HALF_OPEN: "dependency-half-open",
}


def need_modes(specification: Specification) -> tuple[FailureMode, ...]:
    """Four for each need."""
    return tuple(_mode(specification, need, mode) for need in specification.needs for mode in MODES)


def _mode(specification: Specification, need: Need, mode: Mode) -> FailureMode:
    guard = need_guard(specification, need)
    effects = tuple(_effect(specification, operation, need, mode) for operation in specification.operations)
    alarms = [Alarm.NEED]
    if _later(effects):
        alarms.append(Alarm.OUTBOX)
    if any(effect.wait for effect in effects):
        alarms.append(Alarm.SLOW)
    if any(effect.result is Result.REFUSED for effect in effects):
        alarms.append(Alarm.BUDGET)
    return FailureMode(
        Part.NEED,
        need.name,
        mode,
        effects,
        signals(specification, *alarms),
        _noticed(guard, mode),
        Healer.ITSELF,
        _recovers(guard, relay_policy(specification).longest, mode, effects),
        _backlog(specification, guard) if _later(effects) else None,
        (_EXPERIMENTS[mode],) if need.kind is NeedKind.HTTP else (),
        tuple(_doubts(specification, need, mode)),
    )


def _effect(specification: Specification, operation: Operation, need: Need, mode: Mode) -> Effect:
    if waits_for(operation, need):
        wait = need.timeout if mode in (Mode.SLOW, Mode.HALF_OPEN) else 0.0
        return _waiting(specification, operation, need, wait)
    if need.name in operation.calls:
        return Effect(operation.name, Result.ACCEPTED, 202)
    if need.name in operation.emits:
        return _emitted(specification, operation, need)
    return Effect(operation.name, Result.AS_EVER, done(specification, operation))


def _waiting(specification: Specification, operation: Operation, need: Need, wait: float) -> Effect:
    if need.when_down is WhenDown.DEGRADE:
        return Effect(operation.name, Result.DEGRADED, done(specification, operation), wait, need.degraded)
    return Effect(operation.name, Result.REFUSED, 503, wait)


def _emitted(specification: Specification, operation: Operation, need: Need) -> Effect:
    """A message is written with its row and sent by the relay: nobody waits for the need."""
    if need.when_down is WhenDown.REFUSE:
        return Effect(operation.name, Result.REFUSED, 503)
    return Effect(operation.name, Result.LATER, done(specification, operation), degraded=need.degraded)


def _later(effects: tuple[Effect, ...]) -> bool:
    return any(effect.result in (Result.LATER, Result.ACCEPTED) for effect in effects)


def _noticed(guard: NeedGuard, mode: Mode) -> Time:
    """The breaker opens when enough calls have ended badly, each after as long as it takes to fail."""
    each = guard.deadline if mode in (Mode.SLOW, Mode.HALF_OPEN) else 0.0
    rate = guard.results(each)
    ends = f"{guard.expected:.3g}/s"
    if guard.processes > 1:
        ends += f" / {guard.processes} replicas = {guard.calls:.3g}/s"
    if rate < guard.calls:
        ends += f", of which {guard.at_once} / {each:g} s = {rate:.3g}/s end"
    if not guard.opens(each):
        said = f"{ends}; in {guard.window:g} s fewer than {guard.minimum} calls: the breaker stays closed"
        return Time(None, f"{said}, and each call fails by itself after {each:g} s", assumed=True)
    seconds = guard.minimum / rate + each
    said = f"{ends}; {guard.minimum} calls / {rate:.3g}/s" + (f" + {each:g} s" if each else "")
    return Time(seconds, f"{said} = {seconds:.2g} s", assumed=True)


def _recovers(guard: NeedGuard, longest: float, mode: Mode, effects: tuple[Effect, ...]) -> Time:
    """Open for a while, then some probes; what was left is then taken by the relay's next attempt."""
    seconds, said = guard.slow, f"{guard.slow:g} s for the next call"
    if _noticed(guard, mode).seconds is not None:
        seconds = guard.open_for + guard.probes / guard.calls + guard.slow
        said = f"{guard.open_for:g} s open + {guard.probes} probes / {guard.calls:.3g}/s + {guard.slow:g} s"
    if _later(effects):
        seconds += longest
        said += f" + {longest:g} s until the relay's next attempt"
    return Time(seconds, f"{said} = {seconds:.3g} s", assumed=True)


def _backlog(specification: Specification, guard: NeedGuard) -> Time:
    """What waits after an outage as long as the recovery budget."""
    length = specification.budgets.recovery
    waiting = guard.expected * length
    return Time(waiting, f"{guard.expected:.3g}/s × {length:g} s = {waiting:,.0f}", assumed=True)


def _doubts(specification: Specification, need: Need, mode: Mode) -> list[Doubt]:
    callers = [operation for operation in specification.operations if need.name in operation.calls]
    found = []
    writes = any(operation.method != "GET" for operation in callers)
    if mode is not Mode.DOWN and writes and not need.idempotency_header:
        found.append(Doubt.OUTCOME)
    if need.when_down is WhenDown.SETTLE_LATER and any(operation.method == "GET" for operation in callers):
        found.append(Doubt.READ_LATER)
    if need.kind is not NeedKind.HTTP:
        found.append(Doubt.NO_EXPERIMENT)
    return found
