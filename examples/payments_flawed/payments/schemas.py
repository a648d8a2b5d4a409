"""What callers may send and what they get back."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

Money = Annotated[int, Field(gt=0, le=100_000_000)]
# PostgreSQL's text holds any character but this one.
NO_NUL = r"^[^\x00]*$"
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=100)]


class Incoming(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewCustomer(Incoming):
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]


class NewOrder(Incoming):
    customer_id: UUID
    amount_minor: Money
    currency: Currency


class NewCharge(Incoming):
    order_id: UUID
    payment_token: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]


class NewRefund(Incoming):
    amount_minor: Money


class NewEvidence(Incoming):
    document_url: Annotated[str, Field(max_length=1000)]
    label: Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]


class ProcessorNotice(BaseModel):
    id: Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
    kind: Literal["charge.approved", "charge.declined", "refund.approved", "refund.declined"]
    reference: UUID
    processor_ref: Annotated[str, Field(max_length=100, pattern=NO_NUL)] | None = None


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID


class CustomerView(View):
    email: str
    name: str
    created_at: datetime


class OrderView(View):
    number: int
    customer_id: UUID
    amount_minor: int
    currency: str
    status: str
    created_at: datetime


class ChargeView(View):
    order_id: UUID
    amount_minor: int
    currency: str
    status: str
    created_at: datetime


class ChargeLine(ChargeView):
    refunded_minor: int = 0


class RefundView(View):
    charge_id: UUID
    amount_minor: int
    status: str


class EvidenceView(View):
    charge_id: UUID
    label: str


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    items: list[Item]
    next: str | None
