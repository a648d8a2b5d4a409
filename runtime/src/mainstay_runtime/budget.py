"""A retry budget: retries are a share of the calls, so that an outage is not multiplied by the attempts.

A token bucket, as in Finagle's RetryBudget (twitter.github.io/finagle, "Retries") and in the throttle of
gRPC's retry design (proposal A6): first attempts pay in a share of a token, a retry takes a whole one.
"""

import threading
import time
from collections.abc import Callable

from mainstay_runtime import deadline, events
from mainstay_runtime.around import Around
from mainstay_runtime.refused import Refused

Delay = float | Callable[[BaseException], float | None] | None


class Budget:
    """Retries for one dependency: `share` of the first attempts, and `floor` a second if those are few.

    `burst` is how many tokens it holds at most, and has at the start.  So over any time the retries are at
    most share x operations + floor x seconds + burst.  All callers, threads and tasks, share it.
    """

    __slots__ = ("_burst", "_clock", "_floor", "_lock", "_share", "_then", "_tokens", "name")

    def __init__(
        self,
        name: str,
        *,
        share: float = 0.1,
        floor: float = 1.0,
        burst: float = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if share < 0 or floor < 0 or burst < 1:
            raise ValueError("share and floor are at least 0, burst at least 1")
        self.name = name
        self._share = share
        self._floor = floor
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._then = clock()

    @property
    def tokens(self) -> float:
        """Retries that it would allow now."""
        with self._lock:
            return self._filled()

    def first(self) -> None:
        """Pay in for an operation that makes its first attempt."""
        with self._lock:
            self._tokens += self._share  # the bucket is cut to its size when a token is taken

    def retry(self) -> bool:
        """Take a token for one more attempt; False, and told as "refused", when there is none."""
        with self._lock:
            allowed = self._filled() >= 1
            if allowed:
                self._tokens -= 1
        events.tell("budget", self.name, "retried" if allowed else "refused")
        return allowed

    def attempt(self) -> "Attempt":
        """One operation, whose first attempt pays in: around a loop of one's own, or around stamina's."""
        return Attempt(self)

    def hook(
        self, *exceptions: type[Exception], delay: Delay = None
    ) -> Callable[[BaseException], bool | float]:
        """What `stamina.retry(on=...)` takes: retries these exceptions while the budget lasts.

        `delay` is in seconds, or a function of the exception that gives seconds or None (a Retry-After); None
        leaves it to stamina.  Not retried: what the deadline in force leaves no time for, and a `Refused`,
        unless `exceptions` names one.  A hook hears of failures only, so put `attempt` around to earn the
        share.  stamina asks after the last attempt too, and that costs a token for nothing: the budget errs
        to fewer retries.
        """
        if not exceptions:
            raise ValueError("name the exceptions to retry")

        def again(error: BaseException) -> bool | float:
            if not retried(error, exceptions):
                return False
            wait = delay(error) if callable(delay) else delay
            rest = deadline.left()
            if rest is not None and rest <= (wait or 0.0):
                return False
            if not self.retry():
                return False
            return True if wait is None else float(wait)

        return again

    def _filled(self) -> float:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + self._floor * (now - self._then))
        self._then = now
        return self._tokens


class Attempt(Around[None]):
    """One operation of a budget, made by `Budget.attempt`; also a decorator, and then each call is one."""

    __slots__ = ("_budget",)

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def begin(self) -> None:
        self._budget.first()

    def end(self, call: None, error: BaseException | None) -> None:
        return None

    def lost(self) -> None:
        return None

    def again(self) -> bool:
        """Whether one more attempt may be made; takes the token for it."""
        return not deadline.passed() and self._budget.retry()


def retried(error: BaseException, exceptions: tuple[type[BaseException], ...]) -> bool:
    """Whether it is one of these; a Refused only where a Refused is named, since asking at once is no use."""
    if isinstance(error, Refused):
        return any(issubclass(one, Refused) and isinstance(error, one) for one in exceptions)
    return isinstance(error, exceptions)
