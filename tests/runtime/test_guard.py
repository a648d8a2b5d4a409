import asyncio
import time
from collections.abc import Iterator

import pytest

from mainstay_runtime import deadline, events
from mainstay_runtime.breaker import Breaker, Open, State
from mainstay_runtime.budget import Budget
from mainstay_runtime.bulkhead import Bulkhead
from mainstay_runtime.guard import Guard
from mainstay_runtime.limiter import Limiter
from mainstay_runtime.refused import Full


class Down(Exception):
    """The dependency."""


class Dependency:
    """Fails the first `fails` times."""

    def __init__(self, fails: int) -> None:
        self.fails = fails
        self.calls = 0

    def call(self) -> str:
        self.calls += 1
        if self.calls <= self.fails:
            raise Down
        return "done"

    async def acall(self) -> str:
        await asyncio.sleep(0)
        return self.call()


async def hang() -> None:
    await asyncio.sleep(30)


# --- the deadline


def test_a_hung_attempt_ends_at_the_deadline() -> None:
    guard = Guard("processor", deadline=0.5, attempts=3, retry_on=Down)
    started = time.monotonic()
    with pytest.raises(deadline.Exceeded, match="processor"):
        asyncio.run(guard.acall(hang))
    assert 0.45 < time.monotonic() - started < 2.0


def test_the_wait_for_the_next_attempt_is_inside_the_deadline_too() -> None:
    guard = Guard("processor", deadline=0.1, attempts=3, retry_on=Down, wait=lambda attempt: 30.0)
    dependency = Dependency(fails=9)
    with pytest.raises(Down):  # there is no time for a second one: the first error is what happened
        asyncio.run(guard.acall(dependency.acall))
    with pytest.raises(Down):
        guard.call(dependency.call)
    assert dependency.calls == 2


def test_synchronous_code_sees_the_deadline() -> None:
    guard = Guard("processor", deadline=0.5)
    assert 0 < guard.call(deadline.timeout, 2.0) <= 0.5
    assert deadline.left() is None


def test_with_nothing_left_of_the_request_nothing_is_called() -> None:
    dependency = Dependency(fails=0)
    guard = Guard("processor", deadline=5.0)

    async def late() -> None:
        with deadline.within(0.0):
            with pytest.raises(deadline.Exceeded):
                guard.call(dependency.call)
            with pytest.raises(deadline.Exceeded):
                await guard.acall(dependency.acall)

    asyncio.run(late())
    assert dependency.calls == 0


