"""Customers and their orders."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from payments import repository
from payments.auth import Caller
from payments.errors import Conflict
from payments.models import Customer, Order
from payments.paging import After, PageSize, cursor
from payments.schemas import NO_NUL, CustomerView, Key, NewCustomer, NewOrder, OrderView, Page
from payments.services import Provided

router = APIRouter()


@router.post("/customers", status_code=201, response_model=CustomerView)
def add_customer(body: NewCustomer, caller: Caller, services: Provided) -> Customer:
    with services.sessions.begin() as session:
        customer = repository.add_customer(session, caller.tenant_id, body)
    if customer is None:
        raise Conflict("there is a customer of that address")
    return customer


@router.get("/customers")
def list_customers(
    caller: Caller,
    services: Provided,
    email: Annotated[str | None, Query(max_length=254, pattern=NO_NUL)] = None,
    after: After = None,
    size: PageSize = 50,
) -> Page[CustomerView]:
    with services.reads() as session:
        rows = repository.customers(session, caller.tenant_id, email, after, size)
    following = cursor(rows[-1].created_at, rows[-1].id) if len(rows) == size else None
    return Page(items=[CustomerView.model_validate(row) for row in rows], next=following)


@router.get("/customers/{customer_id}", response_model=CustomerView)
def show_customer(customer_id: UUID, caller: Caller, services: Provided) -> Customer:
    with services.reads() as session:
        return repository.customer(session, caller.tenant_id, customer_id)


@router.post("/orders", status_code=201, response_model=OrderView)
def add_order(body: NewOrder, key: Key, caller: Caller, services: Provided) -> Order:
    with services.sessions.begin() as session:
        return repository.add_order(session, caller.tenant_id, body, key)


@router.get("/orders")
def list_orders(
    caller: Caller, services: Provided, after: After = None, size: PageSize = 50
) -> Page[OrderView]:
    with services.reads() as session:
        rows = repository.orders(session, caller.tenant_id, after, size)
    following = cursor(rows[-1].created_at, rows[-1].id) if len(rows) == size else None
    return Page(items=[OrderView.model_validate(row) for row in rows], next=following)


@router.get("/orders/{order_id}", response_model=OrderView)
def show_order(order_id: UUID, caller: Caller, services: Provided) -> Order:
    with services.reads() as session:
        return repository.order(session, caller.tenant_id, order_id)
