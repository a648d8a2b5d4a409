"""The system as `mainstay map` shows it: what comes in, what it does, and what it waits for.

One picture of it serves the text, the JSON and the page, so that they never disagree.
"""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from mainstay.model.effect import WRITES, EffectKind
from mainstay.model.location import Location
from mainstay.model.system import Bound, Deadline, Dependency, Job, Operation, System


class Access(StrEnum):
    """Who may call an operation."""

    AUTHENTICATED = "authenticated"
    PUBLIC = "public"  # declared so
    UNGUARDED = "unguarded"  # nothing seen that asks who calls


class CallOut(Struct, frozen=True):
    """A call out of the process; `number` names it within one map."""

    number: int
    target: str
    function: str
    location: Location
    deadline: Deadline
    retried: bool
    in_transaction: bool


class Does(Struct, frozen=True):
    """What happens because of an entry: tables by name, calls out by number.

    `later` are the calls made after the entry's own work: a task, a hook after commit.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    calls: tuple[int, ...] = ()
    later: tuple[int, ...] = ()


class OperationEntry(Struct, frozen=True):
    """An operation with what it does."""

    operation: Operation
    access: Access
    does: Does


class JobEntry(Struct, frozen=True):
    """A job with what it does."""

    job: Job
    does: Does


class Store(Struct, frozen=True):
    """A store and its tables; `read` and `written` are those that an entry reads or writes."""

    kind: str
    tables: tuple[str, ...]
    location: Location
    read: tuple[str, ...]
    written: tuple[str, ...]


class SystemMap(Struct, frozen=True):
    """Operations by router, jobs by trigger, calls out unbounded first, and stores."""

    operations: dict[str, tuple[OperationEntry, ...]]
    jobs: dict[str, tuple[JobEntry, ...]]
    calls: tuple[CallOut, ...]
    stores: tuple[Store, ...]
    gaps: int

    def call(self, number: int) -> CallOut:
        """The call out of that number."""
        return self.calls[number - 1]

    @property
    def unbounded(self) -> int:
        """How many calls out wait without a bound."""
        return sum(call.deadline.bound is Bound.UNBOUNDED for call in self.calls)

    @property
    def unguarded(self) -> int:
        """How many operations nothing guards."""
        return sum(e.access is Access.UNGUARDED for group in self.operations.values() for e in group)

    @property
    def operation_count(self) -> int:
        return sum(len(group) for group in self.operations.values())

    @property
    def job_count(self) -> int:
        return sum(len(group) for group in self.jobs.values())


def build(system: System) -> SystemMap:
    """The map of `system`, in an order that depends on nothing but the facts."""
    calls = _calls(system.dependencies)
    at_once = _reaching(system, calls, now_only=True)
    ever = _reaching(system, calls, now_only=False)

    def does(function: str) -> Does:
        reads, writes = _tables(system, function)
        now = at_once.get(function, set())
        return Does(reads, writes, tuple(sorted(now)), tuple(sorted(ever.get(function, set()) - now)))

    operations: dict[str, list[OperationEntry]] = defaultdict(list)
    for operation in sorted(system.operations, key=lambda o: (o.path, o.method, o.location)):
        entry = OperationEntry(operation, _access(operation), does(operation.function))
        operations[operation.router].append(entry)
    jobs: dict[str, list[JobEntry]] = defaultdict(list)
    for job in sorted(system.jobs, key=lambda j: (j.name, j.location)):
        jobs[job.trigger].append(JobEntry(job, does(job.function)))
    entries = [e.does for group in operations.values() for e in group]
    entries += [e.does for group in jobs.values() for e in group]
    return SystemMap(
        operations={name: tuple(operations[name]) for name in sorted(operations)},
        jobs={name: tuple(jobs[name]) for name in sorted(jobs)},
        calls=calls,
        stores=_stores(system, entries),
        gaps=len(system.gaps),
    )


def waits(deadline: Deadline) -> str:
    """How long a call out may wait, and what says so: `2 s (timeout=2 given)`, `none (...)`, `unknown`."""
    why = f" ({deadline.why})" if deadline.why else ""
    match deadline.bound:
        case Bound.BOUNDED if deadline.seconds is not None:
            return f"{deadline.seconds:g} s{why}"
        case Bound.BOUNDED:
            return f"bounded{why}"
        case Bound.UNBOUNDED:
            return f"none{why}"
        case Bound.CALLER:
            parameter = f" (parameter {deadline.parameter})" if deadline.parameter else ""
            return f"its caller decides{parameter}"
        case Bound.UNKNOWN:
            return f"unknown{why}"


def _calls(dependencies: Iterable[Dependency]) -> tuple[CallOut, ...]:
    """Numbered: those that never end first, then by whom they call and where."""

    def rank(dependency: Dependency) -> tuple[bool, str, Location, str]:
        bounded = dependency.deadline.bound is not Bound.UNBOUNDED
        return bounded, dependency.target, dependency.location, dependency.function

    return tuple(
        CallOut(n, d.target, d.function, d.location, d.deadline, d.retried, d.in_transaction)
        for n, d in enumerate(sorted(dependencies, key=rank), 1)
    )


def _reaching(system: System, calls: Iterable[CallOut], *, now_only: bool) -> dict[str, set[int]]:
    """The numbers of the calls out that each function comes to, itself or through others."""
    callers: dict[str, list[str]] = defaultdict(list)
    for function in system.functions.values():
        for edges in function.edges.values():
            for edge in edges:
                if edge.now or not now_only:
                    callers[edge.function].append(function.name)
    reached: dict[str, set[int]] = defaultdict(set)
    by_function: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        by_function[call.function].append(call.number)
    for start, numbers in by_function.items():
        waiting, seen = [start], {start}
        while waiting:
            name = waiting.pop()
            reached[name].update(numbers)
            fresh = [caller for caller in callers.get(name, ()) if caller not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
    return reached


def _tables(system: System, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    function = system.functions.get(name)
    effects = function.effects if function else {}
    reads = {e.target for e in effects if e.kind is EffectKind.READ and e.target}
    writes = {e.target for e in effects if e.kind in WRITES and e.target}
    return tuple(sorted(reads)), tuple(sorted(writes))


def _stores(system: System, entries: Iterable[Does]) -> tuple[Store, ...]:
    read: set[str] = set()
    written: set[str] = set()
    for does in entries:
        read.update(does.reads)
        written.update(does.writes)
    return tuple(
        Store(
            kind=store.kind,
            tables=tuple(sorted(store.tables)),
            location=store.location,
            read=tuple(sorted(read.intersection(store.tables))),
            written=tuple(sorted(written.intersection(store.tables))),
        )
        for store in sorted(system.datastores, key=lambda s: (s.kind, s.location))
    )


def _access(operation: Operation) -> Access:
    if operation.authenticated:
        return Access.AUTHENTICATED
    return Access.PUBLIC if operation.public else Access.UNGUARDED
