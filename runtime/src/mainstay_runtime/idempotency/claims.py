"""Take a key for this request, or get the answer that it already has."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg.types.json import Jsonb
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from mainstay_runtime.events import tell
from mainstay_runtime.idempotency.address import Address, address
from mainstay_runtime.idempotency.digest import digest
from mainstay_runtime.idempotency.refusals import InProgress, Reused
from mainstay_runtime.idempotency.stored import Stored, Unanswered, answer

WAIT_S = 2.0  # below the usual timeouts of statements and clients; every waiting claim holds a connection
RETRY_AFTER_S = 1.0

# Every claim of a key holds the key's advisory lock until its transaction ends. The usual claim takes lock
# and key in one round trip and without waiting; where it takes nothing, there is an answer or somebody at
# work.
_TAKE = """
INSERT INTO idempotency_key (scope, operation, key, request)
SELECT %(scope)s, %(operation)s, %(key)s, %(request)s WHERE pg_try_advisory_xact_lock(%(lock)s)
ON CONFLICT (scope, operation, key) DO NOTHING
"""
# The queue for the lock is first come, first served, so that one limit bounds the whole wait. `before` is
# read before the limit is set, because setting it needs its row, and the caller puts it back.
_LIMIT = """
WITH before AS MATERIALIZED (SELECT current_setting('lock_timeout') AS wait)
SELECT before.wait, set_config('lock_timeout', %(wait)s, true) FROM before
"""
_WAIT = "SELECT pg_advisory_xact_lock(%(lock)s), set_config('lock_timeout', %(before)s, true)"
_EARLIER = """
SELECT k.request, a.status, a.headers, a.body, a.pending
FROM idempotency_key AS k LEFT JOIN idempotency_answer AS a USING (scope, operation, key)
WHERE k.scope = %(scope)s AND k.operation = %(operation)s AND k.key = %(key)s
"""
_STORE = """
INSERT INTO idempotency_answer (scope, operation, key, status, headers, body, pending)
VALUES (%(scope)s, %(operation)s, %(key)s, %(status)s, %(headers)s, %(body)s, %(pending)s)
"""


class Claim:
    """A key that this transaction holds, or the answer of the request that held it before.

    With `replay` set nothing is to be done but to answer it.  Otherwise do the effect in the same session and
    `store` the answer; a commit without it fails on the constraint `idempotency_key_has_an_answer`.
    """

    __slots__ = ("_address", "_connection", "_session", "replay")

    def __init__(
        self, session: Session, connection: Connection, address: Address, replay: Stored | None
    ) -> None:
        self._session = session
        self._connection = connection
        self._address = address
        self.replay = replay

    def store(
        self,
        status: int,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        *,
        pending: bool = False,
    ) -> Stored:
        """Store the answer in the transaction of the effect and return it, as every repetition will get it.

        Bytes and text are stored as they are, anything else as JSON.  `pending` says that `settle` will
        replace it.  Raises TooLarge for more than 1 MiB of body or 16 headers, RuntimeError for a claim that
        has a replay or whose transaction has ended, sqlalchemy.exc.IntegrityError for a second answer.
        """
        if self.replay is not None:
            raise RuntimeError("this key has an answer: return `replay`, do nothing else")
        stored = answer(status, body, headers, pending=pending)
        if self._connection.closed:
            raise RuntimeError("the transaction that claimed this key has ended: claim it again")
        connection = self._session.connection()  # anew, because that begins a savepoint where one is due
        connection.exec_driver_sql(_STORE, self._address.parameters() | columns(stored))
        return stored


def claim(
    session: Session,
    *,
    scope: str | int | UUID,
    operation: str,
    key: str | None,
    request: object,
    wait: float = WAIT_S,
) -> Claim:
    """Take the key in the session's transaction, best as its first statement.

    `scope` is who calls (tenant or principal, never something the caller chooses freely), `operation` what is
    done, `request` everything that decides what is done: the body, and what of the path is not in
    `operation`. It is compared by `digest`, so it is never stored.

    Waits at most `wait` seconds for concurrent claims of the same key, then raises InProgress.  Raises Reused
    for another request under the key, Malformed for a key that is not 1 to 255 printable ASCII characters,
    ValueError for an empty scope.  After InProgress PostgreSQL accepts nothing but a rollback, which leaving
    `with sessions.begin()` by the exception does.
    """
    place = address(scope, operation, key)
    asked = digest(request)
    connection = session.connection()
    if _takes(connection, place, asked):
        return Claim(session, connection, place, None)
    replay = _earlier(connection, place, asked) or _waited(connection, place, asked, wait)
    return Claim(session, connection, place, replay)


def columns(stored: Stored) -> dict[str, object]:
    """An answer as the columns of its table."""
    return {
        "status": stored.status,
        "headers": Jsonb(dict(stored.headers)),
        "body": stored.body,
        "pending": stored.pending,
    }


def _takes(connection: Connection, place: Address, asked: bytes) -> bool:
    parameters = place.parameters() | {"request": asked, "lock": place.lock}
    took: bool = connection.exec_driver_sql(_TAKE, parameters).rowcount == 1
    if took:
        tell("idempotency", place.operation, "claimed")
    return took


def _earlier(connection: Connection, place: Address, asked: bytes) -> Stored | None:
    row = connection.exec_driver_sql(_EARLIER, place.parameters()).one_or_none()
    return None if row is None else _same(row, place, asked)


def _waited(connection: Connection, place: Address, asked: bytes, wait: float) -> Stored | None:
    """What the transaction left that held the key, or nothing: then the key is ours."""
    _wait(connection, place, wait)
    if _takes(connection, place, asked):
        return None
    earlier = _earlier(connection, place, asked)
    if earlier is None:  # purged just now; who retries for so long can retry once more
        raise _in_progress(place)
    return earlier


def _wait(connection: Connection, place: Address, wait: float) -> None:
    """Wait for the key's lock, at most so many seconds.  A statement timeout below that ends the wait too."""
    limit = f"{max(1, round(wait * 1000))}ms"  # PostgreSQL takes 0 for "no limit"
    before = connection.exec_driver_sql(_LIMIT, {"wait": limit}).scalar_one()
    try:
        connection.exec_driver_sql(_WAIT, {"lock": place.lock, "before": before})
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable | QueryCanceled):
            raise
        raise _in_progress(place) from error


def _in_progress(place: Address) -> InProgress:
    tell("idempotency", place.operation, "in_progress")
    return InProgress(place.operation, RETRY_AFTER_S)


def _same(row: Any, place: Address, asked: bytes) -> Stored:
    if bytes(row.request) != asked:
        tell("idempotency", place.operation, "reused")
        raise Reused(place.operation)
    if row.status is None:  # only the transaction that claimed it can see a key without an answer
        raise Unanswered("this transaction claimed the key before and has not stored its answer yet")
    tell("idempotency", place.operation, "replayed")
    return Stored(row.status, row.headers, bytes(row.body), row.pending)
