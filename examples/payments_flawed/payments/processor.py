"""The card processor, spoken to over HTTP."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import requests
from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_fixed,
    wait_random_exponential,
)

from payments.metrics import PROCESSOR_FAILURES, PROCESSOR_SECONDS
from payments.retry import RetryPolicy, Transient, with_backoff

FIND_TIMEOUT_S = 5


class ProcessorUnavailable(Exception):
    """No answer we can trust: the money may or may not have moved."""


@dataclass(frozen=True, slots=True)
class Outcome:
    approved: bool
    reference: str | None


class Processor:
    def __init__(self, session: requests.Session, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self._policy = RetryPolicy()

    def charge(self, charge_id: UUID, amount_minor: int, currency: str, token: str) -> Outcome:
        body = {
            "reference": str(charge_id),
            "amount": amount_minor,
            "currency": currency,
            "token": token,
        }
        try:
            with PROCESSOR_SECONDS.labels("charge").time():
                return _read(self._charge(body))
        except Transient as error:
            PROCESSOR_FAILURES.labels("charge").inc()
            raise ProcessorUnavailable("charge") from error

    def refund(self, refund_id: UUID, charge_ref: str, amount_minor: int) -> Outcome:
        body = {"reference": str(refund_id), "charge": charge_ref, "amount": amount_minor}
        try:
            with PROCESSOR_SECONDS.labels("refund").time():
                return _read(with_backoff(lambda _: self._post("/v1/refunds", body), self._policy))
        except Transient as error:
            PROCESSOR_FAILURES.labels("refund").inc()
            raise ProcessorUnavailable("refund") from error

    @retry(
        wait=wait_fixed(1),
        retry=retry_if_exception_type(requests.RequestException),
    )
    def find(self, charge_id: UUID) -> Outcome:
        response = self._session.get(
            f"{self._base_url}/v1/charges/{charge_id}", timeout=FIND_TIMEOUT_S
        )
        if response.status_code == 404:
            return Outcome(approved=False, reference=None)
        response.raise_for_status()
        return _read(response)

    @retry(
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        retry=retry_if_exception_type(Transient),
        reraise=True,
    )
    def _charge(self, body: dict[str, Any]) -> requests.Response:
        return self._post("/v1/charges", body)

    def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
        try:
            response = self._session.post(f"{self._base_url}{path}", json=body)
        except requests.RequestException as error:
            raise Transient(str(error)) from error
        if response.status_code == 429 or response.status_code >= 500:
            raise Transient(f"processor answered {response.status_code}")
        return response


def _read(response: requests.Response) -> Outcome:
    """Anything but a well-formed success is an unknown outcome, never a decline."""
    if response.status_code == 402:
        return Outcome(approved=False, reference=None)
    try:
        response.raise_for_status()
        return Outcome(approved=True, reference=str(response.json()["id"]))
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise ProcessorUnavailable(f"processor answered {response.status_code}") from error
