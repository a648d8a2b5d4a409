"""Where a buyer's browser goes when the shop's checkout is done."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse

from payments import repository
from payments.addresses import origin
from payments.auth import Caller
from payments.errors import Unprocessable
from payments.services import Provided

router = APIRouter()


@router.get("/orders/{order_id}/complete")
def complete(
    order_id: UUID,
    caller: Caller,
    services: Provided,
    return_url: Annotated[str, Query(max_length=1000)],
) -> RedirectResponse:
    with services.reads() as session:
        repository.order(session, caller.tenant_id, order_id)
    return RedirectResponse(_allowed(return_url, services.settings.return_origins), 303)


def _allowed(url: str, origins: frozenset[str]) -> str:
    if origin(url) not in origins:
        raise Unprocessable("we do not send buyers there")
    return url
