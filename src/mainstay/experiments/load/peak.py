"""The service under peak load."""

from collections.abc import Iterator

from mainstay.evidence import errors, latency
from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import integrity
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Verdict


class Peak(Experiment):
    """At peak load the service still holds its budgets.

    The load rises to the declared peak and stays there.

    Add capacity (processes, instances, connections within what the database allows), or refuse early what
    cannot be served in time.
    """

    quick = True
    gentle = True
    order = 11
    explained_by = ("query-per-row", "client-per-call", "blocking-call-in-async", "unbounded-fan-out")

    def seconds(self, stand: Stand) -> float:
        return stand.profile.peak + stand.filling(stand.peak, stand.profile.peak) + 2.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        trial.watch_metrics()
        trial.run_load(stand.peak, stand.profile.peak)
        waived = [action.name for action in stand.actions if action.waived]
        failed = errors.claim(
            trial.counted, stand.budgets, stand.standard, waived=waived, disturbed=trial.disturbed
        )
        if failed.verdict is Verdict.INCONCLUSIVE and all(record.ok for record in trial.counted):
            # The steady load carries that claim; the peak is too short for it, and showed nothing against it.
            trial.notes.append(failed.said)
        else:
            yield failed
        yield latency.claim(
            trial.counted,
            stand.budgets,
            stand.standard,
            name="peak-p95-in-budget",
            disturbed=trial.disturbed,
        )
        yield from integrity(trial)
