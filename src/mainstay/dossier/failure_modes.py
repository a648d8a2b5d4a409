"""What can go wrong, in words."""

from collections.abc import Iterator

from mainstay.model.dossier import Chapter, Grid, Part, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Specification
from mainstay.plan.alerts import has_outbox
from mainstay.plan.failures import failure_modes
from mainstay.plan.failures.guards import DATABASE, NeedGuard, need_guard, relay_policy, service_guard
from mainstay.plan.failures.mode import Doubt, Effect, FailureMode, Mode, Result, Time
from mainstay.plan.failures.mode import Part as Failing

PLACE = 40
HEADS = ("how", "what callers get", "who notices, and by what", "how it ends", "meanwhile", "tested by")
MEANINGS = {
    Mode.DOWN: "down (it takes no connection)",
    Mode.SLOW: "slow (it answers too late)",
    Mode.WRONG: "wrong (it answers errors or nonsense)",
    Mode.HALF_OPEN: "half-open (it takes requests and never answers)",
    Mode.KILLED: "killed (a process ends without a word)",
    Mode.TWO_VERSIONS: "two versions at once (in each release)",
    Mode.DISK_FULL: "disk full (of the database: the service keeps nothing on its own)",
    Mode.OVERLOAD: "overload (more requests than it can serve)",
}
MEANWHILE = {
    Mode.KILLED: "the other replicas serve; what was acknowledged is in the database",
    Mode.TWO_VERSIONS: "both work on one schema: it is widened before, and narrowed a release later",
    Mode.DISK_FULL: "what is stored can be read",
    Mode.OVERLOAD: "as many are served as can be; the rest hear at once to come again",
}


def chapter(specification: Specification) -> Chapter:
    """One grid for each thing that fails, then the settings that the sums use, then what is open."""
    modes = failure_modes(specification)
    parts = dict.fromkeys(mode.name for mode in modes)
    grids = tuple(_grid(name, tuple(mode for mode in modes if mode.name == name)) for name in parts)
    settings = Statements(tuple(_settings(specification)), "The guards, and where their settings come from")
    doubts = tuple(dict.fromkeys(_doubts(specification, modes)))
    open_ = (Statements(doubts, "What is open about failures"),) if doubts else ()
    return Chapter(
        "failure-modes",
        "What happens when something fails",
        "Each row says what callers get, who notices, how it ends, and which experiment shows that it is so.",
        (*grids, settings, *open_),
    )


def effects(mode: FailureMode) -> str:
    """What callers get, operations of the same fate together."""
    fates: list[tuple[str, list[str]]] = []
    for effect in mode.effects:
        said = _fate(effect)
        known = next((names for fate, names in fates if fate == said), None)
        if known is None:
            fates.append((said, [effect.operation]))
        else:
            known.append(effect.operation)
    return "; ".join(f"{', '.join(f'`{name}`' for name in names)}: {fate}" for fate, names in fates)


def degraded(mode: FailureMode) -> str:
    """What is left of the service meanwhile."""
    if mode.mode in MEANWHILE:
        return MEANWHILE[mode.mode]
    if mode.part is Failing.DATABASE:
        served = any(effect.result is Result.AS_EVER for effect in mode.effects)
        late = all(effect.result is Result.SLOWER for effect in mode.effects)
        return (
            "what is stored can be read" if served else "everything, later" if late else "nothing is served"
        )
    left = [effect.degraded for effect in mode.effects if effect.degraded]
    if left:
        return left[0]
    if mode.backlog is not None:
        return "what is owed is kept, and settled when it is back"
    return "what does not need it goes on"


def end(mode: FailureMode) -> str:
    """By whom it ends, and in what time."""
    if mode.mode is Mode.TWO_VERSIONS:
        return "with the release"
    after = " of the cause's end" if mode.recovers.seconds else " when the cause is gone"
    return f"by {mode.healer}, {_time(mode.recovers)}{after}"


# --- grids -----------------------------------------------------------------------------------


def _grid(name: str, modes: tuple[FailureMode, ...]) -> Part:
    what = "the database" if name == "database" else f"`{name}`"
    return Grid(HEADS, tuple(_row(mode) for mode in modes), f"When {what} fails")


def _row(mode: FailureMode) -> Row:
    backlog = ""
    if mode.backlog is not None:
        backlog = f"; after an outage as long as the recovery budget, {mode.backlog.seconds:,.0f} wait"
    cells = (
        _meaning(mode),
        effects(mode),
        _noticed(mode),
        end(mode),
        degraded(mode) + backlog,
        ", ".join(f"`{name}`" for name in mode.experiments) or "nothing yet",
    )
    sums = [f"noticed: {mode.noticed.sum}", f"over: {mode.recovers.sum}"]
    if mode.backlog is not None:
        sums.append(f"waiting: {mode.backlog.sum}")
    assumed = mode.noticed.assumed or mode.recovers.assumed
    return Row(cells, Origin.ASSUMED if assumed else Origin.DERIVED, "; ".join(sums))


def _meaning(mode: FailureMode) -> str:
    if mode.part is Failing.DATABASE and mode.mode is Mode.WRONG:
        return "wrong (it takes no writes, as a standby does, or no new connections)"
    return MEANINGS[mode.mode]


