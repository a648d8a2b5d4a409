"""Where a buyer's browser goes when the shop's checkout is done."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse

from payments import repository
from payments.auth import Caller
from payments.services import Provided

router = APIRouter()


@router.get("/orders/{order_id}/complete")
def complete(
    order_id: UUID,
    caller: Caller,
    services: Provided,
    return_url: Annotated[str, Query(max_length=1000)],
) -> RedirectResponse:
    with services.sessions() as session:
        repository.order(session, caller.tenant_id, order_id)
    return RedirectResponse(_with_order(return_url, order_id), 303)


def _with_order(url: str, order_id: UUID) -> str:
    return f"{url}{'&' if '?' in url else '?'}order={order_id}"
