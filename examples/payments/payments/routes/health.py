"""Is the process alive, can it serve, and how is it doing."""

from functools import cache

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from payments import draining
from payments.auth import public
from payments.db import Sessions
from payments.errors import Unavailable
from payments.services import Provided

router = APIRouter(
    dependencies=[
        Depends(public(reason="asked by the cluster from inside; shows no tenant's data"))
    ]
)


@router.get("/livez")
async def live() -> dict[str, str]:
    """The process alone: restarting it would not heal a database."""
    return {"status": "alive"}


@router.get("/readyz")
async def ready(request: Request, services: Provided) -> dict[str, str]:
    if draining.begun(request.app):
        raise Unavailable("about to end")
    # On a thread of its own: behind the requests it would make a busy moment look like a failure.
    await to_thread.run_sync(_ask, services.sessions, limiter=_one_at_once())
    return {"status": "ready"}


def _ask(sessions: Sessions) -> None:
    with sessions() as session:
        session.execute(text("SELECT 1"))


@cache
def _one_at_once() -> CapacityLimiter:
    return CapacityLimiter(1)


@router.get("/metrics")
async def metrics() -> Response:
    """On the loop, so that it is shown when all threads are busy, too."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
