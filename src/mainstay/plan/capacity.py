"""How much of everything is needed at peak load, by Little's law: what is under way is rate times time.

Source: J. D. C. Little, A Proof for the Queuing Formula L = λW, Operations Research 9 (1961).
"""

from math import ceil

from msgspec import Struct

from mainstay.model.specification import Operation, Specification, WhenDown

CPU_S = 0.010  # of one core for a request: assumed; `examples/payments` takes 0.011 on a small machine
BUSIEST = 0.6  # of a core: above it waits grow faster than load (M/M/1: at 0.6 a wait is 1.5 services long)
SPARE = 1  # replicas that may be away: a node, or the one that is being replaced
LEAST = 2  # replicas: one alone is away with each release
FEWEST_THREADS = 8
OVERFLOW = 2  # connections beyond the pool, for the readiness check and an operator
RELAY = 4  # connections of the process that hands out messages
RESERVED = 10  # connections for backups, migrations and people
USUAL_CONNECTIONS = 100  # of a PostgreSQL that nobody has configured


class Share(Struct, frozen=True):
    """What one operation adds at peak load."""

    operation: str
    peak: float  # requests a second
    seconds: float  # that a request takes at most, but for one in twenty
    declared: bool  # its peak is said in the specification

    @property
    def under_way(self) -> float:
        """Requests at the same time: rate times time."""
        return self.peak * self.seconds


class Capacity(Struct, frozen=True):
    """What is needed, as whole numbers."""

    shares: tuple[Share, ...]
    processes: int  # that carry the peak
    replicas: int  # with one away, or being replaced
    threads: int  # of each replica
    pool: int  # connections of each replica
    connections: int  # of all, in the middle of a release

    @property
    def peak(self) -> float:
        """Requests a second of all operations."""
        return sum(share.peak for share in self.shares)

    @property
    def under_way(self) -> float:
        """Requests at the same time."""
        return sum(share.under_way for share in self.shares)

    @property
    def fits(self) -> bool:
        """Whether a PostgreSQL that nobody has configured has enough connections."""
        return self.connections <= USUAL_CONNECTIONS


def capacity(specification: Specification) -> Capacity:
    """What the service needs to hold its budgets at peak load.

    A p95 is taken for the time of every request, so what follows is an upper bound.  Every thread may need
    a connection at once, so the pool is as large as the threads are many; a smaller one deadlocks after a
    pause of the database.
    """
    shares = tuple(_shares(specification))
    peak = sum(share.peak for share in shares)
    under_way = sum(share.under_way for share in shares)
    processes = max(1, ceil(peak * CPU_S / BUSIEST))
    replicas = max(LEAST, processes + SPARE)
    threads = max(FEWEST_THREADS, ceil(under_way / (replicas - SPARE)))
    connections = (replicas + 1) * (threads + OVERFLOW) + RELAY + RESERVED
    return Capacity(shares, processes, replicas, threads, threads, connections)


def waits(specification: Specification, operation: Operation) -> float:
    """Seconds that an operation may wait for others at worst: what is settled later is not waited for."""
    needs = (specification.need(name) for name in operation.calls)
    return sum(need.timeout for need in needs if need and need.when_down is not WhenDown.SETTLE_LATER)


def _shares(specification: Specification) -> list[Share]:
    """Those that say their own peak have it; the others share what is left of the service's."""
    said = [operation.peak for operation in specification.operations if operation.peak is not None]
    others = len(specification.operations) - len(said)
    left = max(0.0, specification.load.peak - sum(said)) / others if others else 0.0
    return [
        Share(
            operation.name,
            left if operation.peak is None else operation.peak,
            operation.p95 or specification.budgets.p95,
            operation.peak is not None,
        )
        for operation in specification.operations
    ]
