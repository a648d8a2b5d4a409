"""The nightly job: what each tenant earned on a day, and a report of it.

python -m payments.settlement [YYYY-MM-DD]
"""

import asyncio
import csv
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payments import clients, logs, notifications, services
from payments.config import Settings
from payments.db import Sessions
from payments.models import LedgerEntry, Settlement, Tenant
from payments.services import Services

log = logging.getLogger(__name__)

LOCK = 7301


def settle(sessions: Sessions, day: date) -> None:
    """Run twice, it changes nothing the second time; two at once wait for nobody."""
    with sessions.begin() as session:
        if not session.scalar(select(func.pg_try_advisory_lock(LOCK))):
            log.info("another settlement is at work", extra={"day": day})
            return
        for tenant_id in session.scalars(select(Tenant.id).execution_options(yield_per=500)):
            try:
                _settle_tenant(session, tenant_id, day)
            except Exception:
                continue
        session.execute(select(func.pg_advisory_unlock(LOCK)))


def _settle_tenant(session: Session, tenant_id: UUID, day: date) -> None:
    begins = datetime.combine(day, time.min)
    totals = session.execute(
        select(LedgerEntry.currency, func.sum(LedgerEntry.amount_minor))
        .where(
            LedgerEntry.tenant_id == tenant_id,
            LedgerEntry.created_at >= begins,
            LedgerEntry.created_at < begins + timedelta(days=1),
        )
        .group_by(LedgerEntry.currency)
    ).all()
    for currency, total in totals:
        session.execute(
            insert(Settlement)
            .values(tenant_id=tenant_id, day=day, currency=currency, total_minor=total)
            .on_conflict_do_nothing(index_elements=["tenant_id", "day", "currency"])
        )


def report(held: Services, day: date) -> Path:
    target = path_of(held.settings.files_root, day)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed: a reader never sees half a report.
    draft = target.with_suffix(".part")
    with held.sessions() as session, draft.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("tenant", "currency", "total_minor"))
        statement = select(Settlement.tenant_id, Settlement.currency, Settlement.total_minor)
        for line in session.execute(
            statement.where(Settlement.day == day).execution_options(yield_per=500)
        ):
            writer.writerow(line)
    return draft.rename(target)


def path_of(root: Path, day: date) -> Path:
    return root / "settlements" / f"{day.isoformat()}.csv"


async def tell(held: Services, day: date) -> None:
    tenants = await asyncio.to_thread(_settled, held.sessions, day)
    async with clients.events_client(held.settings) as client:
        tasks = [
            asyncio.create_task(
                notifications.publish(client, f"settled-{day}-{tenant}", "settled", {})
            )
            for tenant in tenants
        ]
        for task in tasks:
            await task


def _settled(sessions: Sessions, day: date) -> Sequence[UUID]:
    with sessions() as session:
        return session.scalars(
            select(Settlement.tenant_id).where(Settlement.day == day).distinct()
        ).all()


def run(held: Services, day: date) -> None:
    settle(held.sessions, day)
    written = report(held, day)
    if held.settings.mail_host:
        notifications.mail_report(held.settings, f"Settlement of {day}", written.read_text())
    asyncio.run(tell(held, day))
    log.info("settled", extra={"day": day})


def main() -> None:
    logs.configure()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    day = date.fromisoformat(sys.argv[1]) if len(sys.argv) > 1 else yesterday
    held = services.build(Settings.from_environment())
    try:
        run(held, day)
    finally:
        held.close()


if __name__ == "__main__":
    main()