def test_a_cancellation_from_outside_stays_one_and_gives_everything_back() -> None:
    bulkhead, limiter, breaker = Bulkhead("processor", 1), Limiter("processor"), Breaker("processor")
    guard = Guard("processor", deadline=30, bulkhead=bulkhead, limiter=limiter, breaker=breaker)

    async def cancelled() -> None:
        task = asyncio.create_task(guard.acall(hang))
        await asyncio.sleep(0)
        assert (bulkhead.used, limiter.used) == (1, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert (bulkhead.used, limiter.used) == (0, 0)


# --- attempts


def test_it_tries_again_what_may_be_repeated() -> None:
    guard = Guard("processor", deadline=5, attempts=3, retry_on=Down, wait=0.0)
    for_threads, for_tasks = Dependency(fails=2), Dependency(fails=2)
    assert guard.call(for_threads.call) == "done"
    assert asyncio.run(guard.acall(for_tasks.acall)) == "done"
    assert (for_threads.calls, for_tasks.calls) == (3, 3)


def test_the_last_error_comes_out() -> None:
    guard = Guard("processor", deadline=5, attempts=3, retry_on=Down, wait=0.0)
    dependency = Dependency(fails=9)
    with pytest.raises(Down):
        guard.call(dependency.call)
    assert dependency.calls == 3


def test_nothing_is_repeated_unless_it_is_named() -> None:
    dependency = Dependency(fails=9)
    guard = Guard("processor", deadline=5, attempts=3, retry_on=KeyError)
    with pytest.raises(Down):
        guard.call(dependency.call)
    assert dependency.calls == 1
    with pytest.raises(ValueError, match="retry_on"):
        Guard("processor", deadline=5, attempts=3)


def test_in_a_total_outage_the_budget_holds_and_is_paid_in() -> None:
    def guarded() -> Guard:
        budget = Budget("processor", burst=1, floor=0)
        return Guard("processor", deadline=5, attempts=3, retry_on=Down, wait=0.0, budget=budget)

    for_threads, for_tasks = Dependency(fails=10_000), Dependency(fails=10_000)
    guard, twin = guarded(), guarded()

    async def outage() -> None:
        for _ in range(150):
            with pytest.raises(Down):
                await twin.acall(for_tasks.acall)

    for _ in range(150):
        with pytest.raises(Down):
            guard.call(for_threads.call)
    asyncio.run(outage())
    assert 160 < for_threads.calls <= 1.2 * 150
    assert 160 < for_tasks.calls <= 1.2 * 150


def test_what_a_guard_refused_is_not_asked_again_unless_that_is_named() -> None:
    bulkhead = Bulkhead("processor", 1)
    refusals: list[str] = []
    end = events.listen(lambda event: refusals.append(event.what))
    dependency = Dependency(fails=0)
    with bulkhead:
        for retry_on in (Exception, Full):
            guard = Guard("processor", deadline=5, attempts=3, retry_on=retry_on, wait=0.0, bulkhead=bulkhead)
            with pytest.raises(Full):
                guard.call(dependency.call)
    end()
    assert refusals.count("refused") == 1 + 3
    assert dependency.calls == 0


def test_waits_grow_and_are_random_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    guard = Guard("processor", deadline=60, attempts=8, retry_on=Down, wait=0.1)
    for _ in range(20):
        with pytest.raises(Down):
            guard.call(Dependency(fails=9).call)
    bounds = [min(5.0, 0.1 * 2**number) for number in range(7)]
    for number, bound in enumerate(bounds):
        waits = slept[number::7]
        assert len(waits) == 20
        assert max(waits) <= bound
        assert max(waits) - min(waits) > bound / 4


# --- the order


def test_each_attempt_counts_for_the_breaker_and_an_open_one_ends_the_attempts() -> None:
    breaker = Breaker("processor", minimum=4)
    guard = Guard("processor", deadline=5, attempts=3, retry_on=Exception, wait=0.0, breaker=breaker)
    dependency = Dependency(fails=99)
    with pytest.raises(Down):
        guard.call(dependency.call)
    with pytest.raises(Open):
        guard.call(dependency.call)
    assert dependency.calls == 4, "the fourth opened it, and no fifth was made"


def test_an_attempt_that_the_deadline_cut_opens_the_breaker_though_it_is_shorter_than_slow() -> None:
    breaker = Breaker("processor", minimum=3, slow=60.0)
    guard = Guard("processor", deadline=0.02, breaker=breaker)

    async def all_hang() -> None:
        for _ in range(3):
            with pytest.raises(deadline.Exceeded):
                await guard.acall(hang)

    asyncio.run(all_hang())
    assert breaker.state is State.OPEN


def test_an_open_breaker_refuses_before_anybody_queues() -> None:
    breaker, bulkhead = Breaker("processor", minimum=1), Bulkhead("processor", 1, wait=30)
    guard = Guard("processor", deadline=60, breaker=breaker, bulkhead=bulkhead)
    with pytest.raises(Down):
        guard.call(Dependency(fails=1).call)
    started = time.monotonic()
    with bulkhead, pytest.raises(Open):
        guard.call(Dependency(fails=0).call)
    assert time.monotonic() - started < 5


def test_who_waited_while_it_opened_is_refused_then() -> None:
    breaker, bulkhead = Breaker("processor", minimum=1), Bulkhead("processor", 1, wait=5)
    guard = Guard("processor", deadline=60, breaker=breaker, bulkhead=bulkhead)
    waited = Dependency(fails=0)

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise Down

    async def both() -> tuple[object, object]:
        return await asyncio.gather(guard.acall(fail), guard.acall(waited.acall), return_exceptions=True)

    first, second = asyncio.run(both())
    assert isinstance(first, Down)
    assert isinstance(second, Open)
    assert (waited.calls, bulkhead.used) == (0, 0)


def test_waiting_for_a_place_is_not_the_dependencys_slowness() -> None:
    breaker = Breaker("processor", minimum=2, slow=0.05, slow_rate=0.5)
    guard = Guard("processor", deadline=60, breaker=breaker, bulkhead=Bulkhead("processor", 1, wait=5))

    async def work() -> None:
        await asyncio.sleep(0.01)

    async def many() -> None:
        await asyncio.gather(*(guard.acall(work) for _ in range(10)))

    asyncio.run(many())
    assert breaker.state is State.CLOSED


def test_a_full_bulkhead_counts_for_nothing() -> None:
    breaker, bulkhead, limiter = Breaker("a", minimum=1), Bulkhead("a", 1), Limiter("a")
    guard = Guard("a", deadline=5, breaker=breaker, bulkhead=bulkhead, limiter=limiter)
    with bulkhead, pytest.raises(Full):
        guard.call(Dependency(fails=0).call)
    assert breaker.state is State.CLOSED
    assert (bulkhead.used, limiter.used) == (0, 0)


def test_a_probe_is_not_lost_to_a_full_bulkhead() -> None:
    breaker = Breaker("a", minimum=1, probes=1, open_for=0.01)
    bulkhead = Bulkhead("a", 1)
    guard = Guard("a", deadline=5, breaker=breaker, bulkhead=bulkhead)
    with pytest.raises(Down):
        guard.call(Dependency(fails=1).call)
    time.sleep(0.02)
    with bulkhead, pytest.raises(Full):
        guard.call(Dependency(fails=0).call)
    assert guard.call(Dependency(fails=0).call) == "done"
    assert breaker.state is State.CLOSED


# --- as a decorator, and what it tells


def test_as_a_decorator_of_both_kinds() -> None:
    guard = Guard("processor", deadline=5)

    @guard
    async def charge(amount: int, *, currency: str) -> str:
        assert deadline.left() is not None
        return f"{amount} {currency}"

    @guard
    def refund(amount: int) -> int:
        assert deadline.left() is not None
        return -amount

    assert asyncio.run(charge(5, currency="EUR")) == "5 EUR"
    assert refund(5) == -5
    assert charge.__name__ == "charge"

    def pages() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError):
        guard(pages)


def test_without_a_budget_it_tells_its_retries_itself() -> None:
    heard: list[tuple[str, str]] = []
    end = events.listen(lambda event: heard.append((event.kind, event.what)))
    guard = Guard("processor", deadline=5, attempts=2, retry_on=Down, wait=0.0)
    guard.call(Dependency(fails=1).call)
    end()
    assert heard == [("retry", "retried")]
