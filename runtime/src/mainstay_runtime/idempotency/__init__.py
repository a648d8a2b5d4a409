"""Answer a repeated request with what the first one answered.

Key, effect and answer are stored in one PostgreSQL transaction, the caller's own, so none exists without the
others:

    with sessions.begin() as session:
        claim = idempotency.claim(session, scope=tenant_id, operation="charge", key=key, request=body)
        if claim.replay is not None:
            return claim.replay
        ...  # the effect
        return claim.store(201, answer)

For an `AsyncSession` the same names are in `mainstay_runtime.idempotency.aio`.
"""

from mainstay_runtime.idempotency.claims import Claim, claim
from mainstay_runtime.idempotency.digest import digest
from mainstay_runtime.idempotency.expiry import purge
from mainstay_runtime.idempotency.refusals import InProgress, Malformed, Reused
from mainstay_runtime.idempotency.schema import ddl, tables
from mainstay_runtime.idempotency.settling import Unsettled, settle, unsettled
from mainstay_runtime.idempotency.stored import Stored, TooLarge, Unanswered

__all__ = [
    "Claim",
    "InProgress",
    "Malformed",
    "Reused",
    "Stored",
    "TooLarge",
    "Unanswered",
    "Unsettled",
    "claim",
    "ddl",
    "digest",
    "purge",
    "settle",
    "tables",
    "unsettled",
]
