"""Why a claim of a key is refused, each with the status that the draft of the header asks for.

Source: draft-ietf-httpapi-idempotency-key-header, section "Error Handling".
"""

from typing import ClassVar

from mainstay_runtime.refused import Refused


class Malformed(Refused):
    """The key is missing, too long, or has characters that are not printable ASCII."""

    status: ClassVar[int] = 400
    detail: ClassVar[str] = "The Idempotency-Key is missing, too long, or not printable ASCII."


class InProgress(Refused):
    """Another request with this key did not end within the wait.  The transaction has to be rolled back."""

    status: ClassVar[int] = 409
    detail: ClassVar[str] = "A request with this Idempotency-Key is under way."


class Reused(Refused):
    """The key was used before, by the same caller for the same operation, with another request."""

    status: ClassVar[int] = 422
    detail: ClassVar[str] = "This Idempotency-Key was used for another request."
