"""What became of one request of the load."""

from enum import StrEnum

from msgspec import Struct


class Failure(StrEnum):
    """How a request can end without an answer."""

    NONE = ""
    REFUSED = "refused"  # no connection
    CUT = "cut"  # the connection was closed or reset before the answer was whole
    TIMED_OUT = "timed out"  # the caller's patience ended
    OTHER = "other"


class Fate(StrEnum):
    """What the caller of a write knows about it."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # an answer says that it failed
    UNKNOWN = "unknown"  # no answer


class Record(Struct, frozen=True, array_like=True):
    """One request.  Times are seconds of the machine's monotonic clock."""

    action: str
    due: float  # when it should have been sent: latency counts from here
    sent: float
    done: float
    status: int = 0  # 0: no answer
    failure: Failure = Failure.NONE
    expected: bool = False  # the status is one that the action calls a success
    fresh: bool = False  # on a connection of its own
    actor: str = ""
    marker: str = ""  # in the request, and in no other
    key: str = ""  # its idempotency key
    made: str = ""  # the id in its answer
    taken: tuple[str, ...] = ()  # what it used up of the pools
    attempt: int = 0  # 1 for the first repeat
    writes: bool = False
    stocking: bool = False  # sent to fill a pool: no figure counts it, the ledger does
    excerpt: str = ""  # of the answer, when it failed
    target: int = 0  # which address of the service

    @property
    def latency(self) -> float:
        """Seconds from when it was due to its end."""
        return self.done - self.due

    @property
    def lag(self) -> float:
        """Seconds that the load driver sent it late."""
        return self.sent - self.due

    @property
    def ok(self) -> bool:
        """Whether its caller got what he asked for."""
        return self.expected and not self.failure

    @property
    def fate(self) -> Fate:
        """What its caller knows, if it was a write."""
        if self.failure or not self.status:
            return Fate.UNKNOWN
        # An expected 409 is fine with its caller, and yet promises nothing.
        return Fate.ACKNOWLEDGED if self.expected and self.status < 400 else Fate.REFUSED
