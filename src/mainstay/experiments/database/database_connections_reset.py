"""All connections to the database are cut, several times."""

import time

from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial

EVERY_S = 0.5


class DatabaseConnectionsReset(DatabaseFault):
    """Callers who repeat a write whose answer they never heard do not make it happen twice.

    All connections to the database are cut twice a second for a while, as in a fail-over, and callers repeat
    what failed, with the same idempotency key. Some writes were committed before their answer was lost.

    Store the idempotency key in the transaction that stores its effect, scoped to the caller, and answer a
    repeat with what the first one did.
    """

    quick = True
    what = "connections to the database are cut"
    retries = 3
    catches = ("key-outside-transaction", "acknowledges-before-commit")
    explained_by = ("retry-of-unsafe-call", "check-then-write")

    def inject(self, trial: Trial) -> None:
        ends = time.monotonic() + self.hold(trial.stand)
        while time.monotonic() < ends:
            trial.stand.proxy.reset(self.through(trial))
            trial.go_on(EVERY_S)
