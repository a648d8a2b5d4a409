"""The database is stopped and started again."""

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial


class DatabaseStopped(DatabaseFault):
    """While the database is away callers are told so, and when it is back so is the service.

    The server is stopped as for a minor upgrade, every session ended, and started again seconds later.

    Answer 503 with a Retry-After where the database is away, and let the pool replace broken connections
    (`pool_pre_ping`, or a check on checkout) instead of handing them out.
    """

    quick = True
    what = "the database is stopped"
    catches = ("no-reconnect", "health-check-that-lies")
    explained_by = ("swallowed-exception",)

    def inject(self, trial: Trial) -> None:
        self.server(trial).stop()

    def heal(self, trial: Trial) -> None:
        self.server(trial).start()
