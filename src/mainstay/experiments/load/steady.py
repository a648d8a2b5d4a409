"""The service under expected load."""

from collections.abc import Iterator

from mainstay.evidence import errors, latency
from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import integrity
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim


class Steady(Experiment):
    """Under expected load the service holds its budgets for errors and latency.

    Nothing is done to it: this is the control of all other experiments, and goes through the fault proxy as
    they do. It lasts as many requests as a claim about the error budget takes.

    Read the log lines beside the failures; a p95 above its budget is most often a query for each row, a
    missing index, or more work than the process has cores for.
    """

    quick = True
    gentle = True
    order = 10
    explained_by = ("query-per-row", "client-per-call", "blocking-call-in-async")

    def seconds(self, stand: Stand) -> float:
        length = _length(stand)
        return length + stand.filling(stand.expected, length) + 2.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        trial.watch_metrics()
        trial.run_load(stand.expected, _length(stand))
        stand.steady_p95 = latency.p95(trial.counted)
        waived = [action.name for action in stand.actions if action.waived]
        yield errors.claim(
            trial.counted, stand.budgets, stand.standard, waived=waived, disturbed=trial.disturbed
        )
        yield latency.claim(trial.counted, stand.budgets, stand.standard, disturbed=trial.disturbed)
        yield from integrity(trial)


def _length(stand: Stand) -> float:
    """Seconds in which enough requests come."""
    return stand.profile.requests / stand.expected
