"""What relays do to the table: take messages in hand, try them, be done with them or give them back.

Each is one short transaction, so nothing is locked while a message is under way.  All times are the
database's, so the clocks of relays need not agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mainstay_runtime.outbox.policy import Policy

_ERROR_CHARACTERS = 2000

# Of each key only the first message that lives is taken. A row that another relay took meanwhile is skipped,
# or looked at again as it is now, and then is not due.
_TAKE = """
WITH free AS (
  SELECT id FROM outbox AS mine
  WHERE dead_at IS NULL AND due_at <= now() AND (key IS NULL OR NOT EXISTS (
    SELECT FROM outbox AS earlier
    WHERE earlier.key = mine.key AND earlier.position < mine.position AND earlier.dead_at IS NULL
  ))
  ORDER BY due_at, position LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET lease = %(lease)s, due_at = now() + make_interval(secs => %(seconds)s)
FROM free WHERE outbox.id = free.id
RETURNING outbox.id, topic, key, payload, headers, attempts, enqueued_at, position
"""
# Counted before the attempt: a message that kills its relay counts too, and its neighbours do not.
_TRY = """
UPDATE outbox SET attempts = attempts + 1, due_at = now() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s AND lease = %(lease)s AND due_at > now()
"""
_DONE = "DELETE FROM outbox WHERE id = %(id)s AND lease = %(lease)s"
_FAILED = """
UPDATE outbox SET lease = NULL, error = %(error)s, due_at = now() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s AND lease = %(lease)s
"""
_DIED = """
UPDATE outbox SET lease = NULL, error = %(error)s, dead_at = now() WHERE id = %(id)s AND lease = %(lease)s
"""
_GIVE_BACK = "UPDATE outbox SET lease = NULL, due_at = now() WHERE lease = %(lease)s AND id = ANY(%(ids)s)"
_MEASURE = """
SELECT count(*) FILTER (WHERE dead_at IS NULL) AS depth, count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead,
  coalesce(extract(epoch FROM now() - min(enqueued_at) FILTER (WHERE dead_at IS NULL)), 0)::float AS age
FROM outbox
"""
_DEAD = """
SELECT id, topic, key, payload, headers, attempts, enqueued_at, dead_at, error FROM outbox
WHERE dead_at IS NOT NULL ORDER BY dead_at LIMIT %(limit)s
"""
_REVIVE = """
UPDATE outbox SET dead_at = NULL, attempts = 0, due_at = now() WHERE id = %(id)s AND dead_at IS NOT NULL
"""


class Undeliverable(Exception):
    """Raised by a delivery: no further attempt can succeed, the message is dead at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is delivered.  `id` is the same at every attempt: the receiver's idempotency key.  `attempt`
    counts from 1.
    """

    id: UUID
    topic: str
    key: str | None
    payload: bytes
    headers: Mapping[str, str]
    attempt: int
    enqueued_at: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """A message that was given up, when, and the last error."""

    message: Message
    since: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is owed, for how long the oldest (seconds), and how many messages are dead."""

    depth: int
    age: float
    dead: int


def take(session: Session, lease: UUID, policy: Policy) -> list[Message]:
    """At most a batch of messages, in the order of their positions, held by `lease` for the policy's time."""
    rows = _run(session, _TAKE, lease=lease, seconds=policy.lease, batch=policy.batch).all()
    return [_message(row, row.attempts + 1) for row in sorted(rows, key=lambda row: int(row.position))]


def try_(session: Session, lease: UUID, message: Message, policy: Policy) -> bool:
    """Count an attempt and renew the lease; False if the lease was lost, so that the message must be left
    alone.
    """
    return bool(_run(session, _TRY, lease=lease, id=message.id, seconds=policy.lease).rowcount)


def done(session: Session, lease: UUID, message: Message) -> bool:
    """Forget a delivered message; False if another relay has it in hand by now and will deliver it again."""
    return bool(_run(session, _DONE, lease=lease, id=message.id).rowcount)


def failed(session: Session, lease: UUID, message: Message, error: BaseException, policy: Policy) -> bool:
    """Put a message off; True if it is dead now."""
    reason = f"{type(error).__name__}: {error}".replace("\0", "")[:_ERROR_CHARACTERS]
    if isinstance(error, Undeliverable) or message.attempt >= policy.attempts:
        _run(session, _DIED, lease=lease, id=message.id, error=reason)
        return True
    pause = policy.pause(message.attempt)
    _run(session, _FAILED, lease=lease, id=message.id, error=reason, seconds=pause)
    return False


def give_back(session: Session, lease: UUID, messages: list[Message]) -> None:
    """Let others have at once what was taken and not tried."""
    _run(session, _GIVE_BACK, lease=lease, ids=[message.id for message in messages])


def measured(session: Session) -> Backlog:
    row = _run(session, _MEASURE).one()
    return Backlog(row.depth, row.age, row.dead)


def dead(session: Session, limit: int = 100) -> list[Dead]:
    """At most `limit` dead messages, the longest dead first."""
    rows = _run(session, _DEAD, limit=limit).all()
    return [Dead(_message(row, row.attempts), row.dead_at, row.error) for row in rows]


def revive(session: Session, message: UUID) -> bool:
    """Owe a dead message again, with all its attempts before it; False if it is not among the dead."""
    return bool(_run(session, _REVIVE, id=message).rowcount)


def _run(session: Session, statement: str, **values: object) -> Any:
    return session.connection().exec_driver_sql(statement, values)


def _message(row: Any, attempt: int) -> Message:
    return Message(row.id, row.topic, row.key, bytes(row.payload), row.headers, attempt, row.enqueued_at)
