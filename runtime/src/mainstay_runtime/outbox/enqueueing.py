"""Owe a message, in the transaction of the effect that it tells of."""

from collections.abc import Mapping
from hashlib import sha256
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from mainstay_runtime.events import tell
from mainstay_runtime.idempotency.digest import encoded

PAYLOAD_BYTES = 1 << 20  # larger things are kept elsewhere and named in the message

_ENQUEUE = """
INSERT INTO outbox (id, topic, payload, headers)
VALUES (%(id)s, %(topic)s, %(payload)s, %(headers)s)
"""
# The position is drawn with the key's lock in hand, which is held to the end of the transaction. So the order
# of positions is the order of commits; without the lock a later position could be visible, and delivered,
# first.
_ENQUEUE_IN_ORDER = """
INSERT INTO outbox (id, topic, key, payload, headers)
SELECT %(id)s, %(topic)s, %(key)s, %(payload)s, %(headers)s
WHERE pg_advisory_xact_lock(%(lock)s) IS NOT NULL
"""


def enqueue(
    session: Session,
    topic: str,
    payload: object,
    *,
    key: str | int | UUID | None = None,
    headers: Mapping[str, str] | None = None,
) -> UUID:
    """Owe a message from the commit of the session's transaction on; return its id, which never changes.

    Bytes and text are sent as they are, anything else as JSON.  Messages of one `key` are delivered in the
    order in which their transactions committed; those transactions wait for each other from here to their
    end, so enqueue late, and several keys in a fixed order.  Raises ValueError for more than 1 MiB of payload
    and for a topic or key that is empty or longer than 255 characters, TypeError for what has no JSON.
    """
    for name, value in (("topic", topic), ("key", "-" if key is None else str(key))):
        if not 1 <= len(value) <= 255:
            raise ValueError(f"the {name} has {len(value)} characters; 1 to 255 are needed")
    content = encoded(payload)
    if len(content) > PAYLOAD_BYTES:
        raise ValueError(f"{len(content)} bytes of payload, at most {PAYLOAD_BYTES} are kept")
    values: dict[str, object] = {"id": uuid4(), "topic": topic, "payload": content}
    values["headers"] = Jsonb(dict(headers or {}))
    if key is not None:
        values |= {"key": str(key), "lock": _lock(str(key))}
    session.connection().exec_driver_sql(_ENQUEUE if key is None else _ENQUEUE_IN_ORDER, values)
    tell("outbox", topic, "enqueued")
    return UUID(str(values["id"]))


def _lock(key: str) -> int:
    return int.from_bytes(sha256(f"outbox\0{key}".encode()).digest()[:8], signed=True)
