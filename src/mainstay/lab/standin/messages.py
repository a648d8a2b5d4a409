"""What Mainstay and its stand-in tell one another."""

from msgspec import Struct

from mainstay.model.service import StandInAnswer


class Play(Struct, frozen=True, tag=True):
    """Listen on 127.0.0.1 and answer so; port 0 is any free one."""

    answers: tuple[StandInAnswer, ...]
    idempotency_header: str = ""
    port: int = 0


class Behave(Struct, frozen=True, tag=True):
    """How to answer from now on."""

    latency: float = 0.0  # seconds before each answer
    fail: float = 0.0  # the share of requests that fail, without an effect
    status: int = 500  # what those are answered
    garbage: bool = False  # answers that are no answers, after the effect


class Tell(Struct, frozen=True, tag=True):
    """Which requests came, from the given one on."""

    start: int = 0


class Forget(Struct, frozen=True, tag=True):
    """Requests so far are told no more; what was done under which key stays known."""


class Asked(Struct, frozen=True, array_like=True):
    """A request that a stand-in heard."""

    at: float  # when it was whole, in seconds of the machine's monotonic clock
    method: str
    path: str  # with its query
    key: str  # its idempotency key, if it had one
    digest: str  # SHA-256 of its body
    body: str  # at most the first 4 KiB of it
    status: int  # what it was answered, or was going to be when the caller left
    effect: bool  # it changed something
    repeat: bool  # it was answered as the first of its key


class Playing(Struct, frozen=True, tag=True):
    """It listens."""

    port: int


class Done(Struct, frozen=True, tag=True):
    """It does so from now on."""


class Heard(Struct, frozen=True, tag=True):
    """A page of the requests that came."""

    asked: tuple[Asked, ...]
    total: int  # that can be told
    untold: int  # came after more than can be remembered had come


class Trouble(Struct, frozen=True, tag=True):
    """It cannot play; one sentence."""

    why: str


Order = Play | Behave | Tell | Forget
News = Playing | Done | Heard | Trouble
