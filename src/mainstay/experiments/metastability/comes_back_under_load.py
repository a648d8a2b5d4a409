"""From how high a load the service comes back by itself."""

import time
from collections.abc import Iterator

from mainstay.experiments.base import Experiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Curve, Figure, Point, Subject, Verdict

SHARES = (0.5, 0.75, 1.0)  # of the peak
PAUSES_S = (1.0, 3.0, 5.0)
GOODPUT = 0.95
WITHIN_S = 60.0
WINDOW_S = 2.0
WINDOWS = 2  # in a row
BEFORE_S = 2.0


class ComesBackUnderLoad(Experiment):
    """When a short fault is over, the service comes back at any load up to its peak, and nobody has to help.

    The database is paused for one to five seconds at half, three quarters and all of the declared peak, and
    the load goes on unchanged. A service is metastable when the work that piled up keeps it from ever
    catching up: then only taking the load away helps, and at three in the morning that means an outage.

    Refuse early what cannot be served in time, drop what its caller has given up on, bound every queue, and
    let retries be few.
    """

    order = 80
    explained_by = ("call-without-deadline", "retry-without-limit")

    def applies(self, stand: Stand) -> str:
        return "" if stand.database is not None else "no PostgreSQL is declared"

    def seconds(self, stand: Stand) -> float:
        return sum(BEFORE_S + pause + 2 * pause + 8.0 + stand.startup for pause in PAUSES_S for _ in SHARES)

    def run(self, trial: Trial) -> Iterator[Claim]:
        peak = trial.stand.peak
        points = [self._cell(trial, peak * share, pause) for share in SHARES for pause in PAUSES_S]
        trial.curve = Curve(
            "seconds to come back, by load and pause",
            "pause in seconds",
            "seconds to come back",
            tuple(points),
        )
        yield self._claim(trial.stand, points)

    def _cell(self, trial: Trial, rate: float, pause: float) -> Point:
        stand = trial.stand
        assert stand.database is not None
        stand.restart()
        trial.load(rate, BEFORE_S + pause + WITHIN_S, arrivals="constant")
        trial.go_on(trial.loaded + BEFORE_S - time.monotonic())
        with trial.band(f"paused {pause:g} s at {rate:.0f}/s"):
            stand.database.pause()
            try:
                trial.go_on(pause)
            finally:
                stand.database.resume()
        lifted = time.monotonic()
        back = trial.until(lambda: self._well(trial, lifted), WITHIN_S)
        took = time.monotonic() - lifted - WINDOW_S * WINDOWS
        trial.finish()
        return Point(rate, pause, back, max(0.0, took) if back else None)

    def _well(self, trial: Trial, lifted: float) -> bool:
        """Whether nearly all of what was due lately was served in time."""
        patience = 1.0  # the youngest requests have not had time to be answered
        now = time.monotonic() - patience
        if now - WINDOW_S * WINDOWS < lifted:
            return False
        for number in range(WINDOWS):
            ended = now - number * WINDOW_S
            due = trial.due_between(ended - WINDOW_S, ended)
            good = sum(r.ok for r in trial.between(ended - WINDOW_S, ended))
            if not due or good < GOODPUT * due:
                return False
        return True

    def _claim(self, stand: Stand, points: list[Point]) -> Claim:
        rates = sorted({point.rate for point in points})
        fine = [rate for rate in rates if all(p.held for p in points if p.rate <= rate)]
        highest = fine[-1] if fine else 0.0
        worst = max((p.y for p in points if p.y is not None), default=0.0)
        stuck = [f"{p.rate:.0f}/s after {p.x:g} s" for p in points if not p.held]
        said = (
            f"It comes back by itself at up to {highest:.0f} requests a second; the peak is {stand.peak:.0f}"
        )
        said += f"; it stayed down at {', '.join(stuck)}" if stuck else f"; the longest took {worst:.0f} s"
        return Claim(
            name="comes-back-by-itself",
            subject=Subject.RECOVERY,
            verdict=Verdict.PASSED if not stuck else Verdict.FAILED,
            said=f"{said}.",
            figures=(Figure("highest load from which it comes back", highest, "/s"),),
        )
