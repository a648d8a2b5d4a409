"""Forget keys after their time, in small batches and beside the service at work."""

from datetime import timedelta

from sqlalchemy.orm import Session

from mainstay_runtime.events import tell

# Keys go with their answers by the foreign key. A pending answer stands for an effect on its way: it stays.
_PURGE = """
WITH old AS (
  SELECT scope, operation, key FROM idempotency_answer
  WHERE NOT pending AND stored_at < now() - %(older_than)s
  ORDER BY stored_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_answer USING old
WHERE idempotency_answer.scope = old.scope AND idempotency_answer.operation = old.operation
  AND idempotency_answer.key = old.key
"""


def purge(session: Session, older_than: timedelta, batch: int = 1000) -> int:
    """Delete at most `batch` settled answers older than `older_than`, with their keys; return how many.

    Call it in a transaction of its own until it returns less than `batch`.  Several may run at once: each
    takes rows that no other has.  `older_than` has to exceed the time for which clients retry; 24 hours are
    usual.
    """
    if older_than <= timedelta(0):
        raise ValueError("keys have to live for some time, else a retry finds nothing to repeat")
    purged = session.connection().exec_driver_sql(_PURGE, {"older_than": older_than, "batch": batch}).rowcount
    if purged:
        tell("idempotency", "", "purged", purged)
    return purged
