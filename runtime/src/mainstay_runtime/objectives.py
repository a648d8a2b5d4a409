"""Metrics for Prometheus: of requests, measured against what the service promises, and of its guards.

A histogram tells the share of requests within a budget exactly only if the budget is one of its buckets;
otherwise it guesses between the two beside. So the objectives are buckets here.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable

from fastapi import APIRouter, FastAPI
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainstay_runtime import events, middleware

UNMEASURED = ("/livez", "/readyz", "/metrics")
"""Probes are many and fast: they would make any percentile look good."""

LEVELS = frozenset(
    {
        ("limiter", "limit"),
        ("outbox", "depth"),
        ("outbox", "age"),
        ("outbox", "dead"),
        ("idempotency", "unsettled"),
    }
)
"""Kinds of event whose value is a level, shown as a gauge; all others are counted."""

_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())  # callers may send any word
_SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 25.0)  # of the p95 objective
_OTHER = "other"
_STATES = {"closed": 0.0, "half-opened": 0.5, "opened": 1.0}


class Objectives:
    """What the service promises, and the metrics that tell whether it keeps that.

    95 % of the requests are answered within `p95` seconds; at most the share `errors` of them fail (5xx).

    `also` are further budgets in seconds, of single operations, which become buckets too. `most` bounds the
    series: beyond so many routes, and so many events of guards, what is new is counted as "other".
    """

    def __init__(
        self,
        *,
        p95: float,
        errors: float,
        also: Iterable[float] = (),
        unmeasured: Collection[str] = UNMEASURED,
        most: int = 200,
        registry: CollectorRegistry = REGISTRY,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if p95 <= 0 or not 0 <= errors < 1:
            raise ValueError("p95: seconds, above 0; errors: a share, from 0 to below 1")
        self.p95 = p95
        self.errors = errors
        self.buckets = buckets(p95, also)
        self._unmeasured = frozenset(unmeasured)
        self._registry = registry
        self._clock = clock
        self._routes = _Bounded(most)
        self._events = _Bounded(most)
        labels = ["method", "route", "status"]
        self._requests = Counter("http_requests", "Requests answered", labels, registry=registry)
        self._seconds = Histogram(
            "http_request_seconds",
            "Time to the end of the answer",
            labels,
            buckets=self.buckets,
            registry=registry,
        )
        # Without labels it is there from the start, at 0. A series that appears with the first failure
        # hides that failure from rate(), which needs two samples to see a step.
        self._failed = Counter(
            "http_requests_failed", "Requests answered with a 5xx or cut off", registry=registry
        )
        self._inside = Gauge("http_requests_in_flight", "Requests under way", registry=registry)
        self._told = Counter("guard_events", "What guards did", ["kind", "name", "what"], registry=registry)
        self._levels = Gauge("guard_level", "What guards are at", ["kind", "name", "what"], registry=registry)
        self._open = Gauge(
            "guard_breaker_open", "1 open, 0.5 half open, 0 closed", ["name"], registry=registry
        )
        for name, help_, value in (
            ("http_objective_p95_seconds", "Within this time 95 % are to be answered", p95),
            ("http_objective_error_ratio", "At most this share may fail", errors),
        ):
            Gauge(name, help_, registry=registry).set(value)
        self._end = events.listen(self._hear)

    def install(self, app: FastAPI) -> None:
        """Measure the app and add its `/metrics`.

        Call it after `middleware.install`, so that refusals are measured.
        """
        app.add_middleware(Measuring, objectives=self)
        app.include_router(self.router())

    def router(self, path: str = "/metrics") -> APIRouter:
        """The metrics as text. Served by the loop, so that they are there when all threads are busy."""
        router = APIRouter()

        async def metrics() -> Response:
            return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

        router.add_api_route(path, metrics, include_in_schema=False)
        return router

    def close(self) -> None:
        """Listen to guards no longer."""
        self._end()

    def measures(self, scope: Scope) -> bool:
        """Whether this is a request that counts."""
        return scope["type"] == "http" and scope["path"] not in self._unmeasured

    def begun(self) -> float:
        """A request begins; gives the time for `ended`."""
        self._inside.inc()
        return self._clock()

    def now(self) -> float:
        """The time on the clock of `begun`."""
        return self._clock()

    def ended(self, scope: Scope, status: int, seconds: float) -> None:
        """A request ends. Status 0: it was cut off before it was answered."""
        self._inside.dec()
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = self._routes.name(middleware.route(scope) or "unmatched")
        labels = (method, route, f"{status // 100}xx" if status else "cut")
        self._requests.labels(*labels).inc()
        self._seconds.labels(*labels).observe(seconds)
        if not status or status >= 500:
            self._failed.inc()

    def _hear(self, event: events.Event) -> None:
        name = self._events.name(event.name) if event.name else ""
        if event.kind == "breaker" and event.what in _STATES:
            self._open.labels(name).set(_STATES[event.what])
        if (event.kind, event.what) in LEVELS:
            self._levels.labels(event.kind, name, event.what).set(event.value)
        elif event.value >= 0:
            self._told.labels(event.kind, name, event.what).inc(event.value)


class Measuring:
    """The middleware that measures: to the end of the answer, without what runs after it."""

    def __init__(self, app: ASGIApp, objectives: Objectives) -> None:
        self._app = app
        self._objectives = objectives

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._objectives.measures(scope):
            await self._app(scope, receive, send)
            return
        begun, status, told = self._objectives.begun(), 0, False

        def tell(how: int) -> None:
            nonlocal told
            if not told:
                told = True
                self._objectives.ended(scope, how, self._objectives.now() - begun)

        async def watched(message: Message) -> None:
            nonlocal status
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                tell(status)

        try:
            await self._app(scope, receive, watched)
        finally:
            # Not told yet: an exception on the way out becomes a 500 further out, or the answer was cut.
            tell(0)


class _Bounded:
    """Gives back the first `most` names, and "other" for all that come later."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()
        self._adding = threading.Lock()

    def name(self, name: str) -> str:
        if name in self._known:
            return name
        with self._adding:
            if len(self._known) >= self._most:
                return _OTHER
            self._known.add(name)
            return name


def buckets(p95: float, also: Iterable[float] = ()) -> tuple[float, ...]:
    """Upper bounds in seconds: `p95` and `also` exactly, and shares and multiples of `p95` around them.

    Bounds of ours that are within 10 % of one that was asked for are left out.
    """
    asked = {p95, *also}
    around = (float(f"{p95 * share:.3g}") for share in _SHARES)
    apart = {one for one in around if all(abs(one - exact) > exact / 10 for exact in asked)}
    return tuple(sorted(asked | apart))
