"""A concurrency limit that finds by itself how many calls a dependency can take.

It is additive increase, multiplicative decrease (Chiu and Jain, "Analysis of the Increase and Decrease
Algorithms for Congestion Avoidance", 1989) with the gradient of latencies as the signal: the idea of TCP
Vegas (Brakmo and Peterson, 1995) in the form of Netflix's concurrency-limits and of Envoy's adaptive
concurrency filter, from which the square root comes as well.  After each round of calls:

    gradient = tolerance x unloaded latency / latency of this round
    limit    = limit + square root of limit    where gradient >= 1
             = limit x max(0.5, gradient)      where gradient < 1

and the limit only moves while at least half of it is in use.

Three things differ from both.  Geometric means are compared, over a hundred calls, not minima or averages:
the fastest call of a healthy service may be a hundred times faster than most, and the slowest far slower.
The unloaded latency is measured by running one round at half of the limit, which empties any queue that the
limit let grow, not by running nearly alone.  And where the limit has shrunk to half and the latency is still
there, then it is no queue of ours, and the unloaded latency gives way: a slow dependency is not strangled.
"""

import math
import threading
import time
from collections.abc import Callable

from mainstay_runtime import deadline, events
from mainstay_runtime.around import Remembering
from mainstay_runtime.refused import Full as Full
from mainstay_runtime.refused import Refused

_ROUND = 100  # calls at least: the geometric mean of so many exponential times is off by 13 %, of 20 by 29 %
_FOLLOW = 0.2  # weight of a round that had little to do, against what is known of the unloaded latency
_TRUST = 0.5  # weight of a round at half of the limit
_TINY = 1e-9  # seconds; a clock may not have moved
_BACK_OFF = 0.9  # what a time-out leaves of the limit, once a round

_Call = tuple[float, int]  # when it began, and in which round


