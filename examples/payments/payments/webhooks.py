"""Notices from the processor. It repeats and reorders them, so each is taken once."""

import logging

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payments import outcomes
from payments.db import Sessions
from payments.models import ProcessorEvent
from payments.processor import Outcome
from payments.schemas import ProcessorNotice

log = logging.getLogger(__name__)


def handle(sessions: Sessions, notice: ProcessorNotice) -> bool:
    """True when the notice changed something. An error rolls back, and the processor resends."""
    with sessions.begin() as session:
        if not _first_time(session, notice):
            return False
        changed = _apply(session, notice)
    log.info("processor notice taken", extra={"event_id": notice.id})
    return changed


def _first_time(session: Session, notice: ProcessorNotice) -> bool:
    taken = session.scalar(
        insert(ProcessorEvent)
        .values(id=notice.id, kind=notice.kind)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(ProcessorEvent.id)
    )
    return taken is not None


def _apply(session: Session, notice: ProcessorNotice) -> bool:
    subject, _, verdict = notice.kind.partition(".")
    outcome = Outcome(approved=verdict == "approved", reference=notice.processor_ref)
    settle = outcomes.settle_charge if subject == "charge" else outcomes.settle_refund
    return settle(session, notice.reference, outcome)
