"""Something between service and database forgets the connections, and says nothing."""

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial
from mainstay.lab.proxy.faults import Drop

# One round meets the connections that the pool holds just then; each later one those it has made since.
ROUNDS = 4
DROPPED_S = 0.8
BETWEEN_S = 0.7


class DatabaseForgotten(DatabaseFault):
    """Connections that were dropped in silence are given up within seconds.

    Four times in six seconds what is sent on open connections is acknowledged and lost for good, as behind a
    load balancer or a pooler that forgot them; new connections work once it is over. Neither side hears an
    error: whoever waits without a deadline waits for ever, and takes a thread and a place in the pool along.

    Give every statement a deadline on the client's side: the server's `statement_timeout` does not end a wait
    for an answer that will never come.
    """

    quick = True
    holds = ROUNDS * (DROPPED_S + BETWEEN_S)
    what = "connections to the database are dropped in silence"
    catches = ("no-client-deadline",)
    explained_by = ("call-without-deadline",)

    def inject(self, trial: Trial) -> None:
        for _ in range(ROUNDS):
            trial.stand.proxy.set(self.through(trial), Drop())
            trial.go_on(DROPPED_S)
            trial.stand.proxy.clear(self.through(trial))
            trial.go_on(BETWEEN_S)

    def heal(self, trial: Trial) -> None:
        trial.stand.proxy.clear(self.through(trial))
