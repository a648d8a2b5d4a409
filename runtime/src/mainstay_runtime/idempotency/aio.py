"""The same for an `AsyncSession`: same names, same arguments, awaited."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from mainstay_runtime.idempotency import claims, expiry, settling
from mainstay_runtime.idempotency.claims import WAIT_S
from mainstay_runtime.idempotency.settling import Unsettled
from mainstay_runtime.idempotency.stored import Stored


class Claim:
    """As `mainstay_runtime.idempotency.Claim`; `store` is awaited."""

    __slots__ = ("_claim", "_session")

    def __init__(self, session: AsyncSession, claim: claims.Claim) -> None:
        self._session = session
        self._claim = claim

    @property
    def replay(self) -> Stored | None:
        return self._claim.replay

    async def store(
        self,
        status: int,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        *,
        pending: bool = False,
    ) -> Stored:
        def stored(_: Session) -> Stored:
            return self._claim.store(status, body, headers, pending=pending)

        return await self._session.run_sync(stored)


async def claim(
    session: AsyncSession,
    *,
    scope: str | int | UUID,
    operation: str,
    key: str | None,
    request: object,
    wait: float = WAIT_S,
) -> Claim:
    """As `mainstay_runtime.idempotency.claim`."""

    def claimed(sync: Session) -> claims.Claim:
        return claims.claim(sync, scope=scope, operation=operation, key=key, request=request, wait=wait)

    return Claim(session, await session.run_sync(claimed))


async def settle(
    session: AsyncSession,
    *,
    scope: str | int | UUID,
    operation: str,
    key: str,
    status: int,
    body: object = b"",
    headers: Mapping[str, str] | None = None,
) -> Stored:
    """As `mainstay_runtime.idempotency.settle`."""

    def settled(sync: Session) -> Stored:
        return settling.settle(
            sync, scope=scope, operation=operation, key=key, status=status, body=body, headers=headers
        )

    return await session.run_sync(settled)


async def unsettled(
    session: AsyncSession, operation: str, older_than: timedelta, batch: int = 100
) -> list[Unsettled]:
    """As `mainstay_runtime.idempotency.unsettled`."""
    return await session.run_sync(settling.unsettled, operation, older_than, batch)


async def purge(session: AsyncSession, older_than: timedelta, batch: int = 1000) -> int:
    """As `mainstay_runtime.idempotency.purge`."""
    return await session.run_sync(expiry.purge, older_than, batch)
