"""Time to recover: from when a fault starts until users are well again, and stay so.

Well is a window in which nothing failed and in which requests on *fresh* connections keep their p95:
callers that keep their connections never meet the worker that hangs.  A window that is bad later on moves
the recovery behind it, so a service that is well between two drops of a repeating fault has not recovered.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from msgspec import Struct

from mainstay.evidence import said
from mainstay.evidence.bounds import quantile
from mainstay.evidence.lag import allowed, lag_p99
from mainstay.evidence.requests import failed, waits
from mainstay.evidence.windows import window
from mainstay.model.budget import Budgets
from mainstay.model.proof import Claim, Figure, Origin, Subject, Verdict, Window
from mainstay.model.record import Record

WIDTH = 2.0  # seconds of a window, where that holds enough requests
_ENOUGH = 10  # fresh requests in a window, for its p95 to mean something
_STEADY = 20  # requests before the fault, for theirs to be compared with
_STILL = 3  # bad windows at the end of the watch that show a lasting failure
_SLICE = 0.5  # seconds, for the sum of an outage
_MISSED = 0.05  # the chance that a worker was never reached, at which we do not know


class Fault(Struct, frozen=True):
    """Something that was done to the service; monotonic seconds.  A kill starts and is lifted at once."""

    start: float
    lifted: float


class State(Enum):
    """What one window says of the service."""

    WELL = "well"
    SLOW = "slow"
    FAILING = "failing"
    UNTOLD = "untold"  # no request on a fresh connection, or the load driver was late


Busy = Callable[[float, float], bool]


def undisturbed(_start: float, _end: float) -> bool:
    """Nobody else used the machine."""
    return False


class Recovery(Struct, frozen=True):
    """How a service came back; all in seconds."""

    seconds: float | None  # from the start of the first fault; None: not within the watch
    after_last: float | None  # from the start of the last fault; the same where there was one
    after_lifted: float | None  # from when the last fault was lifted; 0 when it was well before that
    outage: float  # time in which at least one user failed
    lost: float  # the same, each slice weighed by the share that failed: seconds of full outage
    due: int  # requests from the first fault to the end of the watch
    failed: int
    width: float  # of a window: the resolution of all of these
    limit: float  # p95 up to which a window is well
    steady: float | None  # p95 before the fault, on fresh connections where there were enough
    watched: float  # after the last fault was lifted, as long as requests came
    faults: int
    states: tuple[State, ...]  # of the windows from the first fault on
    windows: tuple[Window, ...]  # the same; `start` counts from the first fault
    unwell_before: int = 0  # requests that failed before any fault
    by_failures: bool = False  # latencies told nothing: the machine or the load driver was busy
    missed: str = ""  # part of the service that no fresh request has reached since
    last_failure: float | None = None  # from when the last fault was lifted until the last failed request

    @property
    def failing(self) -> bool:
        """Whether it was bad to the end of the watch, for longer than one unlucky window."""
        end = [state for state in self.states if state is not State.UNTOLD][-_STILL:]
        bad = [state for state in end if state is not State.WELL]
        return len(end) == _STILL and len(bad) == _STILL


def recovery(
    records: Iterable[Record],
    faults: Sequence[Fault],
    watch_until: float,
    budgets: Budgets,
    *,
    width: float = WIDTH,
    workers: int = 1,
    busy: Busy = undisturbed,
    usual: float | None = None,
) -> Recovery:
    """Work out the recovery from all requests of an experiment, those before the fault included.

    `workers` is how many processes serve behind each address. Where windows would hold too few requests on
    fresh connections they are widened. On a machine (or a service) that was slow before the fault, well is a
    p95 of at most twice the one before; `limit` tells. `usual` is the p95 (seconds) under the same load when
    the service had run for a while: one that was only just started is no measure for itself. `busy(start,
    end)` tells whether others used the machine then: what was slow in such a stretch tells nothing, and if no
    other stretch is left, failures alone are judged and `by_failures` says so. Raises ValueError without a
    fault.
    """
    if not faults:
        raise ValueError("there was no fault to recover from")
    kept = [record for record in records if not record.stocking]
    first, last = min(fault.start for fault in faults), max(fault.start for fault in faults)
    lifted = max(fault.lifted for fault in faults)
    before = [record for record in kept if record.due < first and record.done < first]
    after = _met(kept, first, watch_until)
    ended = _end(after, first, watch_until)
    steady = _steady(before)
    usually = [p95 for p95 in (steady, usual) if p95 is not None]
    limit = max(budgets.p95, 2 * min(usually, default=0.0))
    width = _widened(after, ended - first, width)
    bins = _bins(after, first, ended, width)
    states = tuple(_state(inside, limit, allowed(budgets)) for inside in bins)
    states = tuple(
        State.UNTOLD if state is State.SLOW and busy(first + at * width, first + (at + 1) * width) else state
        for at, state in enumerate(states)
    )
    by_failures = State.WELL not in states[-_STILL:] and State.UNTOLD in states[-_STILL:]
    if by_failures:
        states = tuple(
            State.WELL if state is State.UNTOLD and any(one.fresh for one in inside) else state
            for state, inside in zip(states, bins, strict=True)
        )
    well = _well_from(states)
    since = None if well is None else first + well * width
    outage, lost = _outage(after, first, ended)
    return Recovery(
        seconds=None if since is None else since - first,
        after_last=None if since is None else max(0.0, since - last),
        after_lifted=None if since is None else max(0.0, since - lifted),
        outage=outage,
        lost=lost,
        due=len(after),
        failed=failed(after),
        width=width,
        limit=limit,
        steady=steady,
        watched=max(0.0, ended - lifted),
        faults=len(faults),
        states=states,
        windows=tuple(window(inside, at * width, width) for at, inside in enumerate(bins)),
        unwell_before=failed(before),
        missed="" if since is None else _missed(kept, first, since, workers),
        by_failures=by_failures,
        last_failure=max((record.done - lifted for record in after if not record.ok), default=None),
    )


def claim(
    found: Recovery, budgets: Budgets, standard: Budgets, longest: float, *, name: str = "recovers-in-time"
) -> Claim:
    """Whether it came back within its budget.

    `longest` is the longest timeout (seconds) of pools and statements: a watch that is not longer than it
    cannot tell a service that is well from one whose stuck requests have not run out yet.
    """
    given = _verdict(found, budgets, longest)
    return Claim(
        name=name,
        subject=Subject.RECOVERY,
        verdict=given,
        said=_said(found, budgets, longest),
        figures=_figures(found),
        standard=_verdict(found, standard, longest) if budgets.recovery > standard.recovery else None,
    )


def _verdict(found: Recovery, budgets: Budgets, longest: float) -> Verdict:
    if found.seconds is not None and found.seconds > budgets.recovery:
        return Verdict.FAILED
    if found.watched < longest:
        return Verdict.INCONCLUSIVE
    if found.seconds is None:
        return Verdict.FAILED if found.failing else Verdict.INCONCLUSIVE
    return Verdict.INCONCLUSIVE if found.missed else Verdict.PASSED


def _said(found: Recovery, budgets: Budgets, longest: float) -> str:
    parts = [_outcome(found), *_doubts(found, budgets, longest)]
    if found.failed:
        parts.append(
            f"{said.count(found.failed)} of {said.count(found.due, 'request')} failed, "
            f"in {said.time(found.outage)} altogether"
        )
    return "; ".join(parts) + "."


def _outcome(found: Recovery) -> str:
    if found.seconds is None:
        return _not_back(found)
    if found.seconds == 0.0:
        return "Users did not notice"
    since = [f"{said.time(found.seconds)} after the fault began"]
    if found.faults > 1 and found.after_last is not None:
        since.append(f"{said.time(found.after_last)} after the last of {found.faults} began")
    if found.after_lifted is not None:
        since.append(f"{said.time(found.after_lifted)} after it was lifted")
    return f"Well again {', '.join(since)} (to {said.time(found.width)})"


def _not_back(found: Recovery) -> str:
    if found.failing:
        how = "failing" if State.FAILING in found.states[-_STILL:] else "slow"
        return f"Outlives its cause: still {how} {said.time(found.watched)} after the fault was lifted"
    if all(state is State.UNTOLD for state in found.states):
        return "Whether it came back is not known: no window could be judged"
    return f"Not steadily well within the {said.time(found.watched)} watched, nor failing to the end"


def _doubts(found: Recovery, budgets: Budgets, longest: float) -> list[str]:
    doubts = []
    if found.seconds is not None and found.seconds > budgets.recovery:
        doubts.append(f"the budget is {said.time(budgets.recovery)}")
    if found.watched < longest:
        doubts.append(
            f"watched for {said.time(found.watched)}, which is less than the longest timeout, "
            f"{said.time(longest)}"
        )
    if found.missed:
        doubts.append(found.missed)
    if found.by_failures:
        doubts.append(
            "judged by failures alone, since others kept the machine busy and latencies tell nothing"
        )
    if found.limit > budgets.p95:
        doubts.append(
            f"p95 was {said.time(found.limit / 2)} before the fault already, so up to "
            f"{said.time(found.limit)} counts as well, not {said.time(budgets.p95)}"
        )
    if found.unwell_before:
        doubts.append(f"{said.count(found.unwell_before, 'request')} had failed before the fault")
    return doubts


def _figures(found: Recovery) -> tuple[Figure, ...]:
    rounded = f"windows of {said.time(found.width)}"
    figures = [
        Figure("outage", found.outage, "s", Origin.MEASURED, f"slices of {said.time(_SLICE)} with a failure"),
        Figure("full outage", found.lost, "s", Origin.DERIVED, "slices × share failed"),
        Figure("watched after the fault", found.watched, "s"),
    ]
    if found.seconds is None or found.after_last is None or found.after_lifted is None:
        return tuple(figures)
    return (
        Figure("recovery, from the start of the fault", found.seconds, "s", Origin.MEASURED, rounded),
        Figure("recovery, from the start of the last fault", found.after_last, "s", Origin.MEASURED, rounded),
        Figure("recovery, from its end", found.after_lifted, "s", Origin.MEASURED, rounded),
        *figures,
    )


def _steady(before: Sequence[Record]) -> float | None:
    """The p95 before the fault: on fresh connections if those are enough, else on all, else unknown."""
    fresh = waits(record for record in before if record.fresh)
    waited = fresh if len(fresh) >= _STEADY else waits(before)
    return quantile(waited, 0.95) if len(waited) >= _STEADY else None


def _widened(after: Sequence[Record], span: float, width: float) -> float:
    """Wide enough for a judgement in each; never so wide that fewer than three windows are left."""
    fresh = sum(record.fresh for record in after)
    if fresh == 0 or span <= 0.0:
        return width
    return max(width, min(_ENOUGH * span / fresh, span / _STILL))


def _met(kept: Sequence[Record], first: float, until: float) -> list[Record]:
    """Requests that were due since the fault began, and those that it caught on their way."""
    return [
        record
        for record in kept
        if first <= record.due < until or (record.due < first <= record.done and not record.ok)
    ]


def _end(after: Sequence[Record], first: float, until: float) -> float:
    """The end of the watch: nobody watched for longer than requests came."""
    gap = (until - first) / max(1, len(after))
    return min(until, max((record.due for record in after), default=first) + max(WIDTH, 5 * gap))


def _bins(after: Sequence[Record], began: float, ended: float, width: float) -> list[list[Record]]:
    """By when requests were due; a last window shorter than half belongs to the one before."""
    number = max(1, round((ended - began) / width))
    bins: list[list[Record]] = [[] for _ in range(number)]
    for record in after:
        bins[max(0, min(number - 1, int((record.due - began) / width)))].append(record)
    return bins


def _state(inside: Sequence[Record], limit: float, lag: float) -> State:
    """A failure is a failure however late it was sent; slowness may be ours, and then nothing is told."""
    if failed(inside):
        return State.FAILING
    fresh = [record for record in inside if record.fresh]
    if not fresh:
        return State.UNTOLD
    if quantile(waits(fresh), 0.95) <= limit:
        return State.WELL
    if lag_p99(inside) <= lag:
        return State.SLOW
    served = sorted(record.done - record.sent for record in fresh)
    return State.WELL if quantile(served, 0.95) <= limit else State.UNTOLD


def _well_from(states: Sequence[State]) -> int | None:
    """The first well window behind the last bad one."""
    bad = [at for at, state in enumerate(states) if state in (State.FAILING, State.SLOW)]
    start = bad[-1] + 1 if bad else 0
    return next((at for at in range(start, len(states)) if states[at] is State.WELL), None)


def _outage(after: Sequence[Record], began: float, ended: float) -> tuple[float, float]:
    slices = [inside for inside in _bins(after, began, ended, _SLICE) if failed(inside)]
    return len(slices) * _SLICE, sum(_SLICE * failed(inside) / len(inside) for inside in slices)


def _missed(kept: Sequence[Record], first: float, since: float, workers: int) -> str:
    """Which part of the service may still hang, as far as requests can tell; empty when none."""
    fresh = [record for record in kept if record.fresh]
    used = {record.target for record in fresh if record.due < first}
    reached: dict[int, int] = {}
    for record in fresh:
        if record.due >= since and record.ok:
            reached[record.target] = reached.get(record.target, 0) + 1
    unreached = len(used - reached.keys())
    if unreached:
        return f"{said.count(unreached, 'address')} of {len(used)} served no fresh request since"
    fewest = min(reached.values(), default=0)
    chance = workers * (1 - 1 / workers) ** fewest if workers > 1 else 0.0
    if chance > _MISSED:
        return (
            f"{said.count(fewest, 'fresh request')} may not have reached each of {workers} workers "
            f"(a chance of {said.share(min(1.0, chance))} to miss one)"
        )
    return ""
