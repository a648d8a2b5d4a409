"""An answer as it is kept: status, a few headers, and a body of bounded size."""

from collections.abc import Mapping
from dataclasses import dataclass

from mainstay_runtime.idempotency.digest import encoded

BODY_BYTES = 1 << 20  # an answer is a receipt, not a download; larger ones fill the table and its backups
HEADERS = 16


class TooLarge(ValueError):
    """An answer has more than `BODY_BYTES` of body or more than `HEADERS` headers."""


class Unanswered(RuntimeError):
    """This transaction claimed the same key before and has stored no answer yet."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was answered, and what every repetition is answered.

    `pending` says that the effect goes on in another transaction and that `settle` will replace this answer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    pending: bool = False


def answer(status: int, body: object, headers: Mapping[str, str] | None, *, pending: bool = False) -> Stored:
    """The answer, fit to be stored.  Raises TooLarge, ValueError for the status, TypeError for no JSON."""
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is no status of a final answer (200 to 599)")
    kept = dict(headers or {})
    if not isinstance(body, bytes | bytearray | memoryview | str) and not _typed(kept):
        kept["content-type"] = "application/json"
    content = encoded(body)
    if len(content) > BODY_BYTES:
        raise TooLarge(
            f"{len(content)} bytes of body, at most {BODY_BYTES} are kept: store where it is instead"
        )
    if len(kept) > HEADERS:
        raise TooLarge(f"{len(kept)} headers, at most {HEADERS} are kept: store those that a client needs")
    return Stored(status, kept, content, pending)


def _typed(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "content-type" for name in headers)
