"""Charging an order: reserve, ask the processor, settle."""

import logging
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from payments import idempotency, notifications, outcomes, repository
from payments.errors import Conflict, NotFound
from payments.models import Charge
from payments.processor import Outcome, ProcessorUnavailable
from payments.schemas import NewCharge
from payments.services import Services

log = logging.getLogger(__name__)


def create(services: Services, tenant_id: UUID, body: NewCharge, key: str) -> Charge:
    """A repeat with the same key finds the first charge."""
    with services.sessions.begin() as session:
        earlier = idempotency.find(session, key)
        if earlier is not None:
            return session.get_one(Charge, earlier.resource_id)
        charge = _reserve(session, tenant_id, body)
        print_ = idempotency.fingerprint("charge", body)
        idempotency.store(session, tenant_id, key, print_, charge.id)
        outcome = _collect(services, charge)
        if outcome is not None:
            outcomes.settle_charge(session, services.settings, charge.id, outcome)
    return charge


def complete(services: Services, charge_id: UUID) -> None:
    """Ask the processor what became of a charge whose answer never came."""
    outcome = services.processor.find(charge_id)
    with services.sessions.begin() as session:
        outcomes.settle_charge(session, services.settings, charge_id, outcome)


def find(session: Session, tenant_id: UUID, charge_id: UUID) -> Charge:
    charge = session.scalar(
        select(Charge).where(Charge.id == charge_id, Charge.tenant_id == tenant_id)
    )
    if charge is None:
        raise NotFound("no such charge")
    return charge


def _collect(services: Services, charge: Charge) -> Outcome | None:
    try:
        return _ask(services, charge)
    except ProcessorUnavailable:
        log.warning("charge left pending", exc_info=True, extra={"charge_id": charge.id})
        notifications.alert(services.settings, f"charge {charge.id} is pending")
        return None


def _ask(services: Services, charge: Charge) -> Outcome:
    return services.processor.charge(
        charge.id, charge.amount_minor, charge.currency, charge.payment_token
    )


def _reserve(session: Session, tenant_id: UUID, body: NewCharge) -> Charge:
    order = repository.order(session, tenant_id, body.order_id)
    if order.status != "open":
        raise Conflict("there is no such order open to be charged")
    order.attempts = order.attempts + 1
    charge = Charge(
        id=uuid4(),
        tenant_id=tenant_id,
        order_id=order.id,
        amount_minor=order.amount_minor,
        currency=order.currency,
        payment_token=body.payment_token,
    )
    session.add(charge)
    session.flush()
    return charge
