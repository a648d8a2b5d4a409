"""Finish what a crash or a silent processor left pending."""

import logging
from datetime import timedelta
from threading import Event
from uuid import UUID

from sqlalchemy import select

from payments import charges
from payments.db import Sessions
from payments.models import Charge, utc_now
from payments.services import Services

log = logging.getLogger(__name__)

# Longer than a request can take, so that we do not race the one still at work.
GRACE = timedelta(seconds=60)
BATCH = 20
EVERY_S = 15.0


def run_until(services: Services, stopping: Event) -> None:
    while not stopping.wait(EVERY_S):
        stuck = _stuck(services.sessions)
        for charge_id in stuck:
            charges.complete(services, charge_id)
        log.info("reconciled", extra={"count": len(stuck)})


def _stuck(sessions: Sessions) -> list[UUID]:
    with sessions() as session:
        return list(
            session.scalars(
                select(Charge.id)
                .where(Charge.status == "pending", Charge.created_at < utc_now() - GRACE)
                .order_by(Charge.created_at)
                .limit(BATCH)
            )
        )
