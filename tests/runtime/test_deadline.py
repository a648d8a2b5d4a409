import asyncio
import contextvars
import pickle
import threading
import time
from collections.abc import Iterator

import pytest

from mainstay_runtime import deadline, events
from mainstay_runtime.deadline import Exceeded


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told() -> Iterator[list[tuple[str, str]]]:
    heard: list[tuple[str, str]] = []
    end = events.listen(lambda event: heard.append((event.name, event.what)))
    yield heard
    end()


# --- what is left


def test_without_a_deadline_there_is_no_end() -> None:
    assert deadline.left() is None
    assert deadline.timeout(2.0) == 2.0
    assert deadline.header() == {}
    assert not deadline.passed()


def test_a_client_gets_the_less_of_its_own_time_and_what_is_left() -> None:
    clock = Clock()
    with deadline.within(3.0, clock=clock):
        assert deadline.timeout(2.0) == 2.0
        clock.now += 2.5
        assert deadline.timeout(2.0) == pytest.approx(0.5)
        assert deadline.left() == pytest.approx(0.5)
    assert deadline.left() is None


def test_when_nothing_is_left_no_call_is_made() -> None:
    clock = Clock()
    with deadline.within(3.0, name="charge", clock=clock):
        clock.now += 3.5
        assert deadline.left() == pytest.approx(-0.5)
        assert deadline.passed()
        with pytest.raises(Exceeded, match="charge: not done within 3 s") as exceeded:
            deadline.timeout(2.0)
        with pytest.raises(Exceeded):
            deadline.header()
        with pytest.raises(Exceeded), deadline.within(1.0):
            pass
    assert exceeded.value.name == "charge"
    assert isinstance(exceeded.value, TimeoutError)


def test_nested_ones_only_ever_shorten() -> None:
    clock = Clock()
    with deadline.within(3.0, clock=clock):
        with deadline.within(10.0, clock=clock):
            assert deadline.left() == pytest.approx(3.0)
        with deadline.within(1.0, clock=clock):
            assert deadline.left() == pytest.approx(1.0)
        assert deadline.left() == pytest.approx(3.0)


def test_what_outlives_the_request_can_be_started_without_it() -> None:
    with deadline.within(3.0):
        with deadline.without():
            assert deadline.left() is None
        assert deadline.left() is not None


def test_the_error_survives_pickling_as_results_of_workers_do() -> None:
    with pytest.raises(Exceeded) as exceeded, deadline.within(0.0, name="charge"):
        deadline.timeout(1.0)
    twin = pickle.loads(pickle.dumps(exceeded.value))
    assert (type(twin), twin.name, str(twin)) == (Exceeded, "charge", str(exceeded.value))


# --- async


def test_what_hangs_is_cancelled_when_the_time_is_up(told: list[tuple[str, str]]) -> None:
    ended: list[str] = []

    async def hang() -> None:
        async with deadline.within(0.05, name="charge"):
            try:
                await asyncio.sleep(30)
            finally:
                ended.append("cleaned up")

    started = time.monotonic()
    with pytest.raises(Exceeded, match="charge"):
        asyncio.run(hang())
    assert 0.04 < time.monotonic() - started < 3
    assert ended == ["cleaned up"]
    assert told == [("charge", "exceeded")]


def test_afterwards_the_task_goes_on_as_if_never_cancelled() -> None:
    async def hang() -> int:
        with pytest.raises(Exceeded):
            async with deadline.within(0.01):
                await asyncio.sleep(30)
        task = asyncio.current_task()
        assert task is not None
        assert deadline.left() is None
        await asyncio.sleep(0)
        return task.cancelling()

    assert asyncio.run(hang()) == 0


def test_a_cancellation_from_outside_stays_one() -> None:
    async def hang() -> None:
        async with deadline.within(30):
            await asyncio.sleep(30)

    async def cancelled() -> None:
        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def test_of_nested_ones_the_one_that_has_passed_raises() -> None:
    async def nested(outer: float, inner: float) -> str:
        try:
            async with deadline.within(outer, name="outer"):
                try:
                    async with deadline.within(inner, name="inner"):
                        await asyncio.sleep(30)
                except Exceeded as error:
                    return f"inside: {error.name}"
        except Exceeded as error:
            return f"outside: {error.name}"
        return "none"

    assert asyncio.run(nested(0.02, 30)) == "outside: outer"
    assert asyncio.run(nested(30, 0.02)) == "inside: inner"


def test_a_task_started_inside_inherits_the_deadline_and_arms_its_own() -> None:
    async def child() -> None:
        async with deadline.within(30, name="child"):
            assert (deadline.left() or 99) < 1
            await asyncio.sleep(30)

    async def parent() -> None:
        async with deadline.within(0.03, name="parent"):
            task = asyncio.create_task(child())
        with pytest.raises(Exceeded, match="child"):  # though its parent has left the block long since
            await task

    asyncio.run(parent())


def test_with_in_a_task_interrupts_nothing() -> None:
    async def work() -> str:
        with deadline.within(0.005):
            await asyncio.sleep(0.02)
            return "done"

    assert asyncio.run(work()) == "done"


def test_the_timer_of_a_block_that_is_done_never_fires() -> None:
    async def work() -> None:
        async with deadline.within(0.01):
            pass
        await asyncio.sleep(0.03)

    asyncio.run(work())


# --- threads


def test_a_thread_with_a_copy_of_the_context_sees_it() -> None:
    async def work() -> float | None:
        async with deadline.within(5):
            return await asyncio.to_thread(deadline.left)

    left = asyncio.run(work())
    assert left is not None
    assert 0 < left <= 5


def test_a_bare_thread_does_not_unless_it_is_given_the_context() -> None:
    seen: list[float | None] = []

    def look() -> None:
        seen.append(deadline.left())

    with deadline.within(5):
        context = contextvars.copy_context()
        for target in (look, lambda: context.run(look)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    bare, given = seen
    assert bare is None
    assert given is not None


def test_leaving_in_another_context_raises_nothing() -> None:
    block = deadline.within(5)
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert deadline.left() is None


# --- headers


def test_what_is_left_is_handed_on_in_whole_milliseconds() -> None:
    clock = Clock()
    with deadline.within(2.0, clock=clock):
        clock.now += 0.5004
        assert deadline.header() == {"X-Request-Timeout-Ms": "1499"}


def test_the_caller_may_shorten_and_never_lengthen() -> None:
    assert deadline.from_header("250", 2.0) == 0.25
    assert deadline.from_header(" 250 ", 2.0) == 0.25
    assert deadline.from_header("99000", 2.0) == 2.0
    assert deadline.from_header(None, 2.0) == 2.0


@pytest.mark.parametrize(
    "value", ["", "0", "-5", "soon", "1.5", "1e3", "٣٤", "²", "9" * 13, "9" * 5000, "12 34", "nan"]
)
def test_a_bad_value_is_ignored_and_told(value: str, told: list[tuple[str, str]]) -> None:
    assert deadline.from_header(value, 2.0) == 2.0
    assert told == [("X-Request-Timeout-Ms", "ignored")]


def test_the_header_of_envoy_is_understood_too() -> None:
    envoy = "X-Envoy-Expected-Rq-Timeout-Ms"
    assert deadline.from_headers({envoy: "300"}, 2.0) == 0.3
    assert deadline.from_headers({envoy.lower(): "300", "x-request-timeout-ms": "200"}, 2.0) == 0.2
    assert deadline.from_headers({}, 2.0) == 2.0
