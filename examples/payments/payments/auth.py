"""Who is calling. Every route depends on one of the three functions here."""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request
from sqlalchemy import select

from payments.errors import TooLarge, Unauthorised
from payments.models import ApiKey
from payments.services import Provided

MAX_WEBHOOK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Principal:
    tenant_id: UUID


def digest(key: str) -> str:
    """Keys are long and random, so a plain digest is enough to store."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    return secrets.token_urlsafe(32)


def authenticate(
    services: Provided, authorization: Annotated[str | None, Header()] = None
) -> Principal:
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthorised("an API key is needed")
    with services.reads() as session:
        tenant_id = session.scalar(
            select(ApiKey.tenant_id).where(
                ApiKey.digest == digest(key), ApiKey.revoked_at.is_(None)
            )
        )
    if tenant_id is None:
        raise Unauthorised("this API key is not valid")
    return Principal(tenant_id)


Caller = Annotated[Principal, Depends(authenticate)]


async def signed_body(
    request: Request,
    services: Provided,
    x_processor_signature: Annotated[str, Header(max_length=128)],
) -> bytes:
    """The body of a webhook, once its signature shows that the processor sent it."""
    body = await _read_capped(request, MAX_WEBHOOK_BYTES)
    wanted = hmac.new(services.settings.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), x_processor_signature.encode()):
        raise Unauthorised("the signature does not match")
    return body


async def _read_capped(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge("the body is too large")
    return bytes(body)


SignedBody = Annotated[bytes, Depends(signed_body)]


def public(*, reason: str) -> Callable[[], Awaitable[None]]:
    """Mark routes that need no caller, and say why they do not."""
    if not reason:
        raise ValueError("a public route needs a reason")

    # Not a plain function: that would wait for a free thread, and whoever asks whether the process
    # is alive must be answered when all threads are busy.
    async def anyone() -> None:
        return None

    return anyone
