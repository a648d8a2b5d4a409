"""Deliver what is owed, one message after the other.  For more at a time run more relays or the async one."""

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from mainstay_runtime.outbox import leases, told
from mainstay_runtime.outbox.leases import Message
from mainstay_runtime.outbox.policy import Policy

_log = logging.getLogger(__name__)
DATABASE_DOWN = (DBAPIError, PoolTimeout)


class Relay:
    """Delivers by `deliver(message)`: a return is a delivery, an exception a failure, to be tried again
    later.

    `deliver` has to end within the policy's lease (give its client a timeout) and its receiver has to ignore
    an id that it knows: a relay that dies between delivery and note delivers again.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        deliver: Callable[[Message], None],
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

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; then end the message in hand, give back the others and return.

        Survives an unreachable database: logs, tells `unreachable` and tries again after a poll.
        """
        while not stop.is_set():
            try:
                tried = self.once(stop)
            except DATABASE_DOWN:
                _log.exception("%s: the database is unreachable", self._name)
                told.outcome(self._name, "unreachable")
                tried = 0
            if not tried:
                stop.wait(self._policy.poll)

    def once(self, stop: threading.Event | None = None) -> int:
        """Take one batch, deliver it, and return how many messages were tried."""
        self._measure()
        lease = uuid4()
        with self._sessions.begin() as session:
            messages = leases.take(session, lease, self._policy)
        for number, message in enumerate(messages):
            if stop is not None and stop.is_set():
                with self._sessions.begin() as session:
                    leases.give_back(session, lease, messages[number:])
                return number
            self._handle(lease, message)
        return len(messages)

    def _handle(self, lease: UUID, message: Message) -> None:
        with self._sessions.begin() as session:
            if not leases.try_(session, lease, message, self._policy):
                return  # the ones before it took so long that another relay has it by now
        try:
            if message.attempt > self._policy.attempts:
                raise leases.Undeliverable("every relay that tried it died")
            self._deliver(message)
        except Exception as error:  # noqa: BLE001 - one bad message never stops the rest
            _log.warning("%s: %s of %s failed", self._name, message.id, message.topic, exc_info=True)
            with self._sessions.begin() as session:
                died = leases.failed(session, lease, message, error, self._policy)
            told.outcome(self._name, "died" if died else "failed")
            return
        with self._sessions.begin() as session:
            kept = leases.done(session, lease, message)
        told.outcome(self._name, "delivered" if kept else "late")

    def _measure(self) -> None:
        now = self._clock()
        if self._measured is not None and now - self._measured < self._policy.measure:
            return
        with self._sessions.begin() as session:
            told.backlog(self._name, leases.measured(session))
        self._measured = now
