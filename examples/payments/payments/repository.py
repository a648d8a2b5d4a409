"""The reads and writes that several routes share. Every one is scoped to a tenant."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payments import idempotency
from payments.errors import NotFound
from payments.models import Charge, Customer, Order, Refund
from payments.paging import page
from payments.schemas import NewCustomer, NewOrder


def add_customer(session: Session, tenant_id: UUID, body: NewCustomer) -> Customer | None:
    """None when the tenant already has a customer of that address."""
    return session.scalar(
        insert(Customer)
        .values(tenant_id=tenant_id, email=body.email, name=body.name)
        .on_conflict_do_nothing(constraint="customers_tenant_email")
        .returning(Customer)
    )


def customer(session: Session, tenant_id: UUID, customer_id: UUID) -> Customer:
    found = session.scalar(
        select(Customer).where(Customer.id == customer_id, Customer.tenant_id == tenant_id)
    )
    if found is None:
        raise NotFound("no such customer")
    return found


def customers(
    session: Session, tenant_id: UUID, email: str | None, after: str | None, size: int
) -> Sequence[Customer]:
    statement = select(Customer).where(Customer.tenant_id == tenant_id)
    if email is not None:
        statement = statement.where(Customer.email == email)
    return session.scalars(page(statement, Customer, after, size)).all()


def add_order(session: Session, tenant_id: UUID, body: NewOrder, key: str) -> Order:
    """A repeat with the same key finds the first order."""
    wanted = uuid4()
    print_ = idempotency.fingerprint("order", body)
    order_id = idempotency.claim(session, tenant_id, key, print_, wanted)
    if order_id != wanted:
        return order(session, tenant_id, order_id)
    buyer = customer(session, tenant_id, body.customer_id)
    added = Order(
        id=order_id,
        tenant_id=tenant_id,
        customer_id=buyer.id,
        amount_minor=body.amount_minor,
        currency=body.currency,
    )
    session.add(added)
    session.flush()
    return added


def order(session: Session, tenant_id: UUID, order_id: UUID) -> Order:
    found = session.scalar(select(Order).where(Order.id == order_id, Order.tenant_id == tenant_id))
    if found is None:
        raise NotFound("no such order")
    return found


def orders(session: Session, tenant_id: UUID, after: str | None, size: int) -> Sequence[Order]:
    statement = select(Order).where(Order.tenant_id == tenant_id)
    return session.scalars(page(statement, Order, after, size)).all()


def charges(session: Session, tenant_id: UUID, after: str | None, size: int) -> Sequence[Charge]:
    return session.scalars(
        page(select(Charge).where(Charge.tenant_id == tenant_id), Charge, after, size)
    ).all()


def refunded(session: Session, charge_ids: Sequence[UUID]) -> dict[UUID, int]:
    """What was given back of each charge, in one query for the whole page."""
    rows = session.execute(
        select(Refund.charge_id, func.sum(Refund.amount_minor))
        .where(Refund.charge_id.in_(charge_ids), Refund.status == "succeeded")
        .group_by(Refund.charge_id)
    )
    return {charge_id: int(total) for charge_id, total in rows}


def refunds(session: Session, tenant_id: UUID, charge_id: UUID, size: int) -> Sequence[Refund]:
    return session.scalars(
        select(Refund)
        .where(Refund.charge_id == charge_id, Refund.tenant_id == tenant_id)
        .order_by(Refund.created_at, Refund.id)
        .limit(size)
    ).all()
