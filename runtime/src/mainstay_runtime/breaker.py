"""A circuit breaker that opens by the rate of failures and by the rate of slow calls.

The rules are those of "Release It!" (M. Nygard, 2nd edition 2018, "Circuit Breaker") with the rates over a
window that resilience4j made common.  Thresholds: see `Breaker`.
"""

import threading
import time
from collections.abc import Callable
from enum import Enum

from mainstay_runtime import deadline, events
from mainstay_runtime.around import Remembering
from mainstay_runtime.refused import Refused


class State(Enum):
    """Closed lets calls through, open refuses them, half open lets a few through to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Open(Refused):
    """The breaker is open.  `after` is the time until it tries again; None while it is trying."""


_Call = tuple[float, int]  # when it began, and in which period


class Breaker(Remembering[_Call]):
    """Refuses calls to a dependency that fails or drags, until a few probes have shown that it is back.

    It opens when, of at least `minimum` calls in the last `window` seconds, the share `failure_rate` failed
    or the share `slow_rate` took `slow` seconds or more.  After `open_for` seconds the next call makes it
    half open: in all `probes` calls go through, and by their results it closes, or opens again, by the same
    rates.

    `counts` are the exceptions that are failures.  Other exceptions are answers of the dependency; `Refused`
    was no call at all.  A call that was cancelled is no failure: it counts as slow if it had taken `slow`
    already, else not.  A call that ends with the deadline in force, by cancellation or by a client's
    time-out, is a failure if it had at least half of `slow`, and else is not counted.

    One object serves threads and tasks, as `with`, `async with` and decorator.  No lock is held during a
    call.  The window is kept in `buckets` parts, and the oldest falls out at once; a call costs the same
    however many there were.  The defaults suit a dependency that is called twice a second or more; with fewer
    calls than `minimum` in a window it never opens.
    """

    __slots__ = (
        "_clock",
        "_counts",
        "_failure_rate",
        "_last_probe",
        "_lock",
        "_minimum",
        "_open_for",
        "_period",
        "_probed",
        "_probes",
        "_probing",
        "_slow_rate",
        "_state",
        "_until",
        "_window",
        "name",
        "slow",
    )

    def __init__(
        self,
        name: str,
        *,
        failure_rate: float = 0.5,
        slow_rate: float = 0.8,
        slow: float = 1.0,
        minimum: int = 20,
        window: float = 10.0,
        buckets: int = 10,
        open_for: float = 5.0,
        probes: int = 5,
        counts: type[BaseException] | tuple[type[BaseException], ...] = Exception,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (0 < failure_rate <= 1 and 0 < slow_rate <= 1):
            raise ValueError("failure_rate and slow_rate are shares above 0, at most 1")
        if min(slow, window, open_for) <= 0 or min(minimum, buckets, probes) < 1:
            raise ValueError("times are above 0 and numbers at least 1")
        super().__init__(f"breaker {name}")
        self.name = name
        self.slow = slow
        self._failure_rate = failure_rate
        self._slow_rate = slow_rate
        self._minimum = minimum
        self._open_for = open_for
        self._probes = probes
        self._counts = counts
        self._clock = clock
        self._window = _Window(window, buckets)
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._period = 0  # counts changes of state; a result belongs to the period in which its call began
        self._until = 0.0  # when an open one may try again
        self._probing = 0  # probes under way
        self._probed = _Tally()
        self._last_probe = 0.0

    @property
    def state(self) -> State:
        """Its state now.  An open one turns half open at the first call after its time, not before."""
        return self._state

    def begin(self) -> _Call:
        period = self.admit()
        return self._clock(), period

    def end(self, call: _Call, error: BaseException | None) -> None:
        started, period = call
        self.settle(period, self._clock() - started, error)

    def lost(self) -> _Call:
        return self._clock(), self._period

    def check(self) -> None:
        """Raise Open if a call would be refused for that, and take no place: for asking before a wait."""
        if self._state is State.OPEN and (wait := self._until - self._clock()) > 0:
            self._refuse(wait)

    def admit(self) -> int:
        """Begin a call, where `with` does not fit.  Give the number returned to `settle`.  Raises Open."""
        period = self._period  # before the state: a change in between makes it stale, never fresh
        if self._state is State.CLOSED:
            return period
        changed: State | None = None
        wait: float | None = None
        with self._lock:
            now = self._clock()
            if self._state is State.OPEN:
                wait = self._until - now
                if wait <= 0:
                    changed, wait = self._change(State.HALF_OPEN), None
            elif self._hangs(now):
                changed, wait = self._trip(now), self._open_for
            admitted = wait is None and self._place(now)
            period = self._period
        self._tell(changed)
        if not admitted:
            self._refuse(wait)
        return period

    def settle(
        self, period: int, lasted: float, error: BaseException | None, fair: float | None = None
    ) -> None:
        """End a call that took `lasted` seconds and ended with `error`.

        `fair` is the time in seconds that a call must have had to count as failed when it ends with the
        deadline; half of `slow` unless said.  Else a caller who gives no time could open the breaker for all.
        """
        slow, failed, counted = lasted >= self.slow, False, True
        if error is not None:
            failed, counted = self._judge(error, lasted, self.slow / 2 if fair is None else fair)
        changed = None
        with self._lock:
            if period != self._period:
                return  # it began before the last change: it tells nothing about now
            if self._state is State.CLOSED:
                if counted:
                    now = self._clock()
                    tally = self._window.add(now, failed, slow)
                    bad = (tally.failed or tally.slow) and tally.calls >= self._minimum
                    if bad and self._too_bad(tally, tally.calls):
                        changed = self._trip(now)
            elif self._state is State.HALF_OPEN:
                changed = self._settle_probe(counted, failed, slow)
        if changed is not None:
            self._tell(changed)

    def _judge(self, error: BaseException, lasted: float, fair: float) -> tuple[bool, bool]:
        """Whether the call failed, and whether it counts."""
        if isinstance(error, Refused):
            return False, False
        cut = deadline.passed()
        if cut and lasted < fair:
            return False, False  # it was given no time
        if isinstance(error, Exception):
            return isinstance(error, self._counts), True
        return cut, cut or lasted >= self.slow

    def _settle_probe(self, counted: bool, failed: bool, slow: bool) -> State | None:
        self._probing = max(0, self._probing - 1)
        if not counted:
            return None  # the place is free again
        self._probed.add(failed, slow)
        if self._too_bad(self._probed, self._probes):  # the results to come cannot better it
            return self._trip(self._clock())
        return self._change(State.CLOSED) if self._probed.calls >= self._probes else None

    def _too_bad(self, tally: "_Tally", calls: int) -> bool:
        return tally.failed >= self._failure_rate * calls or tally.slow >= self._slow_rate * calls

    def _place(self, now: float) -> bool:
        """A place for one more call."""
        if self._state is State.CLOSED:
            return True
        if self._probing + self._probed.calls >= self._probes:
            return False
        self._probing += 1
        self._last_probe = now
        return True

    def _hangs(self, now: float) -> bool:
        """Whether all places are taken by probes that nobody has heard of for a whole window."""
        taken = self._probing + self._probed.calls >= self._probes
        return taken and now - self._last_probe > self._window.seconds

    def _trip(self, now: float) -> State:
        self._until = now + self._open_for
        return self._change(State.OPEN)

    def _change(self, state: State) -> State:
        self._state = state
        self._period += 1
        self._probing = 0
        self._probed = _Tally()
        self._window.clear()
        return state

    def _tell(self, changed: State | None) -> None:
        """After the lock is let go, since a listener may ask for the state."""
        if changed is not None:
            events.tell("breaker", self.name, _TOLD[changed])

    def _refuse(self, wait: float | None) -> None:
        events.tell("breaker", self.name, "refused")
        raise Open(self.name, wait)


_TOLD = {State.CLOSED: "closed", State.OPEN: "opened", State.HALF_OPEN: "half-opened"}


class _Tally:
    __slots__ = ("calls", "failed", "slow")

    def __init__(self) -> None:
        self.calls = self.failed = self.slow = 0

    def add(self, failed: bool, slow: bool) -> None:
        self.calls += 1
        self.failed += failed
        self.slow += slow


class _Window:
    """Calls of the last seconds, in a ring of tallies with their sum beside it."""

    __slots__ = ("_current", "_each", "_ring", "_sum", "_tick", "seconds")

    def __init__(self, seconds: float, buckets: int) -> None:
        self.seconds = seconds
        self._each = seconds / buckets
        self._ring = [_Tally() for _ in range(buckets)]
        self._sum = _Tally()
        self._tick = 0
        self._current = self._ring[0]

    def add(self, now: float, failed: bool, slow: bool) -> _Tally:
        tick = int(now / self._each)
        if tick != self._tick:
            self._advance(tick)
        current, total = self._current, self._sum
        current.calls += 1  # not `_Tally.add`: this is done for every call there is
        total.calls += 1
        if failed or slow:
            current.failed += failed
            current.slow += slow
            total.failed += failed
            total.slow += slow
        return total

    def clear(self) -> None:
        for tally in (*self._ring, self._sum):
            tally.calls = tally.failed = tally.slow = 0

    def _advance(self, tick: int) -> None:
        """Empty what has fallen out: each bucket once, however long nobody called."""
        size, total = len(self._ring), self._sum
        for old in range(max(self._tick + 1, tick - size + 1), tick + 1):
            tally = self._ring[old % size]
            total.calls -= tally.calls
            total.failed -= tally.failed
            total.slow -= tally.slow
            tally.calls = tally.failed = tally.slow = 0
        self._tick = tick
        self._current = self._ring[tick % size]
