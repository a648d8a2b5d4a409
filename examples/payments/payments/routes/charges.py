"""Charges and their refunds."""

from uuid import UUID

from fastapi import APIRouter, Response

from payments import charges, refunds, repository
from payments.auth import Caller
from payments.models import Charge, Refund
from payments.paging import After, PageSize, cursor
from payments.schemas import (
    ChargeLine,
    ChargeView,
    Key,
    NewCharge,
    NewRefund,
    Page,
    RefundView,
)
from payments.services import Provided

router = APIRouter()


@router.post("/charges", status_code=201, response_model=ChargeView)
def create_charge(
    body: NewCharge, key: Key, caller: Caller, services: Provided, response: Response
) -> Charge:
    charge = charges.create(services, caller.tenant_id, body, key)
    response.status_code = _code(charge.status)
    return charge


@router.get("/charges")
def list_charges(
    caller: Caller, services: Provided, after: After = None, size: PageSize = 50
) -> Page[ChargeLine]:
    with services.reads() as session:
        rows = repository.charges(session, caller.tenant_id, after, size)
        given_back = repository.refunded(session, [row.id for row in rows])
    lines = [ChargeLine.model_validate(row) for row in rows]
    for line in lines:
        line.refunded_minor = given_back.get(line.id, 0)
    following = cursor(rows[-1].created_at, rows[-1].id) if len(rows) == size else None
    return Page(items=lines, next=following)


@router.get("/charges/{charge_id}", response_model=ChargeView)
def show_charge(charge_id: UUID, caller: Caller, services: Provided) -> Charge:
    with services.reads() as session:
        return charges.find(session, caller.tenant_id, charge_id)


@router.post("/charges/{charge_id}/refunds", status_code=201, response_model=RefundView)
def create_refund(
    charge_id: UUID,
    body: NewRefund,
    key: Key,
    caller: Caller,
    services: Provided,
    response: Response,
) -> Refund:
    refund = refunds.create(services, caller.tenant_id, charge_id, body, key)
    response.status_code = _code(refund.status)
    return refund


@router.get("/charges/{charge_id}/refunds")
def list_refunds(
    charge_id: UUID, caller: Caller, services: Provided, size: PageSize = 50
) -> list[RefundView]:
    with services.reads() as session:
        rows = repository.refunds(session, caller.tenant_id, charge_id, size)
    return [RefundView.model_validate(row) for row in rows]


def _code(status: str) -> int:
    """Pending is accepted, not created: the caller repeats the request, or waits."""
    return 202 if status == "pending" else 201
