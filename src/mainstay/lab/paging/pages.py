"""Would anyone have been paged?  What fired, what would have had the fault gone on, and what would not."""

import math
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from mainstay.lab.paging.alerting import (
    Outcome,
    elements,
    looks_back,
    names,
    needed,
    record,
    recorded_back,
    run,
)
from mainstay.lab.paging.continued import STEP, Course, Phases, courses, extended, past
from mainstay.lab.paging.dead import DeadAlert, dead, unseen_values
from mainstay.lab.paging.expressions import COMPARISONS, Binary, Number, Select, Unsupported, nodes
from mainstay.lab.paging.promql import selected
from mainstay.lab.paging.rules import Rule
from mainstay.lab.paging.series import Recording, Store, milliseconds
from mainstay.lab.paging.vectors import EvaluationError
from mainstay.model.proof import Origin

HORIZON = 1800.0  # seconds that a fault is taken to go on
HEALTHY = 120.0  # seconds before a fault that show what is normal
_STEPS = 240  # at most, of what was measured
_MANY = 3000  # series from which on the steps become longer
_FALLS = 3  # of a counter without a restart: more than one process answers
_TOLD = 3  # metrics that a sum names
_QUIET = frozenset(
    "info informational information none low minor notice ticket warning warn debug p4 p5".split()
)


class Page(Struct, frozen=True):
    """An alert that fired, or would have."""

    alert: str
    severity: str
    fires_after: float  # seconds from the start of the fault
    origin: Origin  # MEASURED, or DERIVED: had the fault gone on
    sum: str
    file: str = ""
    line: int = 0

    @property
    def urgent(self) -> bool:
        """Whether someone is told at once, as far as the severity says; one without any goes to somebody."""
        return self.severity.lower() not in _QUIET


class Silent(Struct, frozen=True):
    """An alert that tells nobody of this fault, and why."""

    alert: str
    severity: str
    why: str
    file: str = ""
    line: int = 0


class Watch(Struct, frozen=True):
    """What the alerts make of one fault."""

    pages: tuple[Page, ...]
    silent: tuple[Silent, ...]
    already: tuple[Silent, ...] = ()  # fire without the fault as well, and so say nothing of it
    notes: tuple[str, ...] = ()

    @property
    def soonest(self) -> Page | None:
        """The first urgent one that fired or would have."""
        urgent = [page for page in self.pages if page.urgent]
        return min(urgent, key=lambda page: page.fires_after, default=None)


def watch(
    rules: Sequence[Rule],
    recording: Recording,
    fault_began: float,
    fault_ended: float,
    *,
    until: float | None = None,
    horizon: float = HORIZON,
) -> Watch:
    """What the rules make of a fault, by monotonic times; `until` is when the experiment was over.

    Measured: evaluated on the samples as they are.  Derived: each series goes on as it did during the fault
    for `horizon` seconds, evaluated every 15 s.  The control goes on as before the fault: what fires there,
    too, is no sign of the fault.
    """
    phases = Phases(milliseconds(fault_began - HEALTHY), milliseconds(fault_began), milliseconds(fault_ended))
    return _Judge(needed(rules), recording, phases, horizon).watch(
        milliseconds(fault_ended if until is None else max(until, fault_ended)), dead(rules, recording)
    )


