"""Charging an order: reserve, ask the processor, settle. No transaction is open while we ask."""

import logging
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from payments import idempotency, outcomes
from payments.db import Sessions
from payments.errors import Conflict, NotFound
from payments.models import Charge, Order
from payments.processor import ProcessorUnavailable
from payments.schemas import NewCharge
from payments.services import Services

log = logging.getLogger(__name__)


def create(services: Services, tenant_id: UUID, body: NewCharge, key: str) -> Charge:
    """A repeat with the same key finds the first charge, and finishes it if that is still due."""
    with services.sessions.begin() as session:
        charge_id = _reserve(session, tenant_id, body, key)
    return complete(services, charge_id)


def complete(services: Services, charge_id: UUID) -> Charge:
    """Safe to call again at any time: the processor knows the charge by our id."""
    charge = _load(services.sessions, charge_id)
    if charge.status != "pending":
        return charge
    try:
        outcome = services.processor.charge(
            charge.id, charge.amount_minor, charge.currency, charge.payment_token
        )
    except ProcessorUnavailable:
        log.warning("charge left pending", exc_info=True, extra={"charge_id": charge_id})
        return charge
    with services.sessions.begin() as session:
        outcomes.settle_charge(session, charge_id, outcome)
    return _load(services.sessions, charge_id)


def find(session: Session, tenant_id: UUID, charge_id: UUID) -> Charge:
    charge = session.scalar(
        select(Charge).where(Charge.id == charge_id, Charge.tenant_id == tenant_id)
    )
    if charge is None:
        raise NotFound("no such charge")
    return charge


def _reserve(session: Session, tenant_id: UUID, body: NewCharge, key: str) -> UUID:
    wanted = uuid4()
    print_ = idempotency.fingerprint("charge", body)
    charge_id = idempotency.claim(session, tenant_id, key, print_, wanted)
    if charge_id != wanted:
        return charge_id
    order = _take_order(session, tenant_id, body.order_id)
    session.add(
        Charge(
            id=charge_id,
            tenant_id=tenant_id,
            order_id=order.id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            payment_token=body.payment_token,
        )
    )
    return charge_id


def _take_order(session: Session, tenant_id: UUID, order_id: UUID) -> Order:
    """Only one charge can move an order out of "open", so no order is paid twice."""
    order = session.scalars(
        update(Order)
        .where(Order.id == order_id, Order.tenant_id == tenant_id, Order.status == "open")
        .values(status="charging", attempts=Order.attempts + 1)
        .returning(Order)
    ).one_or_none()
    if order is None:
        raise Conflict("there is no such order open to be charged")
    return order


def _load(sessions: Sessions, charge_id: UUID) -> Charge:
    with sessions() as session:
        return session.get_one(Charge, charge_id)
