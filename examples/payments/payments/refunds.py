"""Refunding a charge, never by more than was charged."""

import logging
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payments import idempotency, outcomes
from payments.db import Sessions
from payments.errors import Conflict, NotFound
from payments.models import Charge, Refund
from payments.processor import ProcessorUnavailable
from payments.schemas import NewRefund
from payments.services import Services

log = logging.getLogger(__name__)


def create(
    services: Services, tenant_id: UUID, charge_id: UUID, body: NewRefund, key: str
) -> Refund:
    with services.sessions.begin() as session:
        refund_id = _reserve(session, tenant_id, charge_id, body, key)
    return complete(services, refund_id)


def complete(services: Services, refund_id: UUID) -> Refund:
    refund, charge_ref = _load(services.sessions, refund_id)
    if refund.status != "pending":
        return refund
    try:
        outcome = services.processor.refund(refund.id, charge_ref, refund.amount_minor)
    except ProcessorUnavailable:
        log.warning("refund left pending", exc_info=True, extra={"refund_id": refund_id})
        return refund
    with services.sessions.begin() as session:
        outcomes.settle_refund(session, refund_id, outcome)
    return _load(services.sessions, refund_id)[0]


def _reserve(
    session: Session, tenant_id: UUID, charge_id: UUID, body: NewRefund, key: str
) -> UUID:
    wanted = uuid4()
    print_ = idempotency.fingerprint(f"refund {charge_id}", body)
    refund_id = idempotency.claim(session, tenant_id, key, print_, wanted)
    if refund_id != wanted:
        return refund_id
    charge = _lock_charge(session, tenant_id, charge_id)
    if charge.status != "succeeded":
        raise Conflict("this charge has not succeeded")
    if _refunded(session, charge_id) + body.amount_minor > charge.amount_minor:
        raise Conflict("refunds would exceed the charge")
    session.add(
        Refund(
            id=refund_id,
            tenant_id=tenant_id,
            charge_id=charge_id,
            amount_minor=body.amount_minor,
        )
    )
    return refund_id


def _lock_charge(session: Session, tenant_id: UUID, charge_id: UUID) -> Charge:
    """Refunds of one charge queue here, so each sees the sum the last one left."""
    charge = session.scalar(
        select(Charge)
        .where(Charge.id == charge_id, Charge.tenant_id == tenant_id)
        .with_for_update()
    )
    if charge is None:
        raise NotFound("no such charge")
    return charge


def _refunded(session: Session, charge_id: UUID) -> int:
    """A pending refund counts: its money may already be on its way."""
    total = session.scalar(
        select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
            Refund.charge_id == charge_id, Refund.status != "failed"
        )
    )
    return int(total or 0)


def _load(sessions: Sessions, refund_id: UUID) -> tuple[Refund, str]:
    with sessions() as session:
        refund, charge_ref = session.execute(
            select(Refund, Charge.processor_ref)
            .join(Charge, Charge.id == Refund.charge_id)
            .where(Refund.id == refund_id)
        ).one()
    return refund, charge_ref or ""
