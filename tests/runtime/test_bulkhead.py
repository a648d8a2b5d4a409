import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from mainstay_runtime import deadline
from mainstay_runtime.bulkhead import Bulkhead, Full


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_one_more_than_its_number_is_refused_at_once() -> None:
    bulkhead = Bulkhead("processor", 2)
    with bulkhead, bulkhead:
        with pytest.raises(Full) as refused, bulkhead:
            pass
        assert refused.value.name == "processor"
    with bulkhead:
        assert bulkhead.used == 1
    assert bulkhead.used == 0


def test_an_error_gives_the_place_back() -> None:
    bulkhead = Bulkhead("processor", 1)
    for _ in range(3):
        with pytest.raises(KeyError), bulkhead:
            raise KeyError
    assert bulkhead.used == 0


def test_threads_and_tasks_share_the_number() -> None:
    bulkhead = Bulkhead("processor", 1)

    async def refused() -> None:
        with pytest.raises(Full):
            async with bulkhead:
                pass

    with bulkhead:
        asyncio.run(refused())


def test_a_thread_waits_for_a_place_that_a_task_gives_back() -> None:
    bulkhead = Bulkhead("processor", 1, wait=5)
    done: list[str] = []

    def work() -> None:
        with bulkhead:
            done.append("thread")

    async def hold() -> None:
        async with bulkhead:
            thread.start()
            until(lambda: bulkhead.waiting == 1)
            done.append("task")

    thread = threading.Thread(target=work)
    asyncio.run(hold())
    thread.join()
    assert done == ["task", "thread"]


def test_a_task_waits_for_a_place_that_a_thread_gives_back() -> None:
    bulkhead = Bulkhead("processor", 1, wait=5)
    entered = threading.Event()

    def hold() -> None:
        with bulkhead:
            entered.set()
            until(lambda: bulkhead.waiting == 1)

    async def work() -> None:
        async with bulkhead:
            assert bulkhead.used == 1

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(5)
    asyncio.run(work())
    thread.join()
    assert (bulkhead.used, bulkhead.waiting) == (0, 0)


def test_it_waits_no_longer_than_it_says() -> None:
    bulkhead = Bulkhead("processor", 1, wait=0.05)

    async def refused() -> None:
        with pytest.raises(Full):
            async with bulkhead:
                pass

    with bulkhead:
        started = time.monotonic()
        with pytest.raises(Full), bulkhead:
            pass
        asyncio.run(refused())
        assert 0.09 < time.monotonic() - started < 3
    assert (bulkhead.used, bulkhead.waiting) == (0, 0)


def test_it_never_waits_beyond_the_deadline() -> None:
    bulkhead = Bulkhead("processor", 1, wait=60)
    with bulkhead:
        started = time.monotonic()
        with deadline.within(0.03), pytest.raises(Full), bulkhead:
            pass
        assert time.monotonic() - started < 5


def test_who_comes_first_is_served_first_and_nobody_overtakes() -> None:
    bulkhead = Bulkhead("processor", 1, wait=5)
    served: list[int] = []

    async def work(number: int) -> None:
        async with bulkhead:
            served.append(number)
            await asyncio.sleep(0)

    async def all_come() -> None:
        tasks = []
        async with bulkhead:
            for number in range(10):
                tasks.append(asyncio.create_task(work(number)))
                await asyncio.sleep(0)
        await asyncio.gather(work(10), *tasks)  # it asks while the place is free for the first in the queue

    asyncio.run(all_come())
    assert served == list(range(11))


def test_a_waiter_that_is_cancelled_just_when_it_gets_the_place_passes_it_on() -> None:
    bulkhead = Bulkhead("processor", 1, wait=5)
    served: list[str] = []

    async def work(name: str) -> None:
        async with bulkhead:
            served.append(name)

    async def cancel_at_the_worst_moment() -> None:
        await bulkhead.acquire_async()
        first = asyncio.create_task(work("first"))
        second = asyncio.create_task(work("second"))
        await asyncio.sleep(0)
        bulkhead.release()  # hands over to the first, which has not run yet
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 2)

    asyncio.run(cancel_at_the_worst_moment())
    assert served == ["second"]
    assert (bulkhead.used, bulkhead.waiting) == (0, 0)


def test_random_cancellations_lose_no_place() -> None:
    bulkhead = Bulkhead("processor", 3, wait=0.01)
    most = 0

    async def work(number: int) -> None:
        nonlocal most
        async with bulkhead:
            most = max(most, bulkhead.used)
            await asyncio.sleep(0.0005 * (number % 5))

    async def storm() -> None:
        tasks = [asyncio.create_task(work(number)) for number in range(300)]
        for number, task in enumerate(tasks):
            if number % 3 == 0:
                task.cancel()
            if number % 20 == 0:
                await asyncio.sleep(0.001)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(storm())
    assert most == 3
    assert (bulkhead.used, bulkhead.waiting) == (0, 0)


def test_threads_lose_no_place() -> None:
    bulkhead = Bulkhead("processor", 2, wait=0.002)
    inside = 0
    most = 0
    counting = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(40):
            try:
                with bulkhead:
                    with counting:
                        inside += 1
                        most = max(most, inside)
                    time.sleep(0.0005)
                    with counting:
                        inside -= 1
            except Full:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    assert (bulkhead.used, bulkhead.waiting) == (0, 0)


def test_a_waiter_of_a_loop_that_is_gone_does_not_swallow_the_place() -> None:
    bulkhead = Bulkhead("processor", 1, wait=5)
    bulkhead.acquire()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(bulkhead.acquire_async())
    loop.run_until_complete(asyncio.sleep(0))
    assert bulkhead.waiting == 1
    loop.close()
    bulkhead.release()
    assert bulkhead.used == 0
    waiting.get_coro().close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined] # a loop closed under its tasks is the point


def test_as_a_decorator_it_holds_a_place_for_each_call() -> None:
    bulkhead = Bulkhead("processor", 1)

    @bulkhead
    async def used() -> int:
        await asyncio.sleep(0)
        return bulkhead.used

    @bulkhead
    def used_too() -> int:
        return bulkhead.used

    assert asyncio.run(used()) == 1
    assert used_too() == 1


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError):
        Bulkhead("processor", 0)
    with pytest.raises(ValueError):
        Bulkhead("processor", 1, wait=-1)
