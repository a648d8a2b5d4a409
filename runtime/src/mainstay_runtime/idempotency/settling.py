"""Effects that call another service: reserve in one transaction, call, settle in a second one.

The first transaction stores a pending answer (202) with what is needed to go on; the second one replaces it.
What a crash leaves between them is found by `unsettled` and carried on, with the same key handed to the other
service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from mainstay_runtime.events import tell
from mainstay_runtime.idempotency.address import address
from mainstay_runtime.idempotency.claims import columns
from mainstay_runtime.idempotency.stored import Stored, answer

_SETTLE = """
UPDATE idempotency_answer
SET status = %(status)s, headers = %(headers)s, body = %(body)s, pending = %(pending)s, stored_at = now()
WHERE scope = %(scope)s AND operation = %(operation)s AND key = %(key)s AND pending
"""
_STANDING = """
SELECT status, headers, body, pending FROM idempotency_answer
WHERE scope = %(scope)s AND operation = %(operation)s AND key = %(key)s
"""
_UNSETTLED = """
SELECT scope, operation, key, stored_at FROM idempotency_answer
WHERE pending AND operation = %(operation)s AND stored_at < now() - %(older_than)s
ORDER BY stored_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A key whose answer is still pending, since when."""

    scope: str
    operation: str
    key: str
    since: datetime


def settle(
    session: Session,
    *,
    scope: str | int | UUID,
    operation: str,
    key: str,
    status: int,
    body: object = b"",
    headers: Mapping[str, str] | None = None,
) -> Stored:
    """Replace the pending answer, in the session's transaction, and return the answer that stands.

    The first to settle wins: if the answer is final already it is returned unchanged, so that two that carry
    on the same request answer alike.  Raises LookupError for a key that has no answer, else as `Claim.store`
    does.
    """
    place = address(scope, operation, key)
    stored = answer(status, body, headers)
    connection = session.connection()
    if connection.exec_driver_sql(_SETTLE, place.parameters() | columns(stored)).rowcount:
        tell("idempotency", operation, "settled")
        return stored
    row = connection.exec_driver_sql(_STANDING, place.parameters()).one_or_none()
    if row is None:
        raise LookupError(f"{operation}: no key to settle; it was never claimed, or was rolled back")
    return Stored(row.status, row.headers, bytes(row.body), row.pending)


def unsettled(session: Session, operation: str, older_than: timedelta, batch: int = 100) -> list[Unsettled]:
    """At most `batch` keys of the operation that have been pending for longer than `older_than`, oldest
    first.

    They stay locked until the session's transaction ends, and what another transaction holds is left out, so
    several may carry on at once.  `older_than` has to exceed the deadline of the request that is perhaps
    still at work.
    """
    asked = {"operation": operation, "older_than": older_than, "batch": batch}
    rows = session.connection().exec_driver_sql(_UNSETTLED, asked).all()
    if rows:
        tell("idempotency", operation, "unsettled", len(rows))
    return [Unsettled(*row) for row in rows]
