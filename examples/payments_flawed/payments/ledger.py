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
    account = _account(session, tenant_id, currency)
    account.balance_minor = account.balance_minor + amount_minor


def _account(session: Session, tenant_id: UUID, currency: str) -> Account:
    session.execute(
        insert(Account)
        .values(tenant_id=tenant_id, currency=currency, balance_minor=0)
        .on_conflict_do_nothing(index_elements=["tenant_id", "currency"])
    )
    return session.get_one(Account, (tenant_id, currency))
