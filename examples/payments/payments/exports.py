"""Charges as a spreadsheet."""

import csv
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from payments.db import Sessions
from payments.errors import Unprocessable
from payments.models import Charge, Customer, Order

LONGEST = timedelta(days=31)
HEADER = ("charge", "order", "customer", "amount_minor", "currency", "status")


def check_range(since: datetime, until: datetime) -> None:
    if since.tzinfo is None or until.tzinfo is None:
        raise Unprocessable("both times need a zone")
    if not timedelta(0) < until - since <= LONGEST:
        raise Unprocessable("export between a moment and 31 days")


def write_charges(sessions: Sessions, tenant_id: UUID, since: datetime, until: datetime) -> Path:
    """Into a file first: a slow reader then holds a file open, and not a connection."""
    handle, name = tempfile.mkstemp(prefix="charges-", suffix=".csv")
    path = Path(name)
    try:
        with open(handle, "w", newline="") as file, sessions() as session:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for line in _lines(session, tenant_id, since, until):
                writer.writerow([_inert(cell) for cell in line])
    except BaseException:
        path.unlink()
        raise
    return path


def _lines(
    session: Session, tenant_id: UUID, since: datetime, until: datetime
) -> Iterator[Sequence[object]]:
    statement = (
        select(
            Charge.id,
            Order.number,
            Customer.email,
            Charge.amount_minor,
            Charge.currency,
            Charge.status,
        )
        .join(Order, Order.id == Charge.order_id)
        .join(Customer, Customer.id == Order.customer_id)
        .where(
            Charge.tenant_id == tenant_id, Charge.created_at >= since, Charge.created_at < until
        )
        .order_by(Charge.created_at, Charge.id)
        .execution_options(yield_per=500)
    )
    yield from session.execute(statement)


def _inert(cell: object) -> object:
    """A spreadsheet runs text that begins like a formula."""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{cell}"
    return cell
