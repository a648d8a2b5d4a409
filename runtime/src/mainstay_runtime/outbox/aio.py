"""The same for an `AsyncSession` and an async delivery; a batch is delivered at once, at most one of each
key.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from mainstay_runtime.outbox import enqueueing, leases, told
from mainstay_runtime.outbox.leases import Dead, Message
from mainstay_runtime.outbox.policy import Policy
from mainstay_runtime.outbox.relay import DATABASE_DOWN

_log = logging.getLogger(__name__)


async def enqueue(
    session: AsyncSession,
    topic: str,
    payload: object,
    *,
    key: str | int | UUID | None = None,
    headers: Mapping[str, str] | None = None,
) -> UUID:
    """As `mainstay_runtime.outbox.enqueue`."""

    def enqueued(sync: Session) -> UUID:
        return enqueueing.enqueue(sync, topic, payload, key=key, headers=headers)

    return await session.run_sync(enqueued)


async def dead(session: AsyncSession, limit: int = 100) -> list[Dead]:
    """As `mainstay_runtime.outbox.dead`."""
    return await session.run_sync(leases.dead, limit)


async def revive(session: AsyncSession, message: UUID) -> bool:
    """As `mainstay_runtime.outbox.revive`."""
    return await session.run_sync(leases.revive, message)


class Relay:
    """As `mainstay_runtime.outbox.Relay`; a delivery that takes longer than nine tenths of the lease is
    cancelled.

    The pool has to have connections for a batch, else its deliveries wait for each other.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        deliver: Callable[[Message], Awaitable[None]],
        *,
        name: str = "outbox",
        policy: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._deliver = deliver
        self._name = name
        self._policy = policy or Policy()
        self._clock = clock
        self._measured: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then end what is under way and return.

        A slow delivery takes one place of the batch and does not hold up the others.  Survives an unreachable
        database: logs, tells `unreachable` and tries again after a poll.
        """
        under_way: set[asyncio.Task[None]] = set()
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                began = await self._begin(self._policy.batch - len(under_way))
                under_way |= began
                until = asyncio.FIRST_COMPLETED
                await asyncio.wait({*under_way, stopped}, timeout=self._policy.poll, return_when=until)
                for task in [task for task in under_way if task.done()]:
                    under_way.remove(task)
                    task.result()  # a mistake of ours must not pass in silence
        finally:
            stopped.cancel()
            await asyncio.gather(*under_way)

    async def once(self) -> int:
        """Take one batch, deliver it at once, and return how many messages were tried."""
        began = await self._begin(self._policy.batch)
        await asyncio.gather(*began)
        return len(began)

    async def _begin(self, places: int) -> set[asyncio.Task[None]]:
        if not places:
            return set()
        lease = uuid4()
        messages: list[Message] = []
        with self._surviving():
            await self._measure()
            async with self._sessions.begin() as session:
                messages = await session.run_sync(leases.take, lease, replace(self._policy, batch=places))
        return {asyncio.create_task(self._deliver_one(lease, message)) for message in messages}

    async def _deliver_one(self, lease: UUID, message: Message) -> None:
        with self._surviving():
            await self._handle(lease, message)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except DATABASE_DOWN:
            _log.exception("%s: the database is unreachable", self._name)
            told.outcome(self._name, "unreachable")

    async def _handle(self, lease: UUID, message: Message) -> None:
        async with self._sessions.begin() as session:
            if not await session.run_sync(leases.try_, lease, message, self._policy):
                return
        try:
            if message.attempt > self._policy.attempts:
                raise leases.Undeliverable("every relay that tried it died")
            async with asyncio.timeout(self._policy.lease * 0.9):
                await self._deliver(message)
        except Exception as error:  # noqa: BLE001 - one bad message never stops the rest
            _log.warning("%s: %s of %s failed", self._name, message.id, message.topic, exc_info=True)
            async with self._sessions.begin() as session:
                died = await session.run_sync(leases.failed, lease, message, error, self._policy)
            told.outcome(self._name, "died" if died else "failed")
            return
        async with self._sessions.begin() as session:
            kept = await session.run_sync(leases.done, lease, message)
        told.outcome(self._name, "delivered" if kept else "late")

    async def _measure(self) -> None:
        now = self._clock()
        if self._measured is not None and now - self._measured < self._policy.measure:
            return
        async with self._sessions.begin() as session:
            told.backlog(self._name, await session.run_sync(leases.measured))
        self._measured = now
