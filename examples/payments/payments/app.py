"""The web application.

uvicorn --factory payments.app:create_app
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI, Request, Response

from payments import draining, errors, logs, services
from payments.config import Settings
from payments.metrics import FAILED_REQUESTS, REQUEST_SECONDS
from payments.routes import charges, checkout, customers, evidence, exports, health, webhooks
from payments.shedding import Shedding


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The server lets running requests end before it leaves this block."""
    held = app.state.services
    anyio.to_thread.current_default_thread_limiter().total_tokens = held.settings.request_threads
    draining.prepare(app, held.settings.drain_s)
    yield
    held.close()


async def _measure(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    begun = time.perf_counter()
    status = 500
    try:
        response = await call_next(request)
        status = response.status_code
        if draining.begun(request.app):
            # Callers who keep connections open would use them until the moment they are closed.
            response.headers["Connection"] = "close"
        return response
    finally:
        # The route's pattern, not the path: ids would make a series each.
        route = getattr(request.scope.get("route"), "path", "unmatched")
        if status >= 500:
            FAILED_REQUESTS.inc()
        REQUEST_SECONDS.labels(request.method, route, status).observe(time.perf_counter() - begun)


def create_app(settings: Settings | None = None) -> FastAPI:
    logs.configure()
    app = routed()
    settings = settings or Settings.from_environment()
    app.state.services = services.build(settings)
    app.add_middleware(Shedding, limit=settings.requests_at_once)
    app.middleware("http")(_measure)
    errors.install(app)
    return app


def routed() -> FastAPI:
    """The operations alone, as openapi.json describes them."""
    app = FastAPI(title="payments", version="1.0.0", lifespan=_lifespan)
    for module in (customers, charges, checkout, evidence, exports, webhooks, health):
        app.include_router(module.router)
    return app
