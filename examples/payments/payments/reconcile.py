"""Finish what a crash or a silent processor left pending."""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from payments import charges, refunds
from payments.db import Sessions
from payments.metrics import WORKER_FAILURES
from payments.models import Charge, Refund, utc_now
from payments.services import Services

log = logging.getLogger(__name__)

# Longer than a request can take, so that we do not race the one still at work.
GRACE = timedelta(seconds=60)
BATCH = 20


def run_once(services: Services) -> None:
    _finish(services, charges.complete, _stuck(services.sessions, Charge))
    _finish(services, refunds.complete, _stuck(services.sessions, Refund))


def _stuck(sessions: Sessions, model: type[Charge] | type[Refund]) -> list[UUID]:
    with sessions() as session:
        return list(
            session.scalars(
                select(model.id)
                .where(model.status == "pending", model.created_at < utc_now() - GRACE)
                # In no order: a few that never end must not keep all others waiting.
                .order_by(func.random())
                .limit(BATCH)
            )
        )


def _finish(
    services: Services, complete: Callable[[Services, UUID], object], ids: Iterable[UUID]
) -> None:
    for row_id in ids:
        try:
            complete(services, row_id)
        except Exception:
            WORKER_FAILURES.labels("reconcile").inc()
            log.exception("could not finish a pending payment", extra={"charge_id": row_id})
