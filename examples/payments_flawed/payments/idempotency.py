"""Answer a repeated request with what the first one did.

The key is stored in the transaction that stores its effect, so neither exists without the other.
"""

import hashlib
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payments.errors import Unprocessable
from payments.models import IdempotencyKey


def fingerprint(operation: str, body: BaseModel) -> str:
    return hashlib.sha256(f"{operation}\n{body.model_dump_json()}".encode()).hexdigest()


def find(session: Session, key: str) -> IdempotencyKey | None:
    return session.scalars(
        select(IdempotencyKey).where(IdempotencyKey.key == key).limit(1)
    ).first()


def store(session: Session, tenant_id: UUID, key: str, print_: str, resource_id: UUID) -> None:
    session.add(
        IdempotencyKey(tenant_id=tenant_id, key=key, fingerprint=print_, resource_id=resource_id)
    )


def claim(session: Session, tenant_id: UUID, key: str, print_: str, resource_id: UUID) -> UUID:
    """Take the key for this resource, or return the resource that already has it.

    A concurrent claim of the same key waits in the insert until this transaction ends.
    """
    taken = session.scalar(
        insert(IdempotencyKey)
        .values(tenant_id=tenant_id, key=key, fingerprint=print_, resource_id=resource_id)
        .on_conflict_do_nothing(index_elements=["tenant_id", "key"])
        .returning(IdempotencyKey.resource_id)
    )
    return taken if taken is not None else _earlier(session, tenant_id, key, print_)


def _earlier(session: Session, tenant_id: UUID, key: str, print_: str) -> UUID:
    earlier = session.scalars(
        select(IdempotencyKey).where(
            IdempotencyKey.tenant_id == tenant_id, IdempotencyKey.key == key
        )
    ).one()
    if earlier.fingerprint != print_:
        raise Unprocessable("this idempotency key was used for another request")
    return earlier.resource_id
