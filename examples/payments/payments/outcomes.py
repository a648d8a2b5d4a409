"""What the processor decided, written once: whoever comes second changes nothing.

The request that asked, the processor's webhook and the worker's reconciliation may all bring the
same outcome; the conditional update lets exactly one of them post it.
"""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from payments import ledger, outbox
from payments.metrics import CHARGES, REFUNDS
from payments.models import Charge, Order, Refund
from payments.processor import Outcome


def settle_charge(session: Session, charge_id: UUID, outcome: Outcome) -> bool:
    status = "succeeded" if outcome.approved else "failed"
    charge = session.scalars(
        update(Charge)
        .where(Charge.id == charge_id, Charge.status == "pending")
        .values(status=status, processor_ref=outcome.reference)
        .returning(Charge)
    ).one_or_none()
    if charge is None:
        return False
    _move_order(session, charge.order_id, "paid" if outcome.approved else "open")
    outbox.add(session, f"charge.{status}", {"charge_id": str(charge.id)})
    if outcome.approved:
        amount = charge.amount_minor
        # Last, for all charges of a tenant queue at its balance until this transaction ends.
        ledger.post(session, charge.tenant_id, charge.id, "charge", charge.currency, amount)
    CHARGES.labels(status).inc()
    return True


def settle_refund(session: Session, refund_id: UUID, outcome: Outcome) -> bool:
    status = "succeeded" if outcome.approved else "failed"
    refund = session.scalars(
        update(Refund)
        .where(Refund.id == refund_id, Refund.status == "pending")
        .values(status=status, processor_ref=outcome.reference)
        .returning(Refund)
    ).one_or_none()
    if refund is None:
        return False
    outbox.add(session, f"refund.{status}", {"refund_id": str(refund.id)})
    if outcome.approved:
        charge = session.get_one(Charge, refund.charge_id)
        amount = -refund.amount_minor
        ledger.post(session, refund.tenant_id, refund.id, "refund", charge.currency, amount)
    REFUNDS.labels(status).inc()
    return True


def _move_order(session: Session, order_id: UUID, status: str) -> None:
    session.execute(
        update(Order).where(Order.id == order_id, Order.status == "charging").values(status=status)
    )
