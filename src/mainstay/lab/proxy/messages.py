"""What is said between the proxy's process and the one that started it.

An answer has the number of its command: after Ctrl-C one may come that nobody waits for any more.
"""

from msgspec import Struct

from mainstay.lab.proxy.faults import Fault


class Open(Struct, frozen=True, tag=True):
    """Listen on a port and pass its connections on to the upstreams in turn."""

    number: int
    name: str
    port: int
    upstreams: tuple[tuple[str, int], ...]
    ready_path: str = ""  # what each upstream is asked, to see whether it is well; empty: it is not asked


class Set(Struct, frozen=True, tag=True):
    """From now on these faults hold, and no others."""

    number: int
    name: str
    faults: tuple[Fault, ...] = ()


class Aim(Struct, frozen=True, tag=True):
    """Pass new connections on to other upstreams."""

    number: int
    name: str
    upstreams: tuple[tuple[str, int], ...]


class Ask(Struct, frozen=True, tag=True):
    """How many connections and bytes were there?"""

    number: int
    name: str


class Shut(Struct, frozen=True, tag=True):
    """Close the port and cut its connections."""

    number: int
    name: str


class Done(Struct, frozen=True, tag=True):
    """It is so, since `at` (monotonic seconds)."""

    number: int
    at: float


class Impossible(Struct, frozen=True, tag=True):
    """It is not, and why."""

    number: int
    reason: str


class Stats(Struct, frozen=True, tag=True):
    """What went through one port since it was opened."""

    number: int
    open: int  # connections now
    accepted: int
    refused: int  # accepted, and cut because no upstream took them
    requests: int  # bytes delivered to upstreams
    answers: int  # bytes delivered to clients
    lost: int  # bytes that were acknowledged and thrown away
    late: float = 0.0  # seconds: the longest that the process kept anything waiting since it was last asked
    dialled: tuple[int, ...] = ()  # connections that each upstream took
    well: tuple[bool, ...] = ()  # whether each upstream takes connections, as far as is known


Command = Open | Set | Aim | Ask | Shut
Answer = Done | Impossible | Stats
