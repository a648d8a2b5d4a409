"""Notices from the processor. It repeats and reorders them, so each is taken once."""

import logging

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from payments import outcomes
from payments.models import ProcessorEvent
from payments.processor import Outcome
from payments.schemas import ProcessorNotice
from payments.services import Services

log = logging.getLogger(__name__)


def handle(services: Services, notice: ProcessorNotice) -> bool:
    """True when the notice changed something."""
    try:
        changed = _take(services, notice)
    except SQLAlchemyError:
        log.exception("processor notice not stored", extra={"event_id": notice.id})
        return False
    log.info("processor notice taken", extra={"event_id": notice.id})
    return changed


def _take(services: Services, notice: ProcessorNotice) -> bool:
    with services.sessions.begin() as session:
        if not _first_time(session, notice):
            return False
        return _apply(services, session, notice)


def _first_time(session: Session, notice: ProcessorNotice) -> bool:
    seen = session.scalars(
        select(ProcessorEvent).where(ProcessorEvent.id == notice.id).with_for_update()
    ).one_or_none()
    if seen is not None:
        return False
    session.add(ProcessorEvent(id=notice.id, kind=notice.kind))
    return True


def _apply(services: Services, session: Session, notice: ProcessorNotice) -> bool:
    subject, _, verdict = notice.kind.partition(".")
    outcome = Outcome(approved=verdict == "approved", reference=notice.processor_ref)
    settle = outcomes.settle_charge if subject == "charge" else outcomes.settle_refund
    return settle(session, services.settings, notice.reference, outcome)
