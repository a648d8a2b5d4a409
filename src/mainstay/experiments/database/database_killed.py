"""The database crashes and recovers."""

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial


class DatabaseKilled(DatabaseFault):
    """A crash of the database loses nothing that was acknowledged.

    All its processes are killed at once, in the middle of whatever they do, and it is started again and
    recovers from its log.

    Acknowledge after the commit and never before it, and leave `synchronous_commit` on for what matters.
    """

    what = "the database is killed"
    holds = 0.0
    catches = ("unlogged-table",)
    explained_by = ("enqueue-before-commit",)

    def inject(self, trial: Trial) -> None:
        self.server(trial).kill()

    def heal(self, trial: Trial) -> None:
        self.server(trial).start()
