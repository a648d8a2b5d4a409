"""Who is waiting: the ways on which the system reaches a function."""

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.effect import Enclosure, EnclosureKind
from mainstay.model.finding import Hop
from mainstay.model.system import Function, Role, System

CALLS_UP = 8  # how many calls above a function are looked at
MOST = 400  # how many functions above it are

ASIDE = frozenset(
    {"scripts", "integration_tests", "vendor"}
)  # no part of the service, whatever package they are in
HELD = (EnclosureKind.TRANSACTION, EnclosureKind.LOCK)


class Way(Struct, frozen=True):
    """The calls from an outer function down to the one asked about, outermost first."""

    asked: str
    outer: Function
    calls: tuple[tuple[Function, int], ...] = ()

    def hops(self) -> tuple[Hop, ...]:
        """One hop a call."""
        below = [*(function.name for function, _ in self.calls[1:]), self.asked]
        return tuple(
            Hop(function.at(at), f"calls {name}")
            for (function, at), name in zip(self.calls, below, strict=False)
        )


class Context(Struct, frozen=True):
    """Where the work at a call stands: what is held meanwhile, and on whose behalf it runs."""

    held: Enclosure | None = None
    holder: Function | None = None
    request: str = ""  # "POST /charges"
    job: str = ""  # "the task send_mail"
    path: tuple[Hop, ...] = ()

    def words(self) -> str:
        """Where it bites, to end a sentence with."""
        if self.held is None or self.holder is None:
            return f", reached from {self.request or self.job}" if self.request or self.job else ""
        what = "a transaction is open" if self.held.kind is EnclosureKind.TRANSACTION else "a lock is held"
        return f", while {what} ({self.held.what} in {self.holder.body.name})"


class Reach:
    """Answers how functions are reached; build one for each check."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._requests = {each.function: f"{each.method} {each.path}" for each in reversed(system.operations)}
        self._jobs = {each.function: f"the {each.trigger} {each.name}" for each in reversed(system.jobs)}

    def request(self, name: str) -> str:
        """The operation that a function serves, "" if none."""
        return self._requests.get(name, "")

    def job(self, name: str) -> str:
        """The job that a function is, "" if none."""
        return self._jobs.get(name, "")

    def ways(self, function: Function) -> Iterator[Way]:
        """The function itself, then everything that leads to it now, the nearest first."""
        seen = {function.name}
        work = deque([Way(function.name, function)])
        while work and len(seen) < MOST:
            way = work.popleft()
            yield way
            if len(way.calls) >= CALLS_UP:
                continue
            for name, at in way.outer.callers:
                caller = self._system.functions.get(name)
                if caller is None or name in seen or caller.file.role is not Role.SOURCE:
                    continue
                if not runs_now(caller, at, way.outer.name):
                    continue
                seen.add(name)
                work.append(Way(function.name, caller, ((caller, at), *way.calls)))

    def context(self, function: Function, statement: int) -> Context:
        """What is held at a statement, and the nearest request or job that leads to it."""
        held: Enclosure | None = None
        holder: Function | None = None
        request = job = ""
        holding: tuple[Hop, ...] = ()
        asking: tuple[Hop, ...] = ()
        for way in self.ways(function):
            if held is None and (found := holds(way, statement)) is not None:
                held, holder, holding = found, way.outer, way.hops()
            name = way.outer.name
            if not request and (self.request(name) or (not job and self.job(name))):
                request, job, asking = self.request(name), self.job(name), way.hops()
            if held is not None and request:
                break
        return Context(held, holder, request, job, holding if held is not None else asking)


def holds(way: Way, statement: int) -> Enclosure | None:
    """The transaction or lock of the outer function that is open at its call, or at the statement itself."""
    at = way.calls[0][1] if way.calls else statement
    for enclosure in reversed(way.outer.around(at)):
        if enclosure.kind in HELD and enclosure.statement != at:
            return enclosure
    return None


def runs_now(caller: Function, at: int, name: str) -> bool:
    """Whether the call runs the function before it returns."""
    return any(edge.function == name and edge.now for edge in caller.edges.get(at, ()))


def aside(function: Function) -> bool:
    """Whether the file lies beside the service: helpers of its developers, or somebody else's code."""
    return not ASIDE.isdisjoint(function.file.path.split("/")[:-1])
