"""Charges as a spreadsheet."""

import csv
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from payments.db import Sessions
from payments.errors import Unprocessable
from payments.models import Customer, Order

LONGEST = timedelta(days=31)
HEADER = ("charge", "order", "customer", "amount_minor", "currency", "status")


def check_range(since: datetime, until: datetime) -> None:
    if since.tzinfo is None or until.tzinfo is None:
        raise Unprocessable("both times need a zone")
    if not timedelta(0) < until - since <= LONGEST:
        raise Unprocessable("export between a moment and 31 days")


def write_charges(
    sessions: Sessions, tenant_id: UUID, since: datetime, until: datetime, sort: str
) -> Path:
    """Into a file first: a slow reader then holds a file open, and not a connection."""
    handle, name = tempfile.mkstemp(prefix="charges-", suffix=".csv")
    path = Path(name)
    try:
        with open(handle, "w", newline="") as file, sessions() as session:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for line in _lines(session, tenant_id, since, until, sort):
                writer.writerow([_inert(cell) for cell in line])
    except BaseException:
        path.unlink()
        raise
    return path


def _lines(
    session: Session, tenant_id: UUID, since: datetime, until: datetime, sort: str
) -> Iterator[Sequence[object]]:
    statement = text(
        "SELECT id, order_id, amount_minor, currency, status FROM charges"
        " WHERE tenant_id = :tenant AND created_at >= :since AND created_at < :until"
        f" ORDER BY {sort}"
    )
    bound = {"tenant": tenant_id, "since": since, "until": until}
    for charge in session.execute(statement, bound, execution_options={"yield_per": 500}):
        number, email = _buyer(session, charge.order_id)
        yield (charge.id, number, email, charge.amount_minor, charge.currency, charge.status)


def _buyer(session: Session, order_id: UUID) -> Row[int, str]:
    return session.execute(
        select(Order.number, Customer.email)
        .join(Customer, Customer.id == Order.customer_id)
        .where(Order.id == order_id)
    ).one()


def _inert(cell: object) -> object:
    """A spreadsheet runs text that begins like a formula."""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{cell}"
    return cell
