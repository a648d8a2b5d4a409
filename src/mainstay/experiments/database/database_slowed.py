"""The database is far away for a while."""

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial
from mainstay.lab.proxy.faults import Latency

ADDED_S = 0.2


class DatabaseSlowed(DatabaseFault):
    """With 200 ms more for each round trip to the database, the service is slower and fails nobody.

    Every exchange with the database takes 200 ms longer for a while, as over a crowded path or with a replica
    in another region. Requests that make many round trips hold their connection for all of them, and the pool
    runs dry.

    Make fewer round trips: join or batch what is asked one by one, and keep transactions short.
    """

    what = "the database takes 200 ms longer"
    explained_by = ("query-per-row", "external-call-in-transaction")

    def inject(self, trial: Trial) -> None:
        trial.stand.proxy.set(self.through(trial), Latency(ADDED_S))

    def heal(self, trial: Trial) -> None:
        trial.stand.proxy.clear(self.through(trial))
