"""What guards tell while they work; metrics and logs listen.

A guard that tells knows nothing of who listens.  Telling costs one test of a tuple while nobody does.
Listeners run on the thread or task that tells, in the midst of a call: they are quick and do not block.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a guard did: `kind` of guard, its `name`, `what` happened, and how much of it.

    `kind` is "breaker", "limiter", "bulkhead", "budget", "deadline", "retry", "idempotency", "outbox",
    "rate", "health" or "shedding"; what each tells is on its page.
    """

    kind: str
    name: str
    what: str
    value: float = 1.0


Listener = Callable[[Event], None]


class _Registration:
    """One call of `listen`.  It is compared by identity, so one function may listen twice and end once."""

    __slots__ = ("listener",)

    def __init__(self, listener: Listener) -> None:
        self.listener = listener


_changing = threading.Lock()
_registered: tuple[_Registration, ...] = ()  # replaced and never changed, so that telling needs no lock


def listen(listener: Listener) -> Callable[[], None]:
    """Call `listener` for every event from now on.  The function returned ends it, and twice does no harm."""
    global _registered  # noqa: PLW0603 - the one list of a process, as that of `logging`
    registration = _Registration(listener)
    with _changing:
        _registered = (*_registered, registration)
    return lambda: _end(registration)


def tell(kind: str, name: str, what: str, value: float = 1.0) -> None:
    """Tell all listeners.  A listener that raises is dropped with a line in the log; the call goes on."""
    registered = _registered
    if not registered:
        return
    event = Event(kind, name, what, value)
    for registration in registered:
        try:
            registration.listener(event)
        except Exception:  # noqa: BLE001 - whatever a listener does wrong, the call that tells goes on
            _end(registration)
            _log.exception("dropped a listener that raised at %s of %s %s", what, kind, name)


def _end(registration: _Registration) -> None:
    global _registered  # noqa: PLW0603
    with _changing:
        _registered = tuple(one for one in _registered if one is not registration)
