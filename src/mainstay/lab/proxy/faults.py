"""What can go wrong between a service and a peer over TCP.

Each fault says which real event it plays and what the two ends see of it.  *Client* is who connects (the
service), *upstream* is who is connected to (its dependency).  Lost or reordered packets are no faults of
this list: TCP mends them, and what is left for a program to see is latency, a stall or a reset.

There are three black holes, and they break different code: `Stall` holds bytes and delivers them later,
`Drop` acknowledges bytes and loses them, `Hang` never passes a connection on.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class ImpossibleFault(ValueError):
    """A fault, or a combination of them, that no network could play."""


class Way(StrEnum):
    """A direction of the bytes of a connection."""

    REQUESTS = "requests"  # from the client to the upstream
    ANSWERS = "answers"  # from the upstream to the client


class Latency(Struct, frozen=True, tag=True):
    """The peer is farther away: another zone, another region, a crowded path.

    Bytes and ends arrive later, in order.  Half of the round trip is spent each way; a new connection
    costs one round trip before its first byte leaves, as the handshake would.  In flight are at most
    1 MiB each way, as with a TCP window.
    """

    seconds: float  # round trip, on top of what it takes anyway
    jitter: float = 0.0  # seconds, spread evenly around the round trip

    def __post_init__(self) -> None:
        if not 0 <= self.jitter <= self.seconds < 3600:
            raise ImpossibleFault(
                f"a latency of {self.seconds:g} s with a jitter of {self.jitter:g} s cannot be played: "
                "both are at least 0, and the jitter is no larger than the latency"
            )


class Bandwidth(Struct, frozen=True, tag=True):
    """The path is narrow or full: a throttled volume, a saturated link, a noisy neighbour.

    All connections share the rate, each way has its own.  Bytes arrive late and in order; writers block
    once their buffers are full.
    """

    bytes_per_second: float

    def __post_init__(self) -> None:
        if not self.bytes_per_second > 0:
            raise ImpossibleFault("a bandwidth is more than 0 bytes a second; what passes nothing is a Stall")


class Stall(Struct, frozen=True, tag=True):
    """The peer is paused or the path is gone for a while: a stopped virtual machine, a partition that heals.

    Nothing arrives either way: no bytes, no ends, no resets.  Writers block once their buffers are full.
    New connections open and wait.  When it is cleared all of it arrives, in order and nothing missing.
    """


class Drop(Struct, frozen=True, tag=True):
    """Something in between forgot the connection and goes on acknowledging: a pooler, a load balancer, a NAT.

    Every byte is acknowledged and lost, so TCP's own timers and keepalives see nothing wrong: only a
    timeout of the application does.  Neither end learns that the other one closed, so the upstream keeps
    its session.  The connections it met stay lost when it is cleared; new ones work then, and with
    `newcomers=False` (a flow table lost once) already while it lasts.
    """

    newcomers: bool = True  # connections opened while it lasts are lost as well


class Hang(Struct, frozen=True, tag=True):
    """The peer's program is wedged while its kernel goes on accepting.

    New connections are accepted, never passed on and never answered, and stay so when it is cleared.
    Open ones are untouched.
    """


class HoldDials(Struct, frozen=True, tag=True):
    """The peer takes no new connection for a while: a full accept queue, a pooler without a free slot.

    New connections wait, with what was sent on them, and are served when it is cleared.  Open ones are
    untouched.
    """


class Reset(Struct, frozen=True, tag=True):
    """Every open connection is cut at once: a fail-over, a firewall that was reloaded.

    Both ends get an RST (`ECONNRESET`); bytes on their way are lost.  It happens once: new connections work.
    """


class Refuse(Struct, frozen=True, tag=True):
    """Nobody listens: the peer's program is stopped, the rolled-out port is wrong.

    New connections get `ECONNREFUSED`; open ones are untouched.  `Refuse` with `Reset` is a crash.
    """


class HalfOpen(Struct, frozen=True, tag=True):
    """One direction is dead: requests arrive and answers never come back, or the other way round.

    What is sent that way is acknowledged and lost, ends included.  A connection that lost bytes stays dead
    in that direction when it is cleared; one that lost none is well again.
    """

    lost: Way = Way.ANSWERS


class ResetAfter(Struct, frozen=True, tag=True):
    """The connection is cut in the middle of a message: a crash or a full disk half way through an answer.

    Exactly `bytes` more bytes of one direction arrive, then both ends get an RST.  Each connection has its
    own count, from when the fault is set or the connection is opened.
    """

    bytes: int
    way: Way = Way.ANSWERS

    def __post_init__(self) -> None:
        if self.bytes < 1:
            raise ImpossibleFault("a reset comes after at least one byte; what comes before it is a Reset")


Fault = Latency | Bandwidth | Stall | Drop | Hang | HoldDials | Reset | Refuse | HalfOpen | ResetAfter


def check(faults: Sequence[Fault]) -> None:
    """Raise ImpossibleFault where two of them contradict each other."""
    seen: set[tuple[str, Way | None]] = set()
    for fault in faults:
        kind = type(fault).__name__
        match fault:
            case HalfOpen(lost=way) | ResetAfter(way=way):
                key: tuple[str, Way | None] = (kind, way)
            case _:
                key = (kind, None)
        if key in seen:
            raise ImpossibleFault(f"the fault {kind} was given twice")
        seen.add(key)
