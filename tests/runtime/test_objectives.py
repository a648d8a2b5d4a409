"""Metrics that can tell whether the service keeps what it promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from mainstay_runtime import events, middleware, problem
from mainstay_runtime.objectives import Measuring, Objectives, buckets


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Measured:
    """A service, its metrics, and a clock that its routes move."""

    def __init__(self, **more: Any) -> None:
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.objectives = Objectives(p95=0.25, errors=0.001, registry=self.registry, clock=self.clock, **more)
        self.app = FastAPI()
        problem.install(self.app)
        router = APIRouter(prefix="/v1")
        router.add_api_route("/charges/{id}", self.charge)
        router.add_api_route("/bug", self.bug)
        router.add_api_route("/stream", self.stream)
        router.add_api_route("/background", self.background)
        router.add_api_route("/livez", self.charge)
        self.app.include_router(router)
        self.objectives.install(self.app)
        self.client = TestClient(self.app)

    def charge(self, id: str = "", takes: float = 0.0) -> None:  # noqa: A002
        assert self.value("http_requests_in_flight") == 1
        self.clock.now += takes

    def bug(self) -> None:
        raise RuntimeError("bug")

    async def stream(self) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            self.clock.now += 3
            yield b"two"

        return StreamingResponse(parts())

    async def background(self, tasks: BackgroundTasks) -> None:
        def later() -> None:
            self.clock.now += 60

        tasks.add_task(later)

    def value(self, series: str, /, **labels: str) -> float | None:
        return self.registry.get_sample_value(series, labels)

    def series(self, name: str) -> list[dict[str, str]]:
        return [
            one.labels for family in self.registry.collect() for one in family.samples if one.name == name
        ]


@pytest.fixture
def measured() -> Iterator[Measured]:
    measured = Measured()
    yield measured
    measured.objectives.close()


@pytest.mark.parametrize("p95", [0.003, 0.1, 0.2, 0.25, 1.0, 7.3])
def test_objectives_are_buckets_exactly(p95: float) -> None:
    bounds = buckets(p95, also=(1.234, 30.0))
    assert {p95, 1.234, 30.0} <= set(bounds)
    assert list(bounds) == sorted(set(bounds))
    assert len(bounds) <= 14


def test_the_share_within_the_objective_can_be_read_exactly(measured: Measured) -> None:
    for takes in (0.125, 0.25, 0.28125, 0.5):
        measured.client.get("/v1/charges/7", params={"takes": takes})
    labels = {"method": "GET", "route": "/v1/charges/{id}", "status": "2xx"}
    assert measured.value("http_request_seconds_bucket", le="0.25", **labels) == 2
    assert measured.value("http_request_seconds_count", **labels) == 4
    assert measured.value("http_requests_total", **labels) == 4


def test_objectives_are_metrics_themselves(measured: Measured) -> None:
    assert measured.value("http_objective_p95_seconds") == 0.25
    assert measured.value("http_objective_error_ratio") == 0.001


def test_failures_are_there_before_the_first(measured: Measured) -> None:
    assert measured.value("http_requests_failed_total") == 0
    measured.client.get("/v1/bug")
    measured.client.get("/nowhere")
    assert measured.value("http_requests_failed_total") == 1
    assert measured.value("http_requests_in_flight") == 0


def test_callers_cannot_make_series(measured: Measured) -> None:
    for number in range(50):
        measured.client.get(f"/v1/charges/{number}")
        measured.client.get(f"/nowhere/{number}")
        measured.client.request(f"X{number}", "/v1/charges/1")
    routes = {one["route"] for one in measured.series("http_requests_total")}
    assert routes == {"/v1/charges/{id}", "unmatched"}
    assert {one["method"] for one in measured.series("http_requests_total")} == {"GET", "other"}


def test_routes_and_events_beyond_the_bound_are_counted_as_other() -> None:
    measured = Measured(most=2)
    for number in range(5):
        events.tell("breaker", f"b{number}", "refused")
        measured.app.add_api_route(f"/more/{number}", measured.bug)
        measured.client.get(f"/more/{number}")
    measured.objectives.close()
    assert len({one["name"] for one in measured.series("guard_events_total")}) == 3
    assert len({one["route"] for one in measured.series("http_requests_total")}) == 3
    assert measured.value("guard_events_total", kind="breaker", name="other", what="refused") == 3


def test_probes_are_not_measured() -> None:
    measured = Measured(unmeasured=["/v1/livez", "/metrics"])
    measured.client.get("/metrics")
    with pytest.raises(AssertionError):  # the route itself finds that it is not counted as under way
        measured.charge()
    measured.objectives.close()
    assert measured.series("http_requests_total") == []


def test_a_stream_is_measured_to_its_end_and_background_work_is_not(measured: Measured) -> None:
    measured.client.get("/v1/stream")
    measured.client.get("/v1/background")
    labels = {"method": "GET", "status": "2xx"}
    assert measured.value("http_request_seconds_sum", route="/v1/stream", **labels) == 3
    assert measured.value("http_request_seconds_sum", route="/v1/background", **labels) == 0


def test_refusals_and_bad_requests_are_measured_by_class() -> None:
    registry = CollectorRegistry()
    app = FastAPI()
    app.add_api_route("/form", lambda number: number)
    middleware.install(app, at_once=1)
    objectives = Objectives(p95=0.2, errors=0.001, registry=registry)
    objectives.install(app)
    TestClient(app).get("/form")
    objectives.close()
    labels = {"method": "GET", "route": "/form", "status": "4xx"}
    assert registry.get_sample_value("http_requests_total", labels) == 1


def test_a_request_that_is_cancelled_is_counted_as_cut(measured: Measured) -> None:
    async def hang(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def cancelled() -> None:
        app = Measuring(hang, measured.objectives)
        nothing: Any = None
        await asyncio.wait_for(app({"type": "http", "path": "/", "method": "GET"}, nothing, nothing), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert measured.value("http_requests_total", method="GET", route="unmatched", status="cut") == 1
    assert measured.value("http_requests_failed_total") == 1
    assert measured.value("http_requests_in_flight") == 0


def test_what_guards_tell_is_counted_and_levels_are_gauges(measured: Measured) -> None:
    for kind, name, what, value in (
        ("breaker", "processor", "opened", 1.0),
        ("breaker", "processor", "refused", 1.0),
        ("breaker", "processor", "refused", 1.0),
        ("breaker", "ledger", "opened", 1.0),
        ("breaker", "ledger", "half-opened", 1.0),
        ("limiter", "requests", "limit", 37.0),
        ("limiter", "requests", "limit", 30.0),
        ("idempotency", "", "purged", 500.0),
    ):
        events.tell(kind, name, what, value)
    assert measured.value("guard_events_total", kind="breaker", name="processor", what="refused") == 2
    assert measured.value("guard_breaker_open", name="processor") == 1
    assert measured.value("guard_breaker_open", name="ledger") == 0.5
    assert measured.value("guard_level", kind="limiter", name="requests", what="limit") == 30
    assert measured.value("guard_events_total", kind="idempotency", name="", what="purged") == 500


def test_metrics_are_served_as_text(measured: Measured) -> None:
    answer = measured.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "http_objective_p95_seconds 0.25" in answer.text


@pytest.mark.parametrize(("p95", "errors"), [(0, 0.1), (0.2, 1.0), (0.2, -0.1)])
def test_objectives_that_make_no_sense_are_refused(p95: float, errors: float) -> None:
    with pytest.raises(ValueError, match="p95"):
        Objectives(p95=p95, errors=errors, registry=CollectorRegistry())
