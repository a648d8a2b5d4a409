"""`mainstay map` as text."""

from collections.abc import Iterator

from mainstay.budgets import Budgets
from mainstay.model.system import Bound, System
from mainstay.reports.summary import plural
from mainstay.reports.system_map import Access, CallOut, Does, SystemMap, build, waits
from mainstay.reports.terminal import Paint, clamp, wrap
from mainstay.reports.visible import visible


def render(system: System, budgets: Budgets, *, width: int = 80, colour: bool = False) -> str:
    """Every operation, job, call out and store; a number in brackets names a call out below."""
    view, paint, width = build(system), Paint(colour), clamp(width)
    parts = (_operations(view, paint, width), _jobs(view, paint, width), _calls(view, paint, width))
    lines = [line for part in parts for line in part]
    return "\n".join([*lines, *_stores(view, paint, width), *_closing(view, budgets, width)]) + "\n"


def _operations(view: SystemMap, paint: Paint, width: int) -> Iterator[str]:
    if not view.operations:
        return
    yield paint(f"Operations ({view.operation_count:,})", "bold")
    for router, entries in view.operations.items():
        yield f"  {paint(visible(router), 'dim')}"
        for entry in entries:
            operation = entry.operation
            line = f"    {visible(operation.method):<7}{visible(operation.path)}"
            style = "high" if entry.access is Access.UNGUARDED else "dim"
            yield f"{line}  {paint(entry.access, style)}"
            yield from _does(entry.does, width)
    yield ""


def _jobs(view: SystemMap, paint: Paint, width: int) -> Iterator[str]:
    if not view.jobs:
        return
    yield paint(f"Jobs ({view.job_count:,})", "bold")
    for trigger, entries in view.jobs.items():
        yield f"  {paint(visible(trigger), 'dim')}"
        for entry in entries:
            again = "  may be delivered twice" if entry.job.redelivers else ""
            yield f"    {visible(entry.job.name)}{paint(again, 'dim')}"
            yield from _does(entry.does, width)
    yield ""


def _does(does: Does, width: int) -> Iterator[str]:
    parts = []
    if does.reads:
        parts.append(f"reads {', '.join(does.reads)}")
    if does.writes:
        parts.append(f"writes {', '.join(does.writes)}")
    if does.calls:
        parts.append(f"calls {_numbers(does.calls)}")
    if does.later:
        parts.append(f"later calls {_numbers(does.later)}")
    if parts:
        yield from wrap("; ".join(parts), width, " " * 11)


def _numbers(numbers: tuple[int, ...]) -> str:
    return " ".join(f"[{number}]" for number in numbers)


def _calls(view: SystemMap, paint: Paint, width: int) -> Iterator[str]:
    if not view.calls:
        return
    yield paint(f"Calls out of the process ({len(view.calls):,})", "bold")
    for call in view.calls:
        number = f"[{call.number}]"
        yield f"{number:>7} {visible(call.target)}  {paint(visible(str(call.location)), 'place')}"
        unbounded = call.deadline.bound is Bound.UNBOUNDED
        for line in wrap(facts(call), width, " " * 8):
            yield paint(line, "high") if unbounded else line
    yield ""


def facts(call: CallOut) -> str:
    """What is known of a call out, in one line."""
    parts = [f"deadline {waits(call.deadline)}"]
    if call.retried:
        parts.append("retried")
    if call.in_transaction:
        parts.append("inside a transaction")
    return "; ".join(parts)


def _stores(view: SystemMap, paint: Paint, width: int) -> Iterator[str]:
    if not view.stores:
        return
    yield paint(f"Stores ({len(view.stores):,})", "bold")
    for store in view.stores:
        yield f"  {visible(store.kind)}  {paint(visible(str(store.location)), 'place')}"
        marks = {t: _mark(t in store.read, t in store.written) for t in store.tables}
        if marks:
            yield from wrap(", ".join(t + marks[t] for t in store.tables), width, " " * 4)
    yield ""


def _mark(read: bool, written: bool) -> str:
    words = [word for word, holds in (("read", read), ("written", written)) if holds]
    return f" ({' and '.join(words)})" if words else ""


def _closing(view: SystemMap, budgets: Budgets, width: int) -> Iterator[str]:
    yield from wrap(closing(view, budgets), width)


def closing(view: SystemMap, budgets: Budgets) -> str:
    """What stands out, set against the budget for latency."""
    if not (view.operations or view.jobs or view.calls or view.stores):
        return "No operation, job, call out or store was seen."
    parts = []
    if view.unguarded:
        verb = "asks" if view.unguarded == 1 else "ask"
        parts.append(f"{plural(view.unguarded, 'operation')} {verb} nobody who they are.")
    if view.unbounded:
        verb = "waits" if view.unbounded == 1 else "wait"
        parts.append(f"{plural(view.unbounded, 'call')} out {verb} without a bound.")
    longest = max((c.deadline.seconds or 0 for c in view.calls), default=0)
    if longest > budgets.p95:
        times = longest / budgets.p95
        parts.append(
            f"The longest deadline is {longest:g} s, {times:,.0f} times the budget of "
            f"{budgets.p95 * 1000:g} ms for the 95th percentile ({longest:g} / {budgets.p95:g})."
        )
    if view.gaps:
        parts.append(f"{plural(view.gaps, 'place')} could not be read and may hold more.")
    return " ".join(parts) or "Every operation asks who calls, and every call out has an end."
