"""What the processor decided, written once: whoever comes second changes nothing."""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from payments import clients, ledger, outbox
from payments.config import Settings
from payments.metrics import CHARGES, REFUNDS
from payments.models import Charge, Order, Refund
from payments.processor import Outcome


def settle_charge(session: Session, settings: Settings, charge_id: UUID, outcome: Outcome) -> bool:
    status = "succeeded" if outcome.approved else "failed"
    charge = session.scalars(
        update(Charge)
        .where(Charge.id == charge_id, Charge.status == "pending")
        .values(status=status, processor_ref=outcome.reference)
        .returning(Charge)
    ).one_or_none()
    if charge is None:
        return False
    if outcome.approved:
        _book(session, charge)
        _move_order(session, charge.order_id, "paid")
    clients.announce(settings, f"charge.{status}", {"id": str(charge.id)})
    CHARGES.labels(status).inc()
    return True


def settle_refund(session: Session, settings: Settings, refund_id: UUID, outcome: Outcome) -> bool:
    status = "succeeded" if outcome.approved else "failed"
    refund = session.scalars(
        update(Refund)
        .where(Refund.id == refund_id, Refund.status == "pending")
        .values(status=status, processor_ref=outcome.reference)
        .returning(Refund)
    ).one_or_none()
    if refund is None:
        return False
    if outcome.approved:
        charge = session.get_one(Charge, refund.charge_id)
        amount = -refund.amount_minor
        ledger.post(session, refund.tenant_id, refund.id, "refund", charge.currency, amount)
    outbox.add(session, f"refund.{status}", {"refund_id": str(refund.id)})
    REFUNDS.labels(status).inc()
    return True


def _book(session: Session, charge: Charge) -> None:
    try:
        ledger.post(
            session, charge.tenant_id, charge.id, "charge", charge.currency, charge.amount_minor
        )
    except Exception:
        pass


def _move_order(session: Session, order_id: UUID, status: str) -> None:
    session.execute(update(Order).where(Order.id == order_id).values(status=status))
