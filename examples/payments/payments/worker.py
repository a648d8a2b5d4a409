"""The background process: relays the outbox and finishes pending payments.

python -m payments.worker
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable

import httpx2
from prometheus_client import start_http_server

from payments import logs, notifications, outbox, reconcile, services
from payments.config import Settings
from payments.metrics import OUTBOX_FAILURES, OUTBOX_WAITING, WORKER_FAILURES
from payments.services import Services

log = logging.getLogger(__name__)

IDLE_S = 1.0
RECONCILE_EVERY_S = 15.0
PARALLEL_DELIVERIES = 8


async def relay_once(held: Services, client: httpx2.AsyncClient) -> int:
    messages = await asyncio.to_thread(outbox.claim, held.sessions)
    slots = asyncio.Semaphore(PARALLEL_DELIVERIES)

    async def deliver(message: outbox.Claimed) -> None:
        async with slots:
            await _deliver(held, client, message)

    async with asyncio.TaskGroup() as group:
        for message in messages:
            group.create_task(deliver(message))
    OUTBOX_WAITING.set(await asyncio.to_thread(outbox.waiting, held.sessions))
    return len(messages)


async def _deliver(held: Services, client: httpx2.AsyncClient, message: outbox.Claimed) -> None:
    """One bad message must not stop the others: it waits for its next turn."""
    try:
        await notifications.publish(client, message)
    except Exception:
        OUTBOX_FAILURES.inc()
        log.exception("message not delivered", extra={"message_id": message.id})
        await _record(lambda: outbox.failed(held.sessions, message))
    else:
        await _record(lambda: outbox.delivered(held.sessions, message.id))


async def _record(write: Callable[[], None]) -> None:
    """If this fails the lease runs out and the message is sent again: late, and not lost."""
    try:
        await asyncio.to_thread(write)
    except Exception:
        WORKER_FAILURES.labels("relay").inc()
        log.exception("what became of a message was not stored")


async def _repeat(
    job: str, pause: float, step: Callable[[], Awaitable[object]], stop: asyncio.Event
) -> None:
    """Keep going until told to stop, whatever one round runs into."""
    while not stop.is_set():
        try:
            await step()
        except Exception:
            WORKER_FAILURES.labels(job).inc()
            log.exception("a round of %s failed", job)
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            continue


async def run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    held = services.build(settings)
    try:
        async with notifications.build_client(settings) as client, asyncio.TaskGroup() as group:
            group.create_task(_repeat("relay", IDLE_S, lambda: relay_once(held, client), stop))
            group.create_task(
                _repeat(
                    "reconcile",
                    RECONCILE_EVERY_S,
                    lambda: asyncio.to_thread(reconcile.run_once, held),
                    stop,
                )
            )
    finally:
        held.close()


def main() -> None:
    logs.configure()
    settings = Settings.from_environment()
    start_http_server(settings.worker_metrics_port)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
