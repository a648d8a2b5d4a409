"""How much the service carries before its budgets break."""

import time
from collections.abc import Iterator

from mainstay.evidence import latency
from mainstay.evidence.lag import late
from mainstay.experiments.base import Experiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Curve, Figure, Point, Subject, Verdict
from mainstay.model.record import Record

STEP_S = 5.0
GROWTH = 1.5
STEPS = 8
REFINED = 3  # halvings of the last step
REST_S = 1.0  # between two rates, for queues to empty


class Knee(Experiment):
    """The service carries its declared peak, with room above it.

    The load is raised step by step, with nothing between the service and what it needs, until requests fail
    or take longer than the budget; then the rate between the last two steps is halved a few times.

    Find what is full first: a core, the pool, the threads. The curve shows whether it fails at once or bends.
    """

    order = 12
    explained_by = ("query-per-row", "client-per-call", "blocking-call-in-async")

    def seconds(self, stand: Stand) -> float:
        return (STEPS / 2 + REFINED) * (STEP_S + REST_S + 1.0)

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        stand.restart(direct=True)
        held, broken, stopped = 0.0, 0.0, ""
        points: list[Point] = []
        rate = stand.expected
        for _ in range(STEPS):
            point, stopped = self._step(trial, rate)
            points.append(point)
            if not point.held:
                broken = rate
                break
            held, rate = rate, rate * GROWTH
        for _ in range(REFINED if broken and held and not stopped else 0):
            point, stopped = self._step(trial, (held + broken) / 2)
            points.append(point)
            held, broken = (point.rate, broken) if point.held else (held, point.rate)
        ordered = tuple(sorted(points, key=lambda p: p.rate))
        trial.curve = Curve("p95 by load", "requests a second", "p95 in seconds", ordered)
        yield self._claim(stand, held, broken, stopped)

    def _step(self, trial: Trial, rate: float) -> tuple[Point, str]:
        """Whether the budgets hold at that rate, and why that cannot be told."""
        stand = trial.stand
        began = time.monotonic()
        with trial.band(f"{rate:.0f} requests a second"):
            trial.run_load(rate, STEP_S)
        trial.go_on(REST_S)
        seen = [record for record in trial.counted if record.due >= began]
        p95 = latency.p95(seen)
        failed = sum(not record.ok for record in seen)
        # A step is short: one failure in it is already more than the budget allows, if it is small.
        over = failed > max(1.0, stand.budgets.errors * len(seen)) or p95 is None or p95 > stand.budgets.p95
        return Point(rate, 0.0, not over, p95), self._excuse(trial, seen, over, failed)

    def _excuse(self, trial: Trial, seen: list[Record], over: bool, failed: int) -> str:
        if not over or failed:
            return ""
        return late(seen, trial.stand.budgets) or trial.disturbed

    def _claim(self, stand: Stand, held: float, broken: float, stopped: str) -> Claim:
        if held >= stand.peak:
            verdict = Verdict.PASSED
        else:
            verdict = Verdict.INCONCLUSIVE if stopped else Verdict.FAILED
        least = "at least " if stopped or not broken else ""
        said = f"The budgets hold up to {least}{held:.0f} requests a second; the peak is {stand.peak:.0f}."
        if stopped:
            said += f" It could not be raised further: {stopped}."
        return Claim(
            name="carries-its-peak",
            subject=Subject.CAPACITY,
            verdict=verdict,
            said=said,
            figures=(
                Figure("highest rate that holds", held, "/s"),
                Figure("lowest that breaks", broken, "/s"),
            ),
        )
