"""What Mainstay asks of the guardian of its run, and what that answers.

Every order carries a number of its own and its answer the same one: after Ctrl-C an answer may come that
nobody waits for any more.
"""

from enum import StrEnum

from msgspec import Struct


class Reach(StrEnum):
    """Who gets a signal."""

    MAIN = "main"  # the process that was started
    ALL = "all"  # its group, and whatever else belongs to the program


class Start(Struct, frozen=True, tag=True):
    """Start a program; its number is the order's.  With `channel`, its standard input comes along."""

    number: int
    name: str
    command: tuple[bytes, ...]
    environment: tuple[tuple[bytes, bytes], ...]
    cwd: bytes
    log: bytes
    output: bytes = b""  # a file for its standard output, which then goes there and into the log
    user: int | None = None
    nice: int = 0
    cores: tuple[int, ...] = ()
    channel: bool = False


class Send(Struct, frozen=True, tag=True):
    """Send a signal to a program."""

    number: int
    program: int
    signal: int
    reach: Reach


class Look(Struct, frozen=True, tag=True):
    """How a program is, at once or when it has ended, but within `seconds`."""

    number: int
    program: int
    seconds: float = 0.0


class List(Struct, frozen=True, tag=True):
    """The living processes of a program."""

    number: int
    program: int


Order = Start | Send | Look | List


class Ready(Struct, frozen=True, tag=True):
    """The guardian is there, and so is the folder."""

    number: int = 0


class Started(Struct, frozen=True, tag=True):
    """The program runs; `unmet` says what it was not given."""

    number: int
    pid: int
    unmet: tuple[str, ...] = ()


class Refused(Struct, frozen=True, tag=True):
    """Why an order was not carried out, as a sentence."""

    number: int
    why: str


class State(Struct, frozen=True, tag=True):
    """How a program is; all that it has written so far is in its log."""

    number: int
    status: int | None = None  # None while it runs; negative for a signal
    ended: float | None = None  # when, on the monotonic clock
    cut: int = 0  # bytes that its log lacks


class Members(Struct, frozen=True, tag=True):
    """The living processes of a program, the one that was started first."""

    number: int
    pids: tuple[int, ...]


Answer = Ready | Started | Refused | State | Members
