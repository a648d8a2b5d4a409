"""Telling others what happened."""

import smtplib
from email.message import EmailMessage

import httpx2

from payments.config import Settings
from payments.outbox import Claimed

MAIL_TIMEOUT_S = 10


def build_client(settings: Settings) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=settings.events_url, timeout=httpx2.Timeout(5.0, connect=2.0)
    )


async def publish(client: httpx2.AsyncClient, message: Claimed) -> None:
    """Receivers drop repeats by the id: a message may be sent twice, never not at all."""
    response = await client.post(
        "/events",
        json={"id": str(message.id), "kind": message.kind, **message.payload},
        headers={"Idempotency-Key": str(message.id)},
        timeout=5.0,
    )
    response.raise_for_status()


def mail_report(settings: Settings, subject: str, text: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = "payments@example.test"
    mail["To"] = "finance@example.test"
    mail.set_content(text)
    with smtplib.SMTP(settings.mail_host, settings.mail_port, timeout=MAIL_TIMEOUT_S) as server:
        server.send_message(mail)