def _fate(effect: Effect) -> str:
    waited = f", after up to {effect.wait:g} s until it is noticed" if effect.wait else ""
    match effect.result:
        case Result.AS_EVER:
            return "as ever"
        case Result.SLOWER:
            return f"answered later, or 503 after {effect.wait:g} s for one statement"
        case Result.LATER:
            return f"{effect.status} as ever, and the message is sent later"
        case Result.ACCEPTED:
            return "202 accepted, and settled when it is back"
        case Result.DEGRADED:
            return f"{effect.status} with {effect.degraded}{waited}"
        case Result.REFUSED:
            return f"503 with `Retry-After`{waited}"
        case Result.SHED:
            return "503 with `Retry-After` for what is too much, the rest as ever"
        case Result.ASK_AGAIN:
            return "those under way are cut off, and may be repeated as they are"
        case Result.REPLAYED:
            return "those under way are cut off, and a repeat with the same key gets the one answer"
        case Result.UNKNOWN:
            return "those under way are cut off, and their callers have to look whether it was done"


def _noticed(mode: FailureMode) -> str:
    signals = ", ".join(f"`{signal.alert}` (`{signal.metric}`)" for signal in mode.signals)
    if mode.mode is Mode.TWO_VERSIONS:
        return f"whoever releases it; {signals}"
    if mode.noticed.seconds is None:
        return f"no breaker; {signals}"
    who = "the breaker" if mode.part is Failing.NEED else "the service"
    return f"{who}, {_time(mode.noticed)}; {signals}"


def _time(time: Time) -> str:
    if not time.seconds:
        return "at once"
    return f"within {time.seconds:.2g} s" if time.seconds < 10 else f"within {time.seconds:.0f} s"


# --- settings --------------------------------------------------------------------------------


def _settings(specification: Specification) -> Iterator[Statement]:
    for need in specification.needs:
        yield from _need(need_guard(specification, need))
    if has_outbox(specification):
        policy = relay_policy(specification)
        yield Statement(
            f"The relay tries a message again after {policy.backoff:g} s, waits twice as long each time, "
            f"{policy.longest:g} s at most; after {policy.attempts} attempts it gives it up.",
            Origin.ASSUMED,
            f"{policy.sum}: a need may be away for a day; if it is away for longer, messages are given up",
        )
    guard = service_guard(specification)
    yield Statement(
        f"A replica has at most {guard.at_once} requests under way, and refuses what comes beyond.",
        Origin.ASSUMED,
        f"{guard.sum}: one that works and one that waits for each thread; more only wait longer",
    )
    yield Statement(
        f"A request ends after {guard.deadline:g} s; who is refused waits at least {guard.retry_after:g} s.",
        Origin.ASSUMED,
        "the defaults of the runtime; if they are longer, an overload lasts longer",
    )
    yield Statement(
        f"A connection is made within {DATABASE.connect:g} s, a statement ends within "
        f"{DATABASE.statement:g} s, and a connection without a sign is given up after {DATABASE.silent:g} s.",
        Origin.ASSUMED,
        "a usual network within one place; if they are longer, callers wait longer for their 503",
    )
    yield Statement(
        f"A new process answers after {guard.start:g} s, and the platform asks every {guard.probe:g} s.",
        Origin.ASSUMED,
        "if it starts slower, the service is short of a replica for longer; `all-killed` measures it",
    )


def _need(guard: NeedGuard) -> Iterator[Statement]:
    attempts = "once, since nothing makes a repeat safe"
    if guard.attempts > 1:
        attempts = f"up to {guard.attempts} times, retries being at most {guard.retry_share:.0%} of the calls"
    yield Statement(
        f"A call of `{guard.need}` has {guard.deadline:g} s with all its attempts; it is made {attempts}.",
        sum="the timeout and the idempotency header of the specification",
    )
    yield Statement(
        f"The breaker of `{guard.need}` opens when of {guard.minimum} calls in {guard.window:g} s half "
        f"fail, or {guard.slow_rate:.0%} take {guard.slow:g} s; it stays open for {guard.open_for:g} s, and "
        f"{guard.probes} probes decide.",
        Origin.ASSUMED,
        f"half of the timeout is slow; half of what a window brings, 5 to 20, is enough to judge: "
        f"{guard.calls:.3g}/s × {guard.window:g} s / 2",
    )
    yield Statement(
        f"At most {guard.at_once} calls of `{guard.need}` are under way in one process.",
        Origin.ASSUMED if guard.processes == 1 else Origin.DERIVED,
        f"{guard.sum}; that carries {guard.expected:.3g}/s while a call takes at most "
        f"{guard.at_once * guard.processes / guard.expected * 1000:.0f} ms"
        if guard.expected
        else guard.sum,
    )


def _doubts(specification: Specification, modes: tuple[FailureMode, ...]) -> Iterator[Statement]:
    for mode in modes:
        need = specification.need(mode.name)
        for doubt in mode.doubts:
            match doubt:
                case Doubt.OUTCOME:
                    said = f"When `{mode.name}` does not answer a write, who finds out whether it was done?"
                    why = (
                        "no header makes a repeat safe, so it is not asked again, and the row stays as it is"
                    )
                case Doubt.READ_LATER:
                    said = f"What do reads show while `{mode.name}` is down?"
                    why = (
                        "a read cannot be settled later, so it answers 503 until the specification says more"
                    )
                case Doubt.READ_ONLY:
                    said = "Who tests that a database which takes no writes is told to callers?"
                    why = "`database-slots-exhausted` takes connections away; nothing makes it read-only"
                case Doubt.UNKEYED:
                    names = [e.operation for e in mode.effects if e.result is Result.UNKNOWN]
                    said = f"May {', '.join(f'`{name}`' for name in names)} happen twice?"
                    why = "without `critical: true` there is no key, and who hears no answer may repeat it"
                case Doubt.NO_EXPERIMENT:
                    said = f"What is `{mode.name}` run on?"
                    kind = need.kind if need is not None else "need"
                    why = f"no experiment breaks a need of kind `{kind}`: these rows are untested"
            yield Statement(said, Origin.OPEN, why)
