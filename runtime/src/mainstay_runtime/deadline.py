"""A deadline for all that is done for one request, taken from the caller and handed on.

There is one deadline in force in a context, and nested ones only ever shorten it.  It reaches functions that
are called, tasks that are started and threads that get a copy of the context (`asyncio.to_thread`, anyio,
FastAPI).

Code that waits in `await` is cancelled when the time is up.  Synchronous code cannot be interrupted: it has
to pass `timeout(most)` to each client that waits.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from mainstay_runtime import events

HEADER = "X-Request-Timeout-Ms"
ENVOY = "X-Envoy-Expected-Rq-Timeout-Ms"  # Envoy, "HTTP header manipulation": milliseconds as an integer
_NOTHING = 0.001  # seconds; the headers count milliseconds, so less than one is nothing
_DIGITS = 12  # thirty years in milliseconds; longer numbers are noise


class Exceeded(TimeoutError):
    """The deadline `name` has passed.  A client inside may have sent its request: the effect is unknown."""

    name: str = ""


class Within:
    """One deadline, made by `within`.  Enter it once."""

    __slots__ = ("_cancelling", "_handle", "_outer", "_task", "clock", "end", "fired", "name", "seconds")

    def __init__(
        self, seconds: float, name: str = "deadline", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self.name = name
        self.clock = clock
        self.end = 0.0
        self.fired = False
        self._outer: Within | None = None
        self._task: asyncio.Task[object] | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._cancelling = 0

    def left(self) -> float:
        """Seconds until it passes; negative afterwards."""
        return self.end - self.clock()

    def __enter__(self) -> Self:
        self._put_in_force()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _in_force.set(self._outer)  # no `reset`: that fails where enter and exit run in different contexts

    async def __aenter__(self) -> Self:
        self.arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disarm(error)

    def arm(self) -> None:
        """What `async with` does on entering.  Raises Exceeded when nothing is left."""
        seconds = self._put_in_force()
        task = asyncio.current_task()
        if task is None:
            _in_force.set(self._outer)
            raise RuntimeError("a deadline for asynchronous code is used in a task")
        self._task = task
        outer = self._outer
        if outer is not None and outer.end <= self.end and outer._task is task:  # noqa: SLF001 - its twin
            return  # the outer one will cancel this very task, no later
        self._cancelling = task.cancelling()
        loop = task.get_loop()
        self._handle = loop.call_at(loop.time() + seconds, self._expire)

    def disarm(self, error: BaseException | None) -> None:
        """What `async with` does on leaving.  Raises Exceeded where it caused the cancellation."""
        _in_force.set(self._outer)
        if self._handle is None:
            return
        self._handle.cancel()
        self._handle = None
        if not self.fired or self._task is None:
            return
        # as asyncio.timeout does: where somebody else has cancelled the task too, that goes on
        alone = self._task.uncancel() <= self._cancelling
        if alone and isinstance(error, asyncio.CancelledError):
            raise _exceeded(self) from error

    def _put_in_force(self) -> float:
        """Seconds that it has, which is what the outer one has left where that is less."""
        outer = self._outer = _in_force.get()
        seconds = self.seconds
        if outer is not None:
            rest = outer.left()
            if rest < _NOTHING:
                raise _exceeded(outer)
            seconds = min(seconds, rest)
        self.end = self.clock() + seconds
        _in_force.set(self)
        return seconds

    def _expire(self) -> None:
        self.fired = True
        if self._task is not None:
            self._task.cancel()


_in_force: ContextVar[Within | None] = ContextVar("deadline", default=None)


def within(seconds: float, *, name: str = "deadline", clock: Callable[[], float] = time.monotonic) -> Within:
    """A deadline for the block, from now on, or the one in force where that is sooner.

    `async with` cancels what hangs in it when the time is up and raises Exceeded, as asyncio.timeout does.
    `with` interrupts nothing: the block sees the deadline in `left` and `timeout`.  Both raise Exceeded on
    entering when nothing is left of the one in force.
    """
    return Within(seconds, name, clock)


def left() -> float | None:
    """Seconds until the deadline in force, negative once it has passed; None where there is none."""
    current = _in_force.get()
    return None if current is None else current.left()


def passed() -> bool:
    """Whether there is a deadline in force with nothing, less than a millisecond, left."""
    current = _in_force.get()
    return current is not None and (current.fired or current.left() < _NOTHING)


def timeout(most: float) -> float:
    """Seconds that a client may wait: `most`, or what is left where that is less.

    Raises Exceeded when nothing is left, so that no call is made that nobody waits for.
    """
    current = _in_force.get()
    if current is None:
        return most
    rest = current.left()
    if rest < _NOTHING:
        raise _exceeded(current)
    return min(most, rest)


@contextmanager
def without() -> Iterator[None]:
    """No deadline in the block: for starting what outlives the request, which would inherit its deadline."""
    outer = _in_force.get()
    _in_force.set(None)
    try:
        yield
    finally:
        _in_force.set(outer)


def header() -> dict[str, str]:
    """The header that hands on what is left, in whole milliseconds; empty where no deadline is in force.

    Raises Exceeded when nothing is left.
    """
    if _in_force.get() is None:
        return {}
    return {HEADER: str(math.floor(timeout(math.inf) * 1000))}


def from_header(value: str | None, most: float) -> float:
    """Seconds that the caller gives, at most `most`; `most` where the header is missing or makes no sense.

    The value is a whole number of milliseconds above nought, in either header.  A bad one is ignored and
    told.
    """
    if value is None:
        return most
    text = value.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0):
        events.tell("deadline", HEADER, "ignored")
        return most
    return min(most, int(text) / 1000)


def from_headers(headers: Mapping[str, str], most: float) -> float:
    """The same for all headers of a request: the sooner of `HEADER` and of Envoy's, at most `most` seconds.

    Names are looked up as they are written here and in lower case, so that a plain dictionary does too.
    """
    values = (headers.get(name) or headers.get(name.lower()) for name in (HEADER, ENVOY))
    return min(from_header(value, most) for value in values)


def _exceeded(deadline: Within) -> Exceeded:
    events.tell("deadline", deadline.name, "exceeded")
    error = Exceeded(f"{deadline.name}: not done within {deadline.seconds:.3g} s")
    error.name = deadline.name
    return error
