"""The database is stopped and started again."""

import time
from collections.abc import Iterator

from mainstay.experiments.checks import NOTICED
from mainstay.experiments.database.base import DatabaseFault
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Subject, Verdict

ASKED_AFTER_S = 1.5


class DatabaseStopped(DatabaseFault):
    """While the database is away callers are told so, and when it is back so is the service.

    The server is stopped as for a minor upgrade, every session ended, and started again seconds later.

    Answer 503 with a Retry-After where the database is away, and let the pool replace broken connections
    (`pool_pre_ping`, or a check on checkout) instead of handing them out.
    """

    quick = True
    what = "the database is stopped"
    catches = ("no-reconnect", "bare-errors", "health-check-that-lies")
    explained_by = ("swallowed-exception",)

    def inject(self, trial: Trial) -> None:
        self.server(trial).stop()
        trial.go_on(ASKED_AFTER_S)
        serving = trial.stand.service.serving
        self._ready = [instance.name for instance in serving if trial.stand.service.is_ready(instance)]
        self._asked = [instance.process.ready for instance in serving]
        now = time.monotonic()
        self._failed = [r for r in trial.between(now - ASKED_AFTER_S, now) if not r.ok]

    def judge(self, trial: Trial, began: float, lifted: float, until: float) -> Iterator[Claim]:
        yield self._tells()
        yield from super().judge(trial, began, lifted, until)

    def _tells(self) -> Claim:
        """A balancer asks the readiness path: as long as it says yes, requests are sent here to fail."""
        lies = bool(self._ready) and len(self._failed) >= NOTICED
        path = ", ".join(sorted(set(self._asked)))
        said = f"While the database was away, {path} said that the service was "
        said += "ready" if self._ready else "not ready"
        return Claim(
            name="readiness-tells",
            subject=Subject.REFUSAL,
            verdict=Verdict.FAILED if lies else Verdict.PASSED,
            said=f"{said}; {len(self._failed)} requests had failed by then.",
        )

    def heal(self, trial: Trial) -> None:
        self.server(trial).start()
