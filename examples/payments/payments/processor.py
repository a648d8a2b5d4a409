"""The card processor, spoken to over HTTP. Every request carries a key, so it may be repeated."""

from dataclasses import dataclass
from threading import BoundedSemaphore
from uuid import UUID

import httpx2

from payments.config import Settings
from payments.metrics import PROCESSOR_FAILURES, PROCESSOR_SECONDS
from payments.retry import RetryPolicy, Transient, with_backoff

FREE_WITHIN_S = 0.1


class ProcessorUnavailable(Exception):
    """No answer we can trust: the money may or may not have moved."""


@dataclass(frozen=True, slots=True)
class Outcome:
    approved: bool
    reference: str | None


def build_client(settings: Settings) -> httpx2.Client:
    return httpx2.Client(
        base_url=settings.processor_url,
        headers={"Authorization": f"Bearer {settings.processor_key}"},
        timeout=httpx2.Timeout(4.0, connect=2.0),
        limits=httpx2.Limits(max_connections=settings.processor_slots),
    )


class Processor:
    """At most `slots` requests wait for it at once, so a slow one cannot take every thread."""

    def __init__(
        self, client: httpx2.Client, slots: int, policy: RetryPolicy | None = None
    ) -> None:
        self._client = client
        self._slots = BoundedSemaphore(slots)
        self._policy = policy or RetryPolicy()

    def charge(self, charge_id: UUID, amount_minor: int, currency: str, token: str) -> Outcome:
        body = {
            "reference": str(charge_id),
            "amount": amount_minor,
            "currency": currency,
            "token": token,
        }
        return self._post("charge", "/v1/charges", body, key=f"charge-{charge_id}")

    def refund(self, refund_id: UUID, charge_ref: str, amount_minor: int) -> Outcome:
        body = {"reference": str(refund_id), "charge": charge_ref, "amount": amount_minor}
        return self._post("refund", "/v1/refunds", body, key=f"refund-{refund_id}")

    def _post(self, operation: str, path: str, body: dict[str, object], key: str) -> Outcome:
        def attempt(seconds: float) -> Outcome:
            with PROCESSOR_SECONDS.labels(operation).time():
                return self._send(path, body, key, seconds)

        if not self._slots.acquire(timeout=FREE_WITHIN_S):
            PROCESSOR_FAILURES.labels(operation).inc()
            raise ProcessorUnavailable("too many requests wait for the processor")
        try:
            return with_backoff(attempt, self._policy)
        except Transient as error:
            PROCESSOR_FAILURES.labels(operation).inc()
            raise ProcessorUnavailable(operation) from error
        finally:
            self._slots.release()

    def _send(self, path: str, body: dict[str, object], key: str, seconds: float) -> Outcome:
        try:
            response = self._client.post(
                path, json=body, headers={"Idempotency-Key": key}, timeout=seconds
            )
        except httpx2.TransportError as error:
            raise Transient(str(error)) from error
        if response.status_code == 402:
            return Outcome(approved=False, reference=None)
        if response.status_code == 429 or response.status_code >= 500:
            raise Transient(f"processor answered {response.status_code}")
        return _read(response)


def _read(response: httpx2.Response) -> Outcome:
    """Anything but a well-formed success is an unknown outcome, never a decline."""
    try:
        return Outcome(approved=True, reference=str(response.raise_for_status().json()["id"]))
    except (httpx2.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        raise ProcessorUnavailable(f"processor answered {response.status_code}") from error