class Limiter(Remembering[_Call]):
    """Refuses a call with Full when as many are under way as the dependency can take without queueing.

    It starts at `start`, of which the first round uses half to see the unloaded latency, and stays between
    `least` and `most`.  It learns in rounds of a hundred calls, or of as many as the limit if that is more.
    The latency that it lets a dependency reach is about `tolerance` times the unloaded one.  Exceptions say
    nothing of how fast it is and are not counted, except that each round with one of `overload`, or with a
    call cut by the deadline after more time than usual, takes a tenth off the limit.

    It never waits.  A dependency that hangs fills the limit and is then left alone until calls come back.
    One object serves threads and tasks, as `with`, `async with` and decorator.
    """

    __slots__ = (
        "_allowed",
        "_busiest",
        "_clock",
        "_done",
        "_least",
        "_limit",
        "_lock",
        "_logs",
        "_measured",
        "_most",
        "_needed",
        "_overload",
        "_overloaded",
        "_probing",
        "_remeasure",
        "_round",
        "_tolerance",
        "_tried",
        "_unloaded",
        "_used",
        "name",
    )

    def __init__(
        self,
        name: str,
        *,
        start: int = 20,
        least: int = 1,
        most: int = 200,
        tolerance: float = 1.5,
        remeasure: float = 30.0,
        overload: type[Exception] | tuple[type[Exception], ...] = TimeoutError,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= least <= start <= most:
            raise ValueError("1 <= least <= start <= most")
        if tolerance <= 1 or remeasure <= 0:
            raise ValueError("tolerance is above 1 and remeasure above 0 seconds")
        super().__init__(f"limiter {name}")
        self.name = name
        self._least = float(least)
        self._most = float(most)
        self._tolerance = tolerance
        self._remeasure = remeasure
        self._overload = overload
        self._clock = clock
        self._lock = threading.Lock()
        self._limit = float(start)
        self._used = 0
        self._unloaded: float | None = None  # logarithm of seconds
        self._tried = float(start)  # the highest limit since that was seen
        self._measured = clock()  # when that was last seen
        self._round = 0
        self._done = 0  # calls that began in this round and are done
        self._logs = 0.0  # sum of the logarithms of their times
        self._busiest = 0  # most calls at once in this round
        self._overloaded = False
        self._probing = True  # the first round is one at half of the limit, too
        self._allowed = self._to_allow()
        self._needed = max(_ROUND, start)  # calls that end the round

    @property
    def limit(self) -> int:
        """How many calls it allows at once now."""
        return self._allowed

    @property
    def used(self) -> int:
        """Calls under way now."""
        return self._used

    def begin(self) -> _Call:
        began_in = self.admit()
        return self._clock(), began_in

    def end(self, call: _Call, error: BaseException | None) -> None:
        started, began_in = call
        self.settle(began_in, self._clock() - started, error)

    def lost(self) -> _Call:
        return 0.0, -1  # of no round: the place is given back, its time is unknown

    def admit(self) -> int:
        """Begin a call, where `with` does not fit.  Give the number returned to `settle`.  Raises Full."""
        with self._lock:
            used = self._used
            admitted = used < self._allowed
            if admitted:
                self._used = used = used + 1
                if used > self._busiest:
                    self._busiest = used
            began_in = self._round
        if not admitted:
            events.tell("limiter", self.name, "refused")
            raise Full(self.name)
        return began_in

    def settle(self, began_in: int, lasted: float, error: BaseException | None) -> None:
        """End a call that took `lasted` seconds and ended with `error`."""
        overload = error is not None and self._overloads(error, lasted)
        with self._lock:
            self._used -= 1
            if began_in != self._round:
                return  # it began under another limit
            if error is None:
                self._done += 1
                self._logs += math.log(lasted if lasted > _TINY else _TINY)  # noqa: FURB136 - `max` is slower
            if overload:
                self._overloaded = True
            elif self._done < self._needed:
                return
            before = int(self._limit)
            self._learn()
            limit = int(self._limit)
        if limit != before:
            events.tell("limiter", self.name, "limit", limit)

    def _overloads(self, error: BaseException, lasted: float) -> bool:
        if isinstance(error, Refused):
            return False
        if not deadline.passed():
            return isinstance(error, self._overload)
        if self._unloaded is None or (isinstance(error, Exception) and not isinstance(error, self._overload)):
            return False
        # what the deadline ended says nothing unless it had more time than usual
        return math.log(max(lasted, _TINY)) > self._unloaded + math.log(self._tolerance)

    def _learn(self) -> None:
        """End a round: move the limit by what it showed, and begin the next."""
        now = self._clock()
        if self._overloaded:
            self._limit *= _BACK_OFF
        else:
            self._compare(self._logs / self._done, now)
        self._limit = min(self._most, max(self._least, self._limit))
        self._tried = max(self._tried, self._limit)
        self._probing = now - self._measured > self._remeasure
        self._allowed = self._to_allow()
        self._needed = max(_ROUND, int(self._limit))
        self._round += 1
        self._done = 0
        self._logs = 0.0
        self._busiest = self._used
        self._overloaded = False

    def _to_allow(self) -> int:
        return int(max(self._least, self._limit / 2) if self._probing else self._limit)

    def _compare(self, latency: float, now: float) -> None:
        known = self._unloaded
        if known is None or self._probing:
            self._unloaded = latency if known is None else known + _TRUST * (latency - known)
            self._measured, self._tried = now, self._limit
            return
        in_use = self._busiest * 2 >= self._limit
        if not in_use:
            self._measured, self._tried = now, self._limit
        if not in_use or self._limit * 2 <= self._tried:
            known = self._unloaded = known + _FOLLOW * (latency - known)
        if in_use:
            gradient = self._tolerance * math.exp(known - latency)
            step = math.sqrt(self._limit)
            self._limit = self._limit + step if gradient >= 1 else self._limit * max(0.5, gradient)
