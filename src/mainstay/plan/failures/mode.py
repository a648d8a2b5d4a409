"""One way to fail, and what follows from it."""

from enum import StrEnum

from msgspec import Struct


class Part(StrEnum):
    """What fails."""

    NEED = "need"
    DATABASE = "database"
    SERVICE = "service"


class Mode(StrEnum):
    """How it fails."""

    DOWN = "down"  # it refuses connections
    SLOW = "slow"  # it answers, later than it should
    WRONG = "wrong"  # it answers errors or nonsense
    HALF_OPEN = "half-open"  # it takes what is sent and never answers
    KILLED = "killed"
    TWO_VERSIONS = "two versions at once"
    DISK_FULL = "disk full"
    OVERLOAD = "overload"


class Result(StrEnum):
    """What a caller of an operation gets meanwhile."""

    AS_EVER = "as ever"
    SLOWER = "slower"
    LATER = "as ever, sent later"  # the message waits in the outbox
    ACCEPTED = "accepted, settled later"
    DEGRADED = "degraded"
    REFUSED = "refused"
    SHED = "refused in part"  # what is too much
    ASK_AGAIN = "cut, and safe to repeat"
    REPLAYED = "cut, and its key gets the one answer"
    UNKNOWN = "cut, and nobody can tell whether it was done"


class Doubt(StrEnum):
    """What the specification leaves open about a way to fail."""

    OUTCOME = "the need cannot be asked again, so that an unknown outcome stays unknown"
    READ_LATER = "a read cannot be settled later"
    NO_EXPERIMENT = "no experiment breaks it"
    READ_ONLY = "no experiment makes the database read-only"
    UNKEYED = "a write that is not critical has no key"


class Healer(StrEnum):
    """Who ends it."""

    ITSELF = "the service itself"
    PLATFORM = "the platform that runs it"
    PERSON = "a person"


class Effect(Struct, frozen=True):
    """What one operation does meanwhile."""

    operation: str
    result: Result
    status: int  # of its answers; 0 where there is none
    wait: float = 0.0  # seconds that a caller waits for it at most, until the guard has noticed
    degraded: str = ""  # what is left, where it degrades


class Time(Struct, frozen=True):
    """A time that was worked out; None where it has no bound."""

    seconds: float | None
    sum: str
    assumed: bool = False  # it rests on a value that nobody has said


class Signal(Struct, frozen=True):
    """By what it is noticed."""

    alert: str
    metric: str


class FailureMode(Struct, frozen=True):
    """One way to fail."""

    part: Part
    name: str  # of the need, "database", or of the service
    mode: Mode
    effects: tuple[Effect, ...]  # one for each operation, in their order
    signals: tuple[Signal, ...]
    noticed: Time  # until the service itself has noticed and callers wait no more
    healer: Healer
    recovers: Time  # from the end of the cause to well again
    backlog: Time | None = (
        None  # `seconds` is a number of things to be settled, after an outage of the budget
    )
    experiments: tuple[str, ...] = ()  # of `mainstay prove`, that test this row
    doubts: tuple[Doubt, ...] = ()

    @property
    def anchor(self) -> str:
        """Where the runbook tells of it: `processor-is-half-open`."""
        return self.title.lower().replace(" ", "-")

    @property
    def title(self) -> str:
        """`processor is half-open`."""
        said = {
            Mode.TWO_VERSIONS: "runs in two versions at once",
            Mode.DISK_FULL: "has a full disk",
            Mode.OVERLOAD: "is overloaded",
        }
        return f"{self.name} {said.get(self.mode, f'is {self.mode}')}"
