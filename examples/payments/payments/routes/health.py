"""Is the process alive, can it serve, and how is it doing."""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from payments.auth import public
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
def ready(services: Provided) -> dict[str, str]:
    with services.sessions() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ready"}


@router.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
