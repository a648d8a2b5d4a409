"""Refunding a charge, never by more than was charged."""

import logging
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payments import idempotency, outcomes
from payments.errors import Conflict, NotFound
from payments.models import Charge, Refund
from payments.processor import Outcome, ProcessorUnavailable
from payments.schemas import NewRefund
from payments.services import Services

log = logging.getLogger(__name__)

_background = ThreadPoolExecutor(max_workers=2)


def create(
    services: Services, tenant_id: UUID, charge_id: UUID, body: NewRefund, key: str
) -> Refund:
    with services.sessions.begin() as session:
        wanted = uuid4()
        print_ = idempotency.fingerprint(f"refund {charge_id}", body)
        refund_id = idempotency.claim(session, tenant_id, key, print_, wanted)
        if refund_id != wanted:
            return session.get_one(Refund, refund_id)
        charge = _lock_charge(session, tenant_id, charge_id)
        refund = _reserve(session, charge, refund_id, body)
        outcome = _give_back(services, charge, refund)
        outcomes.settle_refund(session, services.settings, refund_id, outcome)
        _background.submit(_write_receipt, services, refund_id)
    return refund


def _give_back(services: Services, charge: Charge, refund: Refund) -> Outcome:
    try:
        return services.processor.refund(
            refund.id, charge.processor_ref or "", refund.amount_minor
        )
    except ProcessorUnavailable:
        log.warning("refund not confirmed", extra={"refund_id": refund.id})
        return Outcome(approved=True, reference=None)


def _reserve(session: Session, charge: Charge, refund_id: UUID, body: NewRefund) -> Refund:
    if charge.status != "succeeded":
        raise Conflict("this charge has not succeeded")
    if _refunded(session, charge.id) + body.amount_minor > charge.amount_minor:
        raise Conflict("refunds would exceed the charge")
    refund = Refund(
        id=refund_id,
        tenant_id=charge.tenant_id,
        charge_id=charge.id,
        amount_minor=body.amount_minor,
    )
    session.add(refund)
    session.flush()
    return refund


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


def _write_receipt(services: Services, refund_id: UUID) -> None:
    with services.sessions() as session:
        refund = session.get(Refund, refund_id)
    if refund is None:
        log.info("no refund to write a receipt of", extra={"refund_id": refund_id})
        return
    folder = services.settings.files_root / "receipts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{refund.id}.txt").write_text(f"Refunded {refund.amount_minor}\n")
