"""Who is waiting: the ways on which the system reaches a function."""

from collections import deque
from collections.abc import Iterator, Sequence

from msgspec import Struct

from mainstay.model import code
from mainstay.model.code import Body, Display, Literal, Name, Raise, Return, ScopeKind, Value
from mainstay.model.effect import Enclosure, EnclosureKind
from mainstay.model.finding import Hop
from mainstay.model.flow import ancestors
from mainstay.model.system import Function, Operation, Role, System

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
    outer: Function | None = None  # what serves the request, or is the job

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
        self._served: dict[str, list[Operation]] = {}
        self._guarded: dict[str, list[Operation]] = {}
        for each in system.operations:
            self._served.setdefault(each.function, []).append(each)
            for guard in each.guards:
                self._guarded.setdefault(guard.name, []).append(each)
        self._jobs = {each.function: f"the {each.trigger} {each.name}" for each in reversed(system.jobs)}

    def request(self, name: str) -> str:
        """The operation that a function serves, "" if none."""
        return spelled(self._served[name]) if name in self._served else ""

    def _asked(self, way: Way, statement: int) -> str:
        """The operation behind a way, with those of its methods that lead to the call.

        What guards operations runs ahead of each of them.
        """
        served = self._served.get(way.outer.name, ())
        if not served:
            guarded = self._guarded.get(way.outer.name, ())
            more = f" and {len(guarded) - 1} more" if len(guarded) > 1 else ""
            return f"{spelled(guarded[:1])}{more}" if guarded else ""
        body = way.outer.body
        at = way.calls[0][1] if way.calls else statement
        return spelled([each for each in served if answered(body, at, each.method)] or served)

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
        outer: Function | None = None
        request = job = ""
        holding: tuple[Hop, ...] = ()
        asking: tuple[Hop, ...] = ()
        for way in self.ways(function):
            if held is None and (found := holds(way, statement)) is not None:
                held, holder, holding = found, way.outer, way.hops()
            name = way.outer.name
            asked = "" if request else self._asked(way, statement)
            if asked or (not request and not job and self.job(name)):
                request, job, asking = asked, self.job(name), way.hops()
                outer = way.outer
            if held is not None and request:
                break
        return Context(held, holder, request, job, holding if held is not None else asking, outer)


def holds(way: Way, statement: int) -> Enclosure | None:
    """The transaction or lock of the outer function that is open at its call, or at the statement itself."""
    at = way.calls[0][1] if way.calls else statement
    for enclosure in reversed(way.outer.around(at)):
        if enclosure.kind in HELD and enclosure.statement != at:
            return enclosure
    return None


def spelled(operations: Sequence[Operation]) -> str:
    """The methods and the path of what one function serves; a view without a path goes by its name."""
    first = operations[0]
    if not first.path:
        return f"the view {first.function.rpartition('.')[2]}"
    methods = list(dict.fromkeys(each.method for each in operations if each.path == first.path))
    *others, last = methods
    return f"{', '.join(others)} and {last} {first.path}" if others else f"{last} {first.path}"


def answered(body: Body, statement: int, method: str) -> bool:
    """Whether the tests of `request.method` around and ahead of a statement let that method through."""
    if statement >= len(body.statements):
        return True
    around = [body.statements[statement].scope, *ancestors(body, body.statements[statement].scope)]
    for index, scope in enumerate(body.scopes):
        if scope.kind is not ScopeKind.IF or not scope.head:
            continue
        passes = lets_through(scope.head[0], method)
        if index in around:
            if passes is False:
                return False
        elif passes and (
            any(body.scopes[at].of == index for at in around)
            or (scope.parent in around and scope.last <= statement and ends(body, index))
        ):
            return False
    return True


def lets_through(test: Value, method: str) -> bool | None:
    """Whether a test of `request.method` holds for the method; None when it tests something else."""
    if not isinstance(test, code.Operation) or not test.operands:
        return None
    if test.operator == "and":
        told = [lets_through(operand, method) for operand in test.operands]
        return False if False in told else None
    asked, wanted = test.operands[0], test.operands[-1]
    if not isinstance(asked, Name) or not asked.path.endswith("request.method"):
        return None
    items = wanted.items if isinstance(wanted, Display) else (wanted,)
    held = method in [item.value for item in items if isinstance(item, Literal)]
    if test.operator in ("==", "in"):
        return held
    return not held if test.operator in ("!=", "not in") else None


def ends(body: Body, scope: int) -> bool:
    """Whether a block leaves the function at its end."""
    block = body.scopes[scope]
    last = body.statements[block.last - 1] if block.last > block.first else None
    return isinstance(last, Return | Raise) and last.scope == scope


def runs_now(caller: Function, at: int, name: str) -> bool:
    """Whether the call runs the function before it returns."""
    return any(edge.function == name and edge.now for edge in caller.edges.get(at, ()))


def aside(function: Function) -> bool:
    """Whether the file lies beside the service: helpers of its developers, or somebody else's code."""
    return not ASIDE.isdisjoint(function.file.path.split("/")[:-1])
