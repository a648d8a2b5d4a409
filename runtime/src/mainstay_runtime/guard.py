"""All guards around one call, in the order in which they do not spoil each other.

    deadline > first attempt pays in > retry > is the breaker open? > limiter > bulkhead > breaker > call

docs/runtime/guard.md says why.
"""

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from mainstay_runtime import deadline as deadlines
from mainstay_runtime import events
from mainstay_runtime.around import is_async
from mainstay_runtime.breaker import Breaker
from mainstay_runtime.budget import Budget, retried
from mainstay_runtime.bulkhead import Bulkhead
from mainstay_runtime.limiter import Limiter

P = ParamSpec("P")
T = TypeVar("T")
_LONGEST = 5.0  # seconds between two attempts


class Guard:
    """One dependency: a deadline of so many seconds for everything, and the guards that it is given.

    Up to `attempts` are made while `retry_on` is raised and the budget allows; only name what may be
    repeated. With `wait` in seconds the n-th wait is a random time up to wait x 2^(n-1), at most 5 s, which
    is the "full jitter" of M. Brooker, "Exponential Backoff And Jitter" (2015); a function of n gives it
    itself.  No attempt follows for which the deadline leaves no time, and none after a `Refused`, unless
    `retry_on` names one.

    `acall` cancels what hangs and raises `deadline.Exceeded` when the time is up, also during a wait.  `call`
    cannot interrupt: the function passes `deadline.timeout(most)` to its client.  Besides these and what the
    function raises, `breaker.Open` and `refused.Full` come out.
    """

    __slots__ = (
        "_attempts",
        "_bare",
        "_breaker",
        "_budget",
        "_bulkhead",
        "_clock",
        "_deadline",
        "_fair",
        "_limiter",
        "_pays",
        "_retry_on",
        "_wait",
        "name",
    )

    def __init__(
        self,
        name: str,
        *,
        deadline: float,
        breaker: Breaker | None = None,
        bulkhead: Bulkhead | None = None,
        limiter: Limiter | None = None,
        budget: Budget | None = None,
        attempts: int = 1,
        wait: float | Callable[[int], float] = 0.1,
        retry_on: type[Exception] | tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if deadline <= 0 or attempts < 1:
            raise ValueError("deadline is above 0 seconds and attempts at least 1")
        self._retry_on = retry_on if isinstance(retry_on, tuple) else (retry_on,)
        if attempts > 1 and not self._retry_on:
            raise ValueError("name in retry_on what may be repeated")
        self.name = name
        self._deadline = deadline
        self._breaker = breaker
        self._bulkhead = bulkhead
        self._limiter = limiter
        self._budget = budget
        self._attempts = attempts
        self._pays = budget if attempts > 1 else None
        self._bare = breaker is None and bulkhead is None and limiter is None
        self._wait = wait
        self._clock = clock
        self._fair = min(deadline, breaker.slow) / 2 if breaker is not None else 0.0

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a synchronous function.  Between attempts this thread sleeps."""
        with deadlines.Within(self._deadline, self.name, self._clock):
            if self._pays is not None:
                self._pays.first()
            attempt = 1
            while True:
                try:
                    return self._once(function, args, kwargs)
                except self._retry_on as error:
                    wait = self._again(attempt, error)
                    if wait is None:
                        raise
                time.sleep(wait)
                attempt += 1

    async def acall(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function and await what it returns."""
        within = deadlines.Within(self._deadline, self.name, self._clock)
        within.arm()  # not `async with`, which costs two coroutines more
        try:
            if self._pays is not None:
                self._pays.first()
            attempt = 1
            while True:
                try:
                    result = await self._once_async(function, args, kwargs)
                    break
                except self._retry_on as error:
                    wait = self._again(attempt, error)
                    if wait is None:
                        raise
                await asyncio.sleep(wait)
                attempt += 1
        except BaseException as error:
            within.disarm(error)
            raise
        within.disarm(None)
        return result

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Guard each call of a `def` or an `async def`.  Raises TypeError for generators."""
        if is_async(function):
            asynchronous = cast(Callable[P, Awaitable[Any]], function)

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self.acall(asynchronous, *args, **kwargs)

            return cast(Callable[P, T], awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.call(function, *args, **kwargs)

        return called

    def _once(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        if self._bare:
            return function(*args, **kwargs)
        began_in = self._enter()
        held, period, started = False, -1, -1.0
        try:
            if self._bulkhead is not None:
                self._bulkhead.acquire()
                held = True
            if self._breaker is not None:
                period = self._breaker.admit()
            started = self._clock()
            result = function(*args, **kwargs)
        except BaseException as error:
            self._leave(began_in, held, period, started, error)
            raise
        self._leave(began_in, held, period, started, None)
        return result

    async def _once_async(
        self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        if self._bare:
            return await function(*args, **kwargs)
        began_in = self._enter()
        held, period, started = False, -1, -1.0
        try:
            if self._bulkhead is not None:
                if not self._bulkhead.take():
                    await self._bulkhead.acquire_async()
                held = True
            if self._breaker is not None:
                period = self._breaker.admit()
            started = self._clock()
            result = await function(*args, **kwargs)
        except BaseException as error:
            self._leave(began_in, held, period, started, error)
            raise
        self._leave(began_in, held, period, started, None)
        return result

    def _enter(self) -> int:
        """What needs no wait: the open breaker refuses at once, and the limiter gives its place."""
        if self._breaker is not None:
            self._breaker.check()
        return -1 if self._limiter is None else self._limiter.admit()

    def _leave(
        self, began_in: int, held: bool, period: int, started: float, error: BaseException | None
    ) -> None:
        """Give back what was taken; the time told is that of the call alone, without its waits.

        `started` is below 0 where the call was not made.
        """
        lasted = 0.0 if started < 0 else self._clock() - started
        if self._breaker is not None:  # it knows no period -1
            self._breaker.settle(period, lasted, error, self._fair)
        if held and self._bulkhead is not None:
            self._bulkhead.release()
        if self._limiter is not None:
            self._limiter.settle(began_in, lasted, error)

    def _again(self, attempt: int, error: Exception) -> float | None:
        """Seconds until the next attempt; None where there is none."""
        if attempt >= self._attempts or not retried(error, self._retry_on):
            return None
        if callable(self._wait):
            wait = self._wait(attempt)
        else:
            wait = random.uniform(0, min(_LONGEST, self._wait * 2 ** (attempt - 1)))  # noqa: S311 - jitter
        rest = deadlines.left()
        if rest is not None and rest <= wait:
            return None
        if self._budget is None:
            events.tell("retry", self.name, "retried")
        elif not self._budget.retry():  # tells by itself
            return None
        return wait