class _Judge:
    def __init__(self, rules: tuple[Rule, ...], recording: Recording, phases: Phases, horizon: float) -> None:
        self._rules = rules
        self._recording = recording
        self._phases = phases
        self._ahead = milliseconds(horizon)
        self._names = names(rules)
        copy = recording.window(phases.healthy, phases.ended, self._names)
        self._courses = courses(copy, recording, phases)

    def watch(self, until: int, unable: Sequence[DeadAlert]) -> Watch:
        measured = self._measured(until)
        held, going_on = self._derived(fault=True, growing=False)
        grown = held
        if any(course.slope for course in self._courses):
            grown, _ = self._derived(fault=True, growing=True)
        control = self._control(measured, held, grown)
        pages: list[Page] = []
        silent: list[Silent] = []
        already: list[Silent] = []
        cannot = {(one.alert, one.file, one.line): one.reason for one in unable}
        for index, rule in enumerate(rule for rule in self._rules if rule.alert and rule.tree is not None):
            found = self._pages(measured[index], held[index], grown[index])
            fired = measured[index].fires
            if (fired is not None and fired <= self._phases.began) or rule in control:
                already.append(self._silent(rule, "it fires without the fault as well"))
            elif found:
                pages += found
            else:
                reason = cannot.get((rule.name, rule.file, rule.line))
                silent.append(self._silent(rule, reason or self._why(held[index], going_on)))
        silent += [
            self._silent(rule, f"not evaluated: {rule.unsupported}")
            for rule in self._rules
            if rule.unsupported
        ]
        return Watch(tuple(pages), tuple(silent), tuple(already), self._notes())

    def _control(self, *runs: tuple[Outcome, ...]) -> tuple[Rule, ...]:
        """Those of the alerts that fired in a run that fire without the fault as well."""
        fired = {id(one.rule) for outcomes in runs for one in outcomes if one.fires is not None}
        if not fired:
            return ()
        rules = tuple(rule for rule in self._rules if id(rule) in fired or not rule.alert)
        outcomes, _ = self._derived(fault=False, growing=False, rules=rules)
        return tuple(one.rule for one in outcomes if one.fires is not None)

    def _measured(self, until: int) -> tuple[Outcome, ...]:
        start = self._phases.healthy
        store = self._recording.window(start - looks_back(self._rules), until, self._names)
        seen = [series.times[0] for series in store.all() if series.times]
        start = max(start, min(seen, default=start))
        step = max(1000, (until - start) // _STEPS)
        record(self._rules, store, range(start, until + 1, step))
        return run(self._rules, store, start, until, step)

    def _derived(
        self, *, fault: bool, growing: bool, rules: tuple[Rule, ...] | None = None
    ) -> tuple[tuple[Outcome, ...], Store]:
        rules = self._rules if rules is None else rules
        began, back = self._phases.began, looks_back(self._rules)
        store = extended(
            self._courses,
            self._recording.unix,
            self._phases,
            back,
            self._ahead,
            fault=fault,
            growing=growing,
        )
        end = began + self._ahead
        step = STEP * (1 + len(self._courses) // _MANY)
        record(rules, store, (*past(began, recorded_back(rules)), *range(began + step, end + 1, step)))
        return run(rules, store, began, end, step), store

    def _pages(self, measured: Outcome, held: Outcome, grown: Outcome) -> list[Page]:
        pages = []
        if measured.fires is not None:
            said = f"fired {self._after(measured.fires):.0f} s after the fault began: {_shown(measured.rule)}"
            pages.append(self._page(measured, measured.fires, Origin.MEASURED, said))
        derived, assumed = (
            (held, "") if held.fires is not None else (grown, ", had it gone on moving like this")
        )
        if derived.fires is not None and derived.holds is not None:
            holds = f"holds from {self._after(derived.holds):.0f} s after the fault began"
            wait = f" and has to hold for {derived.rule.wait:.0f} s" if derived.rule.wait else ""
            told = self._told(derived.rule, growing=derived is grown)
            said = f"{_shown(derived.rule)} {holds}{wait}, given {told}{assumed}"
            pages.append(self._page(derived, derived.fires, Origin.DERIVED, said))
        return pages

    def _page(self, outcome: Outcome, fires: int, origin: Origin, said: str) -> Page:
        rule = outcome.rule
        return Page(rule.name, rule.severity, self._after(fires), origin, said, rule.file, rule.line)

    def _silent(self, rule: Rule, why: str) -> Silent:
        return Silent(rule.name, rule.severity, why, rule.file, rule.line)

    def _after(self, at: int) -> float:
        return (at - self._phases.began) / 1000

    def _told(self, rule: Rule, *, growing: bool) -> str:
        """The series of an alert that the fault changed most."""
        there = {(course.name, course.labels): course for course in self._courses}
        used = _used(rule, self._rules, self._courses)
        changed = sorted(
            (there[key] for key in used if there[key].change or (growing and there[key].slope)),
            key=lambda course: (-course.change, -abs(course.during or 0.0)),
        )
        if not changed:
            return "series that the fault did not change" if used else "series that are not there"
        first: dict[str, list[Course]] = {}
        for course in changed:
            first.setdefault(course.name, []).append(course)
        return ", ".join(_example(same, growing=growing) for same in list(first.values())[:_TOLD])

    def _why(self, outcome: Outcome, store: Store) -> str:
        rule = outcome.rule
        if outcome.error:
            return f"Prometheus could not evaluate it: {outcome.error}"
        minutes = f"{self._ahead / 60_000:.0f} min"
        if outcome.holds is not None:
            since = self._after(outcome.holds)
            return f"it holds from {since:.0f} s on, and {minutes} are not enough for its {rule.wait:.0f} s"
        tree = rule.tree
        if isinstance(tree, Binary) and tree.operator in COMPARISONS and isinstance(tree.right, Number):
            value = self._last_value(tree, store)
            asked = f"{tree.operator} {tree.right.value:g}"
            return (
                f"there is no number to compare with {asked}"
                if value is None
                else f"it comes to {value:.3g} and asks for {asked}, had the fault gone on for {minutes}"
            )
        return f"its condition does not hold, had the fault gone on for {minutes}"

    def _last_value(self, tree: Binary, store: Store) -> float | None:
        """The value nearest to firing at the end."""
        try:
            found = elements(tree.left, store, self._phases.began + self._ahead)
        except (EvaluationError, Unsupported):
            return None
        values = [element.value for element in found if not math.isnan(element.value)]
        if not values:
            return None
        return min(values) if tree.operator in ("<", "<=") else max(values)

    def _notes(self) -> tuple[str, ...]:
        notes = []
        up = self._recording.window(self._phases.healthy, self._phases.ended, ("up",)).named("up")
        if not up:
            notes.append("nothing was scraped before or during the fault")
        elif all(len(range(*one.between(self._phases.healthy, self._phases.began))) < 2 for one in up):
            notes.append("fewer than two scrapes fell before the fault: what is normal is not known")
        elif all(len(range(*one.between(self._phases.began, self._phases.ended))) < 2 for one in up):
            notes.append("fewer than two scrapes fell into the fault: what it did is hardly known")
        if self._recording.left_out:
            notes.append("some series were left out: there were too many")
        copy = self._recording.window(self._phases.healthy, self._phases.ended, self._names)
        if back_and_forth := _back_and_forth(copy, self._recording):
            named = " and ".join(f"`{name}`" for name in back_and_forth[:_TOLD])
            notes.append(
                f"{named}: the counts go back and forth, so each worker shows its own; rates are wrong"
            )
        return (*notes, *unseen_values(self._rules, self._recording))


def _used(
    rule: Rule, rules: Sequence[Rule], found: Sequence[Course]
) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """The series that an alert selects, also by way of recorded ones."""
    store = Store(0.0)
    for course in found:
        store.series(course.name, course.labels)
    recorded = {one.name: one for one in rules if not one.alert}
    used: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    waiting, seen = [rule], set()
    while waiting:
        one = waiting.pop()
        for node in nodes(one.tree) if one.tree is not None else ():
            if not isinstance(node, Select):
                continue
            used |= {(series.name, series.labels) for series in selected(node, store)}
            if node.name in recorded and node.name not in seen:
                seen.add(node.name)
                waiting.append(recorded[node.name])
    return used


def _back_and_forth(store: Store, recording: Recording) -> list[str]:
    """Counters that fell again and again although their target was never away."""
    return sorted(
        {
            series.name
            for series in store.all()
            if not series.gone
            and recording.counts(series)
            and sum(later < earlier for earlier, later in pairwise(series.values)) >= _FALLS
        }
    )


def _example(same: Sequence[Course], *, growing: bool) -> str:
    course = same[0]
    others = f", and {len(same) - 1} more of its series" if len(same) > 1 else ""
    if growing and course.slope:
        return f"{course.name} at {course.final:.3g} and moving by {course.slope:.3g}/s{others}"
    return f"{course}{others}"


def _shown(rule: Rule) -> str:
    return f"`{' '.join(rule.expression.split())}`"
