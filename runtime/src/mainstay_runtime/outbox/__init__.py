"""Messages that are owed if, and only if, the transaction that enqueued them committed.

    with sessions.begin() as session:
        ...  # the effect
        outbox.enqueue(session, "charge.succeeded", event, key=charge.id)

A `Relay` delivers each at least once, always under the same id, which is the receiver's idempotency key.  For
`AsyncSession` and async delivery the same names are in `mainstay_runtime.outbox.aio`.
"""

from mainstay_runtime.outbox.enqueueing import PAYLOAD_BYTES, enqueue
from mainstay_runtime.outbox.leases import Dead, Message, Undeliverable, dead, revive
from mainstay_runtime.outbox.policy import Policy
from mainstay_runtime.outbox.relay import Relay
from mainstay_runtime.outbox.schema import ddl, table

__all__ = [
    "PAYLOAD_BYTES",
    "Dead",
    "Message",
    "Policy",
    "Relay",
    "Undeliverable",
    "ddl",
    "dead",
    "enqueue",
    "revive",
    "table",
]
