"""The database stops answering for a while, and answers again."""

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial


class DatabasePaused(DatabaseFault):
    """A pause of the database is over when the database is back.

    All its processes are stopped for a few seconds and continued: a busy disk, a moved virtual machine, a
    fail-over that takes its time. Requests pile up meanwhile and each holds what it has: a thread, a
    connection, a slot. A service whose waits have no end, or that has fewer connections than threads, goes on
    failing when the database has long been well.

    Give every wait an end that is shorter than the caller's patience: for a connection from the pool, for a
    statement, for a lock. Have at least as many connections as requests that may need one at once.
    """

    quick = True
    holds = 5.0  # shorter ones end before the threads of a common server have run out at a common load
    what = "the database is paused"
    catches = ("pool-deadlock",)
    explained_by = ("call-without-deadline", "external-call-in-transaction")

    def inject(self, trial: Trial) -> None:
        self.server(trial).pause()

    def heal(self, trial: Trial) -> None:
        self.server(trial).resume()
