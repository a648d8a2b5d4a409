"""The books: entries that are only ever added, and the balance they sum to."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payments.models import Account, LedgerEntry


def post(
    session: Session, tenant_id: UUID, source_id: UUID, kind: str, currency: str, amount_minor: int
) -> None:
    session.add(
        LedgerEntry(
            tenant_id=tenant_id,
            source_id=source_id,
            kind=kind,
            currency=currency,
            amount_minor=amount_minor,
        )
    )
    _move(session, tenant_id, currency, amount_minor)


def _move(session: Session, tenant_id: UUID, currency: str, amount_minor: int) -> None:
    """The database adds, so two postings at once both count."""
    row = insert(Account).values(
        tenant_id=tenant_id, currency=currency, balance_minor=amount_minor
    )
    session.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "currency"],
            set_={"balance_minor": Account.balance_minor + row.excluded.balance_minor},
        )
    )
