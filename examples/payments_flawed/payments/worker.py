"""The background process: relays the outbox and finishes pending payments.

python -m payments.worker
"""

import asyncio
import logging
import signal
import threading
import time

import httpx2
from prometheus_client import start_http_server

from payments import clients, logs, notifications, outbox, reconcile, services
from payments.config import Settings
from payments.services import Services

log = logging.getLogger(__name__)

IDLE_S = 1.0


async def relay_once(held: Services, client: httpx2.AsyncClient) -> int:
    messages = await asyncio.to_thread(outbox.claim, held.sessions)
    await asyncio.gather(*(_deliver(held, client, message) for message in messages))
    outbox.report_waiting(held.sessions)
    return len(messages)


async def _deliver(held: Services, client: httpx2.AsyncClient, message: outbox.Claimed) -> None:
    await notifications.publish(client, str(message.id), message.kind, message.payload)
    await asyncio.to_thread(outbox.delivered, held.sessions, message.id)


async def _relay(held: Services, client: httpx2.AsyncClient, stop: asyncio.Event) -> None:
    while not stop.is_set():
        sent = await relay_once(held, client)
        _rest(sent)


def _rest(sent: int) -> None:
    if not sent:
        time.sleep(IDLE_S)


async def run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    held = services.build(settings)
    stopping = threading.Event()
    reconciler = threading.Thread(target=reconcile.run_until, args=(held, stopping))
    reconciler.start()
    try:
        async with clients.events_client(settings) as client:
            await _relay(held, client, stop)
    finally:
        stopping.set()
        await asyncio.to_thread(reconciler.join, 30)
        held.close()


def main() -> None:
    logs.configure()
    settings = Settings.from_environment()
    start_http_server(settings.worker_metrics_port)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
