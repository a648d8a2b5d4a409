"""What the driver and the process that asked for it say to each other."""

from msgspec import Struct

from mainstay.model.record import Record
from mainstay.model.service import Action


class Setup(Struct, frozen=True, tag=True):
    """The first message."""

    actions: tuple[Action, ...]
    actors: dict[str, dict[str, str]]
    targets: tuple[str, ...]
    timeout: float
    seed: int
    prefix: str
    scenario: str = ""


class Target(Struct, frozen=True, tag=True):
    """Where requests go from now on."""

    addresses: tuple[str, ...]


class Callers(Struct, frozen=True, tag=True):
    """The headers of each actor from now on."""

    actors: dict[str, dict[str, str]]


class Stock(Struct, frozen=True, tag=True):
    """Fill these pools."""

    wanted: dict[str, int]
    within: float


class Once(Struct, frozen=True, tag=True):
    """Send these actions one after another."""

    actions: tuple[str, ...]
    times: int


class Start(Struct, frozen=True, tag=True):
    """Begin a load."""

    rate: float
    seconds: float
    arrivals: str
    fresh: float
    retries: int
    only: tuple[str, ...]
    timeout: float


class Stop(Struct, frozen=True, tag=True):
    """Send nothing more."""


Order = Setup | Target | Callers | Stock | Once | Start | Stop


class Ready(Struct, frozen=True, tag=True):
    """Set up; these journeys there are, with their weights."""

    journeys: dict[str, float]


class Refused(Struct, frozen=True, tag=True):
    """What was asked for cannot be done, or went wrong: one sentence."""

    said: str
    records: list[Record] = []


class Began(Struct, frozen=True, tag=True):
    """A load begins at that time."""

    at: float


class Batch(Struct, frozen=True, tag=True):
    """Requests of the load that have ended since the last one."""

    records: list[Record]
    starved: int  # due requests that a pool had nothing for, since the driver began
    oldest: float = 0.0  # when the oldest request that is still on its way was due; 0: there is none


class Ended(Struct, frozen=True, tag=True):
    """The load is over; nothing of it is on its way."""

    fault: str = ""  # what is wrong with the scenario file


class Done(Struct, frozen=True, tag=True):
    """What was sent beside the load has ended."""

    records: list[Record]


Report = Ready | Refused | Began | Batch | Ended | Done
