"""What the series would have been had a fault gone on, or never come.

An experiment lasts seconds and an alert looks at minutes.  So each series is continued with its own
behaviour: backwards with what it did before the fault, forwards with what it did during the fault (or, as
the control, with what it did before).  Counters keep their mean rate, gauges their level; what was gone
stays gone.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from msgspec import Struct

from mainstay.lab.paging.series import Recording, Series, Store

STEP = 15_000  # ms between the samples that are made: a usual scrape interval
_FINE = 3_600_000  # ms before the fault with a sample each step
_COARSE = 500  # samples in what lies before that
_FEWEST = 4  # samples that show a gauge growing
_MOMENTS = (1e9, 4e9)  # values that are seconds since 1970


class Phases(Struct, frozen=True):
    """When the service was well and when it was not, in ms."""

    healthy: int
    began: int
    ended: int


class Course(Struct, frozen=True):
    """What one series did before a fault and during it."""

    name: str
    labels: tuple[tuple[str, str], ...]
    counter: bool
    value: float  # where it stood when the fault began; 0 for one that came with it
    before: float | None  # rate a second of a counter, level of a gauge; None when it was not there
    during: float | None
    slope: float = 0.0  # at which a gauge that moved steadily would move on, a second
    clock: bool = False  # a moment that moved on with the clock during the fault
    clock_before: bool = False
    first: int = 0  # ms: its first sample during the fault, for one that was not there before
    last: int = 0  # ms: when it was last seen during the fault, or found gone
    final: float = 0.0  # its last value during the fault

    @property
    def change(self) -> float:
        """How much it changed with the fault, from 0 to 1."""
        if self.before is None or self.during is None:
            return 1.0 if self.before != self.during else 0.0
        scale = max(abs(self.before), abs(self.during))
        return 0.0 if not scale or math.isnan(scale) else min(1.0, abs(self.during - self.before) / scale)

    def __str__(self) -> str:
        labels = ",".join(
            f'{name}="{value}"' for name, value in self.labels if name not in ("job", "instance")
        )
        shown = f"{self.name}{{{labels}}}" if labels else self.name
        unit = "/s" if self.counter else ""
        now = "gone" if self.during is None else f"at {self.during:.3g}{unit}"
        then = "absent" if self.before is None else f"{self.before:.3g}{unit}"
        return f"{shown} {now} (before: {then})"


def courses(store: Store, recording: Recording, phases: Phases) -> tuple[Course, ...]:
    """What each series of a copy of the recording did."""
    found = (_course(series, phases, counter=recording.counts(series)) for series in store.all())
    return tuple(course for course in found if course is not None)


def extended(
    found: Sequence[Course], unix: float, phases: Phases, back: int, ahead: int, *, fault: bool, growing: bool
) -> Store:
    """The series from `back` ms before the fault to `ahead` ms after it began.

    Without `fault` they go on as they were before it.  With `growing`, gauges that moved steadily during the
    fault go on moving, instead of keeping their level.
    """
    store = Store(unix)
    before = past(phases.began, back)
    future = range(phases.began + STEP, phases.began + ahead + 1, STEP)
    for course in found:
        series = store.series(course.name, course.labels)
        if course.before is not None:
            for at in before:
                series.add(at, _before(course, at, phases))
        if fault:
            _go_on(series, course, future, phases, growing=growing)
        elif course.before is not None:
            for at in future:
                series.add(at, _before(course, at, phases))
    return store


def past(began: int, back: int) -> list[int]:
    """Times up to the fault, the further ones further apart."""
    fine = min(back, _FINE)
    times = list(range(began - fine // STEP * STEP, began + 1, STEP))
    if back > fine:
        step = max(STEP, (back - fine) // _COARSE)
        times = [*reversed(range(times[0] - step, began - back - step, -step)), *times]
    return times


def _before(course: Course, at: int, phases: Phases) -> float:
    assert course.before is not None
    since = (at - phases.began) / 1000
    if course.counter:
        return course.value + course.before * since  # below zero long ago, which no rate minds
    return course.value + since if course.clock_before else course.before


def _go_on(series: Series, course: Course, future: range, phases: Phases, *, growing: bool) -> None:
    if course.during is None:
        series.end(max(course.last, phases.began))
        return
    for at in future:
        if course.before is None and at < course.first:
            continue
        since = (at - phases.began) / 1000
        if course.counter:
            series.add(at, course.value + course.during * since)
        elif course.clock:
            series.add(at, course.final + max(0.0, (at - course.last) / 1000))
        elif growing and course.slope and at > course.last:
            moved = course.final + course.slope * (at - course.last) / 1000
            series.add(at, max(0.0, moved) if course.final >= 0 else moved)
        else:
            series.add(at, course.during)


def _course(series: Series, phases: Phases, *, counter: bool) -> Course | None:
    there = series.latest(phases.began)
    still = series.latest(phases.ended)
    if there is None and still is None:
        return None
    healthy = series.between(phases.healthy - 1, phases.began)
    failing = series.between(phases.began, phases.ended)
    measure = _counter if counter else _gauge
    return measure(series, healthy, failing, phases, there is not None, still is not None)


def _counter(
    series: Series,
    healthy: tuple[int, int],
    failing: tuple[int, int],
    phases: Phases,
    there: bool,
    still: bool,
) -> Course:
    before = _pace(series, healthy[0], healthy[1] - 1) if there else None
    value = series.values[healthy[1] - 1] if there and healthy[1] > healthy[0] else 0.0
    during: float | None = None
    if still:
        during = _pace_during(series, failing, phases, before)
    return Course(
        series.name,
        series.labels,
        True,
        value,
        before,
        during,
        first=series.times[failing[0]] if failing[1] > failing[0] else phases.ended,
        last=_last_seen(series, phases),
    )


def _pace_during(series: Series, failing: tuple[int, int], phases: Phases, before: float | None) -> float:
    """Mean rate a second during the fault.  A counter that came with the fault began at nothing with it."""
    first, last = failing[0], failing[1] - 1
    if last < first:
        return before or 0.0  # no scrape fell into it
    if before is None:
        grown = series.values[last] + series.fallen(first, last)
        return grown / ((series.times[last] - phases.began) / 1000)
    return _pace(series, max(0, first - 1), last)


def _pace(series: Series, first: int, last: int) -> float:
    if last <= first:
        return 0.0
    grown = series.values[last] - series.values[first] + series.fallen(first, last)
    return grown / ((series.times[last] - series.times[first]) / 1000)


def _gauge(
    series: Series,
    healthy: tuple[int, int],
    failing: tuple[int, int],
    phases: Phases,
    there: bool,
    still: bool,
) -> Course:
    well = series.values[healthy[0] : healthy[1]]
    ill = series.values[failing[0] : failing[1]]
    value = well[-1] if there and well else 0.0
    level = (value if series.name == "up" else _level(well)) if there else None
    during: float | None = None
    if still:
        # The later half: what the fault came to, not how it came.
        during = (ill[-1] if series.name == "up" else _level(ill[len(ill) // 2 :])) if ill else level
    return Course(
        series.name,
        series.labels,
        False,
        value,
        level,
        during,
        slope=_slope(series, failing),
        clock=_clock(series.name, [*well[-1:], *ill]),
        clock_before=_clock(series.name, well),
        first=series.times[failing[0]] if ill else phases.ended,
        last=series.times[failing[1] - 1] if ill and still else _last_seen(series, phases),
        final=ill[-1] if ill else value,
    )


def _last_seen(series: Series, phases: Phases) -> int:
    ends = [at for at in series.gone if at <= phases.ended]
    return ends[-1] if ends else phases.ended


def _level(values: Sequence[float]) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    return median(numbers) if numbers else math.nan


def _clock(name: str, values: Sequence[float]) -> bool:
    """Whether a gauge holds a moment, and moved on."""
    low, high = _MOMENTS
    return "time" in name and len(values) > 1 and low < values[0] < values[-1] < high


def _slope(series: Series, failing: tuple[int, int]) -> float:
    """How fast a gauge moves that moved one way throughout, and in the later half not much slower."""
    first, stop = failing
    values = series.values[first:stop]
    if len(values) < _FEWEST:
        return 0.0
    middle = values[len(values) // 2]
    early, late = middle - values[0], values[-1] - middle
    steps = [b - a for a, b in pairwise(values)]
    one_way = all(step >= 0 for step in steps) or all(step <= 0 for step in steps)
    if not one_way or not late or abs(late) < abs(early) / 2:
        return 0.0
    return (values[-1] - values[0]) / ((series.times[stop - 1] - series.times[first]) / 1000)
