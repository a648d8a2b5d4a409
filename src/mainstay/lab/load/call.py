"""A request on its way, and how it ended."""

from typing import Protocol

from msgspec import Struct

from mainstay.lab.load.templates import Prepared
from mainstay.model.record import Failure

OURS = "The load driver"  # how the excerpt of a request begins that failed for a reason of ours


class Outcome(Struct, frozen=True):
    """How a request ended, as the wire tells it."""

    done: float
    status: int = 0  # 0: no whole answer
    failure: Failure = Failure.NONE
    body: bytes = b""
    ours: str = ""  # why it failed, when that is no fault of the service


class Job(Protocol):
    """Something that sends requests and hears what became of them."""

    def finished(self, call: "Call", outcome: Outcome) -> None: ...


class Call:
    """One attempt at a request."""

    __slots__ = ("attempt", "due", "fresh", "job", "prepared", "sent", "target", "timeout", "walk")

    def __init__(
        self, job: Job, prepared: Prepared, due: float, *, fresh: bool, timeout: float, walk: object = None
    ) -> None:
        self.job = job
        self.prepared = prepared
        self.due = due
        self.sent = due
        self.fresh = fresh
        self.timeout = timeout  # seconds from when it is sent
        self.target = 0
        self.attempt = 0
        self.walk = walk  # the journey it is a step of

    def again(self, due: float) -> "Call":
        """The same request once more."""
        call = Call(self.job, self.prepared, due, fresh=self.fresh, timeout=self.timeout, walk=self.walk)
        call.attempt = self.attempt + 1
        return call
