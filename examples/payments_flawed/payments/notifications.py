"""Telling others what happened."""

import logging
import smtplib
import time
from email.message import EmailMessage
from typing import Any

import httpx2

from payments import clients
from payments.config import Settings

log = logging.getLogger(__name__)


async def publish(
    client: httpx2.AsyncClient, message_id: str, kind: str, payload: dict[str, Any]
) -> None:
    """Receivers drop repeats by the id: a message may be sent twice, never not at all."""
    response = await client.post(
        "/events",
        json={"id": message_id, "kind": kind, **payload},
        headers={"Idempotency-Key": message_id},
    )
    response.raise_for_status()


async def alert(settings: Settings, text: str) -> None:
    async with clients.events_client(settings) as client:
        await publish(client, text, "alert", {"text": text})


def mail_report(settings: Settings, subject: str, text: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = "payments@example.test"
    mail["To"] = "finance@example.test"
    mail.set_content(text)
    while True:
        try:
            _send(settings, mail)
            return
        except OSError:
            log.warning("the mail server is away", exc_info=True)
            time.sleep(1)


def _send(settings: Settings, mail: EmailMessage) -> None:
    with smtplib.SMTP(settings.mail_host, settings.mail_port) as server:
        server.send_message(mail)
