import asyncio
import contextvars
from collections.abc import Iterator

import pytest
import stamina

from mainstay_runtime import deadline, events
from mainstay_runtime.budget import Budget
from mainstay_runtime.refused import Full, Refused


class Down(Exception):
    """The dependency."""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_retry_takes_a_token_until_there_is_none(clock: Clock) -> None:
    budget = Budget("processor", burst=3, floor=0, clock=clock)
    assert [budget.retry() for _ in range(5)] == [True, True, True, False, False]


def test_ten_first_attempts_pay_for_one_retry(clock: Clock) -> None:
    budget = Budget("processor", burst=1, floor=0, share=0.1, clock=clock)
    budget.retry()
    for _ in range(9):
        budget.first()
    assert not budget.retry()
    for _ in range(2):  # ten times 0.1 is a little less than 1
        budget.first()
    assert budget.retry()


def test_a_service_with_few_calls_has_a_floor(clock: Clock) -> None:
    budget = Budget("processor", burst=5, floor=2.0, clock=clock)
    for _ in range(5):
        budget.retry()
    assert not budget.retry()
    clock.now += 0.5
    assert budget.retry()
    assert not budget.retry()


def test_it_saves_no_more_than_its_burst(clock: Clock) -> None:
    budget = Budget("processor", burst=5, floor=1.0, clock=clock)
    clock.now += 3600
    for _ in range(1000):
        budget.first()
    assert budget.tokens == 5


def test_it_tells_what_it_refuses(clock: Clock) -> None:
    heard: list[tuple[str, str]] = []
    end = events.listen(lambda event: heard.append((event.kind, event.what)))
    budget = Budget("processor", burst=1, floor=0, clock=clock)
    budget.retry()
    budget.retry()
    end()
    assert heard == [("budget", "retried"), ("budget", "refused")]


# --- through stamina


def outage(budget: Budget, operations: int, *, paying: bool) -> float:
    """Calls per operation while every call fails."""
    calls = 0

    @stamina.retry(on=budget.hook(Down), attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
    def charge() -> None:
        nonlocal calls
        calls += 1
        raise Down

    guarded = budget.attempt()(charge) if paying else charge
    for _ in range(operations):
        with pytest.raises(Down):
            guarded()
    return calls / operations


@pytest.mark.parametrize("paying", [True, False])
def test_a_total_outage_with_three_attempts_is_at_most_a_fifth_more_calls(paying: bool) -> None:
    assert 1.0 < outage(Budget("processor"), 300, paying=paying) <= 1.2


def test_without_a_budget_it_would_be_three() -> None:
    assert outage(Budget("processor", burst=10_000), 100, paying=False) == 3.0


def test_a_single_failure_is_retried_and_forgotten() -> None:
    budget = Budget("processor")
    calls: list[str] = []

    @budget.attempt()
    @stamina.retry(on=budget.hook(Down), attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
    async def charge() -> str:
        calls.append("call")
        if len(calls) == 1:
            raise Down
        return "charged"

    assert asyncio.run(charge()) == "charged"
    assert len(calls) == 2


def test_the_hook_says_how_long_to_wait_where_the_answer_says_so(clock: Clock) -> None:
    def retry_after(error: BaseException) -> float | None:
        return error.args[0] if error.args else None

    hook = Budget("processor", clock=clock).hook(Down, delay=retry_after)
    assert hook(Down(2.5)) == 2.5
    assert hook(Down()) is True
    assert Budget("processor", clock=clock).hook(Down, delay=0.5)(Down()) == 0.5


def test_a_wait_of_nought_is_a_wait_and_no_refusal(clock: Clock) -> None:
    answer = Budget("processor", clock=clock).hook(Down, delay=0)(Down())
    assert answer == 0.0
    assert not isinstance(answer, bool)


def test_the_hook_retries_nothing_else_and_takes_no_token_for_it(clock: Clock) -> None:
    budget = Budget("processor", burst=1, floor=0, clock=clock)
    assert budget.hook(Down)(KeyError()) is False
    assert budget.tokens == 1
    with pytest.raises(ValueError):
        budget.hook()


def test_what_a_guard_refused_is_only_retried_where_it_is_named(clock: Clock) -> None:
    budget = Budget("processor", clock=clock)
    assert budget.hook(Exception)(Full("processor")) is False
    assert budget.hook(Exception, Full)(Full("processor")) is True
    assert budget.hook(Refused)(Full("processor")) is True


def test_the_hook_retries_nothing_that_the_deadline_leaves_no_time_for(clock: Clock) -> None:
    budget = Budget("processor", burst=1, floor=0, clock=clock)
    with deadline.within(1.0, clock=clock):
        assert budget.hook(Down, delay=2.0)(Down()) is False
        assert budget.tokens == 1
        assert budget.hook(Down, delay=0.5)(Down()) == 0.5


# --- a loop of one's own


def test_a_loop_of_ones_own(clock: Clock) -> None:
    budget = Budget("processor", burst=2, floor=0, share=0, clock=clock)
    calls = 0

    def charge() -> Iterator[None]:
        nonlocal calls
        with budget.attempt() as attempt:
            while True:
                calls += 1
                if not attempt.again():
                    raise Down
                yield

    with pytest.raises(Down):
        list(charge())
    assert calls == 3


def test_a_loop_stops_at_the_deadline(clock: Clock) -> None:
    budget = Budget("processor", burst=1, floor=0, clock=clock)
    with deadline.within(1.0, clock=clock), budget.attempt() as attempt:
        clock.now += 2.0
        assert not attempt.again()
    assert budget.tokens == 1


def test_attempts_leave_nothing_behind_in_the_context(clock: Clock) -> None:
    budget = Budget("processor", clock=clock)
    before = len(contextvars.copy_context())
    for _ in range(10):
        with budget.attempt():
            pass
    assert len(contextvars.copy_context()) == before


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError):
        Budget("processor", share=-0.1)
    with pytest.raises(ValueError):
        Budget("processor", burst=0)
