import asyncio
import random
import threading
from collections.abc import Callable

import pytest

from mainstay_runtime import deadline, events
from mainstay_runtime.limiter import Full, Limiter
from tests.runtime.simulated_server import Clock, Server

RATE = 1 / 0.05  # calls a second that one worker of the server gets done


def served(workers: int, **latency: Callable[[random.Random], float]) -> Server:
    clock = Clock()
    return Server(Limiter("processor", clock=clock), clock, workers=workers, **latency)


# --- finding the capacity, in simulated time


@pytest.mark.parametrize("workers", [20, 50])
def test_under_twice_the_load_it_finds_what_the_server_can_take(workers: int) -> None:
    server = served(workers)
    server.run(60, rate=2 * workers * RATE)
    server.run(20, rate=2 * workers * RATE)
    assert workers * 0.7 < server.limiter.limit < workers * 2
    assert len(server.times) > 0.9 * 20 * workers * RATE, "the server is kept busy"
    assert server.median < 2 * 0.05, "without a queue worth the name"


def test_from_a_start_far_too_high_it_comes_down_step_by_step() -> None:
    server = served(4)
    server.run(240, rate=2 * 4 * RATE)
    server.run(30, rate=2 * 4 * RATE)
    assert server.limiter.limit <= 10
    assert len(server.times) > 0.85 * 30 * 4 * RATE


def test_when_the_capacity_falls_it_shrinks_within_seconds() -> None:
    server = served(40)
    server.run(60, rate=60 * RATE)
    before = server.limiter.limit
    server.workers = 10
    server.run(20, rate=60 * RATE)
    server.run(20, rate=60 * RATE)
    assert server.limiter.limit < before / 2
    assert server.median < 4 * 0.05


def test_when_the_capacity_comes_back_it_grows_again() -> None:
    server = served(10)
    server.run(60, rate=60 * RATE)
    server.workers = 40
    server.run(60, rate=60 * RATE)
    server.run(20, rate=60 * RATE)
    assert len(server.times) > 0.85 * 20 * 40 * RATE


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_latencies_that_differ_a_hundredfold_do_not_strangle_a_healthy_service(sigma: float) -> None:
    server = served(40, latency=lambda draw: min(2.0, 0.03 * draw.lognormvariate(0, sigma)))
    server.run(60, rate=100)
    server.run(120, rate=100)
    assert server.refused <= 0.01 * len(server.times)


def test_a_dependency_that_becomes_slow_by_itself_is_not_strangled() -> None:
    server = served(1000)
    server.run(30, rate=300)
    server.latency = lambda draw: draw.expovariate(1 / 0.2)
    server.run(90, rate=300)
    server.run(30, rate=300)
    assert server.limiter.limit >= 40
    assert len(server.times) > 0.85 * 30 * 300


def test_without_load_the_limit_does_not_wander_off() -> None:
    server = served(20)
    server.run(300, rate=20)
    assert 10 <= server.limiter.limit <= 30


def test_it_stays_between_its_bounds() -> None:
    clock = Clock()
    limiter = Limiter("processor", start=4, least=3, most=6, clock=clock)
    server = Server(limiter, clock, workers=1000)
    server.run(20, rate=2000)
    assert limiter.limit <= 6
    server.workers = 1
    server.run(20, rate=2000)
    assert limiter.limit >= 3


# --- one call


def test_beyond_the_limit_it_refuses_and_holds_no_place() -> None:
    limiter = Limiter("processor", start=4)
    taken = [limiter.admit() for _ in range(limiter.limit)]
    with pytest.raises(Full), limiter:
        pass
    assert limiter.used == len(taken)
    for began_in in taken:
        limiter.settle(began_in, 0.01, None)
    assert limiter.used == 0


def test_the_first_round_runs_at_half_of_the_start() -> None:
    assert Limiter("processor", start=20).limit == 10


def test_a_timeout_takes_a_tenth_off_the_limit_once_a_round() -> None:
    limiter = Limiter("processor", start=100)
    before = limiter.limit
    calls = [limiter.admit() for _ in range(5)]
    for began_in in calls:
        limiter.settle(began_in, 1.0, TimeoutError())
    assert before == 50
    assert limiter.limit == 90


def test_other_errors_say_nothing_of_how_fast_it_is() -> None:
    limiter = Limiter("processor", start=100)
    for _ in range(1000):
        limiter.settle(limiter.admit(), 0.0, ConnectionRefusedError())
    assert limiter.limit == 50


def test_a_call_that_the_deadline_cut_is_a_timeout() -> None:
    limiter = Limiter("processor", start=100, most=100)
    for _ in range(100):
        limiter.settle(limiter.admit(), 0.001, None)
    before = limiter.limit

    async def hang() -> None:
        async with deadline.within(0.02), limiter:
            await asyncio.sleep(30)

    with pytest.raises(deadline.Exceeded):
        asyncio.run(hang())
    assert limiter.limit < before
    assert limiter.used == 0


def test_a_caller_who_gives_no_time_does_not_shrink_it_for_all() -> None:
    limiter = Limiter("processor", start=100, most=100)
    for _ in range(100):
        limiter.settle(limiter.admit(), 0.01, None)
    before = limiter.limit
    with deadline.within(0.0):
        for _ in range(100):
            limiter.settle(limiter.admit(), 0.001, TimeoutError())
    assert limiter.limit == before


def test_it_tells_each_change() -> None:
    heard: list[events.Event] = []
    end = events.listen(heard.append)
    limiter = Limiter("processor", start=100)
    limiter.settle(limiter.admit(), 1.0, TimeoutError())
    end()
    assert heard == [events.Event("limiter", "processor", "limit", 90)]


def test_threads_and_tasks_share_the_places() -> None:
    limiter = Limiter("processor", start=16)

    @limiter
    def work() -> int:
        return limiter.used

    async def inside() -> int:
        async with limiter:
            return await asyncio.to_thread(work)

    assert asyncio.run(inside()) == 2
    assert limiter.used == 0


def test_threads_lose_no_place() -> None:
    limiter = Limiter("processor", start=8)

    def work() -> None:
        for _ in range(500):
            try:
                with limiter:
                    pass
            except Full:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limiter.used == 0


def test_leaving_in_another_context_gives_the_place_back() -> None:
    limiter = Limiter("processor", start=8)
    thread = threading.Thread(target=limiter.__enter__)
    thread.start()
    thread.join()
    assert limiter.used == 1
    limiter.__exit__(None, None, None)
    assert limiter.used == 0


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError):
        Limiter("processor", start=5, most=4)
    with pytest.raises(ValueError):
        Limiter("processor", tolerance=1.0)
