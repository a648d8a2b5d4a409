import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mainstay_runtime import deadline, events
from mainstay_runtime.breaker import Breaker, Open, State
from mainstay_runtime.refused import Refused


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Broken(Exception):
    """What the dependency answers."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> Iterator[list[str]]:
    heard: list[str] = []
    end = events.listen(lambda event: heard.append(event.what))
    yield heard
    end()


def make(clock: Callable[[], float], *, probes: int = 5, minimum: int = 20) -> Breaker:
    return Breaker("processor", clock=clock, probes=probes, minimum=minimum)


def call(breaker: Breaker, error: BaseException | None = None) -> None:
    try:
        with breaker:
            if error is not None:
                raise error
    except Refused:
        raise
    except BaseException as caught:
        if caught is not error:
            raise


def state(breaker: Breaker) -> State:
    return breaker.state  # asked anew each time: a type checker takes an attribute for unchanged


def slow_call(breaker: Breaker, clock: Clock, seconds: float) -> None:
    with breaker:
        clock.now += seconds


def opened(clock: Clock, *, probes: int = 5) -> Breaker:
    breaker = make(clock, probes=probes, minimum=4)
    for _ in range(4):
        call(breaker, Broken())
    assert state(breaker) is State.OPEN
    return breaker


# --- opening


def test_it_opens_when_every_second_call_fails(clock: Clock) -> None:
    breaker = make(clock)
    for number in range(20):
        assert state(breaker) is State.CLOSED
        call(breaker, Broken() if number % 2 else None)
    assert state(breaker) is State.OPEN


def test_below_the_rate_it_stays_closed(clock: Clock) -> None:
    breaker = make(clock)
    for number in range(300):
        call(breaker, Broken() if number % 10 >= 6 else None)
    assert state(breaker) is State.CLOSED


def test_it_opens_on_slow_successes(clock: Clock) -> None:
    breaker = Breaker("processor", slow=0.2, minimum=10, clock=clock)
    for _ in range(10):
        slow_call(breaker, clock, 0.25)
    assert state(breaker) is State.OPEN


def test_calls_just_below_slow_are_not(clock: Clock) -> None:
    breaker = Breaker("processor", slow=0.2, minimum=10, clock=clock)
    for _ in range(100):
        slow_call(breaker, clock, 0.19)
    assert state(breaker) is State.CLOSED


def test_too_few_calls_tell_nothing(clock: Clock) -> None:
    breaker = make(clock, minimum=20)
    for _ in range(19):
        call(breaker, Broken())
    assert state(breaker) is State.CLOSED


def test_what_is_older_than_the_window_is_forgotten(clock: Clock) -> None:
    breaker = make(clock, minimum=20)
    for _ in range(19):
        call(breaker, Broken())
    clock.now += 11.0
    call(breaker, Broken())
    assert state(breaker) is State.CLOSED


def test_the_window_slides_and_does_not_start_anew(clock: Clock) -> None:
    breaker = make(clock, minimum=20)
    for _ in range(10):
        call(breaker, Broken())
    clock.now += 6.0
    for _ in range(9):
        call(breaker, Broken())
    clock.now += 3.0
    call(breaker, Broken())
    assert state(breaker) is State.OPEN


def test_old_successes_do_not_hide_an_outage_for_longer_than_the_window(clock: Clock) -> None:
    breaker = make(clock)
    for _ in range(10_000):
        call(breaker)
    for _ in range(11):
        clock.now += 1.0
        for _ in range(2):
            if state(breaker) is State.CLOSED:
                call(breaker, Broken())
    assert state(breaker) is State.OPEN


# --- what counts


def test_an_answer_that_is_no_failure_counts_as_success(clock: Clock) -> None:
    breaker = Breaker("processor", minimum=4, counts=Broken, clock=clock)
    for _ in range(20):
        call(breaker, KeyError("no such charge"))
    assert state(breaker) is State.CLOSED
    for _ in range(20):
        if state(breaker) is State.CLOSED:
            call(breaker, Broken())
    assert state(breaker) is State.OPEN


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), Refused("inner")])
def test_cancellation_and_refusals_are_no_failure(clock: Clock, error: BaseException) -> None:
    breaker = make(clock, minimum=4)
    for _ in range(20):
        with pytest.raises(type(error)), breaker:
            raise error
    assert state(breaker) is State.CLOSED
    for _ in range(3):
        call(breaker, Broken())
    assert state(breaker) is State.CLOSED, (
        "they count as successes neither: three calls are below the minimum"
    )


def test_a_call_that_was_cancelled_when_it_was_slow_already_was_slow(clock: Clock) -> None:
    breaker = make(clock, minimum=4)
    for _ in range(4):
        breaker.settle(breaker.admit(), 2.0, asyncio.CancelledError())
    assert state(breaker) is State.OPEN


def test_a_call_that_the_deadline_cut_is_a_failure() -> None:
    breaker = Breaker("processor", slow=0.02, minimum=3)

    async def hang() -> None:
        async with deadline.within(0.02), breaker:
            await asyncio.sleep(10)

    async def all_hang() -> None:
        for _ in range(3):
            with pytest.raises(deadline.Exceeded):
                await hang()

    asyncio.run(all_hang())
    assert state(breaker) is State.OPEN


def test_a_caller_who_gives_no_time_cannot_open_it_for_all() -> None:
    breaker = Breaker("processor", slow=10.0, minimum=3)

    async def impatient() -> None:
        async with deadline.within(0.01), breaker:
            await asyncio.sleep(10)

    async def all_impatient() -> None:
        for _ in range(10):
            with pytest.raises(deadline.Exceeded):
                await impatient()

    asyncio.run(all_impatient())
    assert state(breaker) is State.CLOSED


def test_nor_can_one_whose_client_times_out_at_once(clock: Clock) -> None:
    breaker = make(clock, minimum=4)
    for _ in range(20):
        with deadline.within(0.0, clock=clock):
            with pytest.raises(TimeoutError), breaker:
                raise TimeoutError
            with pytest.raises(deadline.Exceeded), breaker:
                deadline.timeout(2.0)
    assert state(breaker) is State.CLOSED


def test_a_client_that_times_out_with_the_deadline_after_a_fair_time_failed(clock: Clock) -> None:
    breaker = make(clock, minimum=4)
    for _ in range(4):
        with deadline.within(0.6, clock=clock):
            period = breaker.admit()
            clock.now += 0.6
            breaker.settle(period, 0.6, TimeoutError())
    assert state(breaker) is State.OPEN


# --- open


def test_open_it_refuses_and_says_when_to_come_back(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 2.0
    with pytest.raises(Open) as refused:
        call(breaker)
    assert refused.value.name == "processor"
    assert refused.value.after == pytest.approx(3.0)


def test_a_call_that_began_before_it_opened_never_closes_it(clock: Clock) -> None:
    breaker = make(clock, probes=1, minimum=4)
    early = breaker.admit()
    for _ in range(4):
        call(breaker, Broken())
    clock.now += 5.0
    probe = breaker.admit()
    assert state(breaker) is State.HALF_OPEN
    breaker.settle(early, 0.1, None)
    assert state(breaker) is State.HALF_OPEN
    breaker.settle(probe, 0.1, None)
    assert state(breaker) is State.CLOSED


def test_a_late_failure_of_an_earlier_time_does_not_open_it_again(clock: Clock) -> None:
    breaker = make(clock, probes=1, minimum=1)
    early = breaker.admit()
    call(breaker, Broken())
    clock.now += 5.0
    call(breaker)
    breaker.settle(early, 0.1, Broken())
    assert state(breaker) is State.CLOSED


# --- half open


def test_of_fifty_callers_at_most_the_probes_get_through(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 5.0
    through = 0
    for _ in range(50):
        try:
            breaker.admit()
            through += 1
        except Open:
            pass
    assert through == 5


def test_good_probes_close_it(clock: Clock, told: list[str]) -> None:
    breaker = opened(clock)
    clock.now += 5.0
    for _ in range(5):
        assert state(breaker) is not State.CLOSED
        call(breaker)
    assert state(breaker) is State.CLOSED
    assert told == ["opened", "half-opened", "closed"]


def test_bad_probes_open_it_again_as_soon_as_that_is_certain(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 5.0
    for _ in range(3):
        call(breaker, Broken())
    assert state(breaker) is State.OPEN
    with pytest.raises(Open) as refused:
        call(breaker)
    assert refused.value.after == pytest.approx(5.0)


def test_slow_probes_open_it_again(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 5.0
    for _ in range(4):
        slow_call(breaker, clock, 1.5)
    assert state(breaker) is State.OPEN


def test_after_closing_the_past_is_forgotten(clock: Clock) -> None:
    breaker = opened(clock, probes=1)
    clock.now += 5.0
    call(breaker)
    for _ in range(3):
        call(breaker, Broken())
    assert state(breaker) is State.CLOSED


def test_a_probe_that_is_cancelled_gives_its_place_back(clock: Clock) -> None:
    breaker = opened(clock, probes=1)
    clock.now += 5.0
    for _ in range(3):
        call(breaker, asyncio.CancelledError())
        assert state(breaker) is State.HALF_OPEN
    call(breaker)
    assert state(breaker) is State.CLOSED


def test_probes_that_never_come_back_do_not_wedge_it(clock: Clock) -> None:
    breaker = opened(clock, probes=2)
    clock.now += 5.0
    lost = [breaker.admit(), breaker.admit()]
    with pytest.raises(Open):
        breaker.admit()
    clock.now += 11.0
    with pytest.raises(Open) as refused:
        breaker.admit()
    assert refused.value.after == pytest.approx(5.0)
    clock.now += 5.0
    call(breaker)
    for period in lost:
        breaker.settle(period, 20.0, None)
    assert state(breaker) is State.HALF_OPEN
    call(breaker)
    assert state(breaker) is State.CLOSED


# --- threads and tasks


def test_eight_threads_run_at_once() -> None:
    breaker = Breaker("processor")
    together = threading.Barrier(8, timeout=5)

    def work() -> None:
        with breaker:
            together.wait()  # breaks unless all eight are inside

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken


def test_threads_lose_no_result(clock: Clock) -> None:
    breaker = Breaker("processor", minimum=1600, failure_rate=1.0, clock=clock)

    def work() -> None:
        for _ in range(200):
            call(breaker, Broken())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state(breaker) is State.OPEN


def test_failures_of_an_async_def_are_counted_when_awaited(clock: Clock) -> None:
    breaker = make(clock, minimum=4)

    @breaker
    async def charge() -> None:
        await asyncio.sleep(0)
        raise Broken

    async def outage() -> None:
        for _ in range(4):
            with pytest.raises(Broken):
                await charge()
        with pytest.raises(Open):
            await charge()

    asyncio.run(outage())


def test_a_def_and_an_async_with_share_the_state(clock: Clock) -> None:
    breaker = make(clock, minimum=4)

    @breaker
    def charge(amount: int) -> int:
        if amount:
            raise Broken
        return amount

    async def twice() -> None:
        for _ in range(2):
            with pytest.raises(Broken):
                async with breaker:
                    raise Broken

    assert charge(0) == 0
    with pytest.raises(Broken):
        charge(1)
    asyncio.run(twice())
    assert state(breaker) is State.OPEN


def test_tasks_that_overlap_do_not_mix_up_their_times() -> None:
    breaker = Breaker("processor", slow=0.05, slow_rate=0.5, minimum=2)

    async def wait(seconds: float) -> None:
        async with breaker:
            await asyncio.sleep(seconds)

    async def overlap() -> None:
        await asyncio.gather(wait(0.08), wait(0.0), wait(0.0))

    asyncio.run(overlap())
    assert state(breaker) is State.CLOSED, "one of three was slow"


def test_leaving_in_another_context_than_it_was_entered_in_loses_nothing(clock: Clock) -> None:
    breaker = opened(clock, probes=1)
    clock.now += 5.0

    def enter() -> None:
        breaker.__enter__()

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    breaker.__exit__(None, None, None)
    assert state(breaker) is State.CLOSED


def test_a_generator_is_no_call() -> None:
    def pages() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        Breaker("processor")(pages)


def test_a_call_costs_the_same_however_many_there_were() -> None:
    def cost(breaker: Breaker, calls: int) -> float:
        started = time.process_time()
        for _ in range(calls):
            call(breaker)
        return time.process_time() - started

    breaker = Breaker("processor")
    first = min(cost(breaker, 500) for _ in range(5))
    cost(breaker, 50_000)
    assert min(cost(breaker, 500) for _ in range(5)) < 5 * first


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError):
        Breaker("processor", failure_rate=0.0)
    with pytest.raises(ValueError):
        Breaker("processor", slow_rate=1.5)
    with pytest.raises(ValueError):
        Breaker("processor", slow=0.0)
    with pytest.raises(ValueError):
        Breaker("processor", probes=0)
