"""Messages stored with the change they announce, and handed to the worker afterwards."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from payments.db import Sessions
from payments.metrics import OUTBOX_WAITING
from payments.models import OutboxMessage, utc_now

# Longer than a delivery can take, so that a message is not sent by two workers at once.
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Claimed:
    id: UUID
    kind: str
    payload: dict[str, Any]
    attempts: int


def add(session: Session, kind: str, payload: dict[str, Any]) -> None:
    session.add(OutboxMessage(kind=kind, payload=payload))


def claim(sessions: Sessions) -> list[Claimed]:
    """Lease the next due messages; a worker that dies lets them fall due again."""
    due = (
        select(OutboxMessage.id)
        .where(OutboxMessage.state == "waiting", OutboxMessage.due_at <= utc_now())
        .order_by(OutboxMessage.due_at)
        .with_for_update(skip_locked=True)
    )
    lease = (
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(due))
        .values(due_at=utc_now() + LEASE, attempts=OutboxMessage.attempts + 1)
        .returning(
            OutboxMessage.id, OutboxMessage.kind, OutboxMessage.payload, OutboxMessage.attempts
        )
    )
    with sessions.begin() as session:
        return [Claimed(*row) for row in session.execute(lease)]


def delivered(sessions: Sessions, message_id: UUID) -> None:
    _mark(sessions, message_id, state="done")


async def report_waiting(sessions: Sessions) -> None:
    OUTBOX_WAITING.set(await asyncio.to_thread(waiting, sessions))


def waiting(sessions: Sessions) -> int:
    with sessions() as session:
        return session.scalars(select(func.count()).where(OutboxMessage.state == "waiting")).one()


def _mark(sessions: Sessions, message_id: UUID, **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(
            update(OutboxMessage).where(OutboxMessage.id == message_id).values(**values)
        )
