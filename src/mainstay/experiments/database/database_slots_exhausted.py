"""Somebody else takes nearly all connections that the database allows."""

from contextlib import ExitStack

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial

LEFT = 2


class DatabaseSlotsExhausted(DatabaseFault):
    """When the database has no connection left, callers are told, and it passes with its cause.

    Other programs take all connections but two, and the service's own sessions are ended, so that it has to
    ask for new ones: a migration job, a forgotten notebook, a deployment that runs twice as many pods.

    Keep the sum of all pools below `max_connections` with room to spare, and treat "too many clients" as a
    database that is away.
    """

    what = "the database has two connections left"

    def inject(self, trial: Trial) -> None:
        self._held = ExitStack()
        self._held.enter_context(self.server(trial).hold_slots(LEFT))
        trial.stand.proxy.reset(self.through(trial))

    def heal(self, trial: Trial) -> None:
        self._held.close()
