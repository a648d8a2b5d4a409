"""The settings of the guards around a need, the database and the service: times in seconds.

Settings of circuit breaker, retry budget and middleware are the defaults of `mainstay-runtime`; the tests
compare them.  What nobody has said is assumed, and told as such where a sum uses it.
"""

from math import ceil

from msgspec import Struct

from mainstay.model.specification import Need, NeedKind, Operation, Specification, WhenDown
from mainstay.plan.capacity import RELAY, SPARE, Capacity, capacity

MOST = 20  # calls before a breaker judges, and
FEWEST = 5  # where there are few calls; fewer are chance
LONGEST = 600.0  # seconds between two attempts of the relay, as in `mainstay-runtime`
PATIENCE = 86_400.0  # seconds, assumed: a message is not given up before
ATTEMPTS = 3  # where a repeat is safe
ROOM = 2  # requests for each thread: one works and one waits, so a wait is as long as one request


class NeedGuard(Struct, frozen=True):
    """What stands around the calls of one need, in one process: a replica, or the relay."""

    need: str
    deadline: float  # of one call with all its attempts: the timeout of the specification
    attempts: int  # more than one only where a header makes repeats safe
    slow: float  # a call that takes so long is a slow one: half of the deadline
    at_once: int  # calls under way at most
    sum: str  # of `at_once`
    expected: float  # calls a second of all replicas
    processes: int  # that make the calls
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    window: float = 10.0
    open_for: float = 5.0
    probes: int = 5
    retry_share: float = 0.1  # retries at most, of the calls

    @property
    def calls(self) -> float:
        """Calls a second of one process: each counts for itself."""
        return self.expected / self.processes

    @property
    def minimum(self) -> int:
        """Calls before the breaker judges: what half a window brings, within bounds."""
        return min(MOST, max(FEWEST, int(self.calls * self.window / 2)))

    def results(self, each: float) -> float:
        """Calls a second that end, where each takes so long: no more than there are places for."""
        return min(self.calls, self.at_once / each) if each else self.calls

    def opens(self, each: float) -> bool:
        """Whether enough calls end within a window for the breaker to judge."""
        return self.results(each) * self.window >= self.minimum


class RelayPolicy(Struct, frozen=True):
    """How patient the relay is with a message; pauses double, and each is shortened by up to a half."""

    longest: float  # pause between two attempts
    attempts: int  # before a message is given up
    sum: str
    backoff: float = 1.0  # the first pause


class DatabaseGuard(Struct, frozen=True):
    """How long the service waits for its database.  All assumed, and written into what is generated."""

    connect: float = 2.0
    statement: float = 2.0
    silent: float = 5.0  # tcp_user_timeout: a connection is given up after so long without a sign
    ready: float = 1.0  # one check of readiness
    cached: float = 1.0  # how long its result is used


class ServiceGuard(Struct, frozen=True):
    """What every request passes in one replica."""

    at_once: int  # requests under way at most; more are refused
    sum: str
    deadline: float = 10.0  # of one request
    retry_after: float = 2.0
    start: float = 10.0  # assumed: from the start of a process to its first answer
    probe: float = 5.0  # assumed: between two questions of the platform whether it is ready


DATABASE = DatabaseGuard()


def need_guard(specification: Specification, need: Need) -> NeedGuard:
    """The guard of that need."""
    whole = capacity(specification)
    users = [o for o in specification.operations if need.name in (*o.calls, *o.emits)]
    waiting = [o for o in users if waits_for(o, need)]
    at_once, said = _places(whole, waiting)
    return NeedGuard(
        need.name,
        need.timeout,
        ATTEMPTS if need.idempotency_header and need.kind is NeedKind.HTTP else 1,
        need.timeout / 2,
        at_once,
        said,
        sum(expected(specification, user, whole) for user in users),
        whole.replicas if waiting else 1,
    )


def relay_policy(specification: Specification) -> RelayPolicy:
    """A need that is back is asked well within the recovery budget; one may be away for a day."""
    recovery = specification.budgets.recovery
    longest = min(LONGEST, max(1.0, recovery / 5))
    attempts = ceil(PATIENCE / (longest / 2))
    said = f"{recovery:g} s / 5 = {recovery / 5:g} s"
    if longest != recovery / 5:
        said += f", within 1 to {LONGEST:g} s"
    said += f"; {PATIENCE:,.0f} s / ({longest:g} s / 2) = {attempts} attempts"
    return RelayPolicy(longest, attempts, said)


def waits_for(operation: Operation, need: Need) -> bool:
    """Whether its callers wait for the need; what is settled later is left to the relay, always."""
    settled = need.when_down is WhenDown.SETTLE_LATER and operation.method != "GET"
    return need.name in operation.calls and not settled


def service_guard(specification: Specification) -> ServiceGuard:
    """The guard in front of all operations."""
    threads = capacity(specification).threads
    return ServiceGuard(ROOM * threads, f"{ROOM} × {threads} threads = {ROOM * threads}")


def expected(specification: Specification, operation: Operation, whole: Capacity | None = None) -> float:
    """Requests a second for one operation: what it says, or its share of the peak, shrunk as the load is."""
    if operation.expected is not None:
        return operation.expected
    found = whole or capacity(specification)
    peak = next(share.peak for share in found.shares if share.operation == operation.name)
    load = specification.load
    return peak * load.expected / load.peak if load.peak else 0.0


def _places(whole: Capacity, callers: list[Operation]) -> tuple[int, str]:
    """A need that hangs takes no thread that other operations need at peak load."""
    if not callers:
        return RELAY, f"{RELAY}: only the relay asks it"
    names = {operation.name for operation in callers}
    others = sum(share.under_way for share in whole.shares if share.operation not in names)
    running = whole.replicas - SPARE
    kept = ceil(round(others / running, 9))
    places = max(1, whole.threads - kept)
    said = f"{whole.threads} threads - ceil({others:.3g} of other operations / {running} replicas) = {places}"
    return places, said
