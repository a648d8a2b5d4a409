"""Every process of the service is killed."""

import signal

from mainstay.experiments.fault import FaultExperiment
from mainstay.experiments.trial import Trial


class AllKilled(FaultExperiment):
    """Killed without a word, the service comes back by itself and has lost nothing it acknowledged.

    Every process gets SIGKILL under load, as when a node runs out of memory, and a supervisor starts it again
    a tenth of a second later. Callers whose request was on its way hear nothing.

    Acknowledge after the commit; keep what is owed to others in the database (an outbox), not in memory; and
    leave nothing behind that stops the next start, such as a lock file or a half-written one.
    """

    quick = True
    what = "every process is killed"
    holds = 0.0
    cuts = True
    explained_by = ("enqueue-before-commit",)

    def inject(self, trial: Trial) -> None:
        for instance in trial.stand.service.instances:
            instance.program.signal(signal.SIGKILL)
