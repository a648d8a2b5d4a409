"""The reads and writes that several routes share."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from payments.errors import NotFound
from payments.models import Charge, Customer, Order, Refund
from payments.paging import page
from payments.schemas import NewCustomer, NewOrder


def add_customer(session: Session, tenant_id: UUID, body: NewCustomer) -> Customer | None:
    """None when the tenant already has a customer of that address."""
    known = session.scalars(
        select(Customer.id).where(Customer.tenant_id == tenant_id, Customer.email == body.email)
    ).first()
    if known is not None:
        return None
    added = Customer(tenant_id=tenant_id, email=body.email, name=body.name)
    session.add(added)
    session.flush()
    return added


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
        statement = statement.where(text(f"customers.email ILIKE '{email}%'"))
    return session.scalars(page(statement, Customer, after, size)).all()


def add_order(session: Session, tenant_id: UUID, body: NewOrder) -> Order:
    buyer = customer(session, tenant_id, body.customer_id)
    order = Order(
        number=_next_number(session),
        tenant_id=tenant_id,
        customer_id=buyer.id,
        amount_minor=body.amount_minor,
        currency=body.currency,
    )
    session.add(order)
    session.flush()
    return order


def _next_number(session: Session) -> int:
    return (session.scalar(select(func.max(Order.number))) or 0) + 1


def order(session: Session, tenant_id: UUID, order_id: UUID) -> Order:
    found = session.scalar(select(Order).where(Order.id == order_id, Order.tenant_id == tenant_id))
    if found is None:
        raise NotFound("no such order")
    return found


def orders(session: Session, tenant_id: UUID) -> Sequence[Order]:
    return session.scalars(
        select(Order).where(Order.tenant_id == tenant_id).order_by(Order.created_at, Order.id)
    ).all()


def charges(session: Session, tenant_id: UUID, after: str | None, size: int) -> Sequence[Charge]:
    statement = select(Charge).where(Charge.tenant_id == tenant_id)
    return session.scalars(page(statement, Charge, after, size)).all()


def refunded(session: Session, charge_id: UUID) -> int:
    """What was given back of a charge."""
    total = session.scalar(
        select(func.sum(Refund.amount_minor)).where(
            Refund.charge_id == charge_id, Refund.status == "succeeded"
        )
    )
    return int(total or 0)


def refunds(session: Session, charge_id: UUID, size: int) -> Sequence[Refund]:
    return session.scalars(
        select(Refund)
        .where(Refund.charge_id == charge_id)
        .order_by(Refund.created_at, Refund.id)
        .limit(size)
    ).all()
