"""The nightly job: what each tenant earned on a day, and a report of it.

python -m payments.settlement [YYYY-MM-DD]
"""

import csv
import logging
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert

from payments import logs, notifications, services
from payments.config import Settings
from payments.db import Sessions
from payments.models import LedgerEntry, Settlement
from payments.services import Services

log = logging.getLogger(__name__)


def settle(sessions: Sessions, day: date) -> None:
    """One statement for all tenants. Run twice, it changes nothing the second time."""
    begins = datetime.combine(day, time.min, UTC)
    totals = (
        select(
            LedgerEntry.tenant_id,
            literal(day).label("day"),
            LedgerEntry.currency,
            func.sum(LedgerEntry.amount_minor),
        )
        .where(
            LedgerEntry.created_at >= begins, LedgerEntry.created_at < begins + timedelta(days=1)
        )
        .group_by(LedgerEntry.tenant_id, LedgerEntry.currency)
    )
    columns = ["tenant_id", "day", "currency", "total_minor"]
    with sessions.begin() as session:
        session.execute(
            insert(Settlement)
            .from_select(columns, totals)
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


def run(held: Services, day: date) -> None:
    settle(held.sessions, day)
    written = report(held, day)
    if held.settings.mail_host:
        notifications.mail_report(held.settings, f"Settlement of {day}", written.read_text())
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
