"""The shape of most experiments: steady load, a fault, and a watch that outlasts every timeout."""

import time
from collections.abc import Iterator
from typing import ClassVar

from mainstay.evidence import recovery
from mainstay.evidence.recovery import Fault, Recovery
from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import integrity, refusals, told
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim
from mainstay.model.record import Failure

SETTLED_S = 2 * recovery.WIDTH  # of being well
LOOKED_EVERY_S = 0.25  # whether it is well: that looks at every request
YOUNG_S = 1.0  # a request that young may not have been answered yet, and then says nothing
AFTERWARDS_S = 1.5  # for the last answers, the ledger and the alerts, in the plan


class FaultExperiment(Experiment):
    """Base of experiments that break one thing under expected load and mend it again."""

    what: ClassVar[str]  # "the database is paused", on the timeline
    names: ClassVar[tuple[str, ...]] = ()  # words by which a log names the cause
    holds: ClassVar[float | None] = None  # seconds; None: what the profile says; 0: it is over at once
    spare: ClassVar[float] = 0.0  # seconds that `inject` may take beyond the hold
    retries: ClassVar[int] = 0  # how often callers repeat a write of which they heard nothing
    unhandled: ClassVar[bool] = True  # whether a bare 500 is the service's own fault here
    cuts: ClassVar[bool] = False  # whether callers may lose their connections: their server was killed

    settled = False  # nothing that was sent during the fault was waiting any more when the watch ended
    _looked = 0.0

    def inject(self, trial: Trial) -> None:
        """Break it."""
        raise NotImplementedError

    def heal(self, trial: Trial) -> None:
        """Mend it."""

    def ready(self, trial: Trial) -> None:
        """What has to be so before the load begins."""

    def hold(self, stand: Stand) -> float:
        """Seconds that the fault lasts."""
        return stand.profile.hold if self.holds is None else self.holds

    def words(self, trial: Trial) -> tuple[str, ...]:
        """By which a log names the cause."""
        return self.names

    def seconds(self, stand: Stand) -> float:
        watch = stand.watch if stand.profile.longest_watch is None else SETTLED_S
        length = stand.profile.before + self.hold(stand) + watch
        return length + AFTERWARDS_S + stand.filling(stand.expected, length)

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        before, hold, watch = stand.profile.before, self.hold(stand), stand.watch
        self.ready(trial)
        trial.watch_metrics()
        trial.load(stand.expected, before + hold + self.spare + watch, retries=self.retries)
        trial.go_on(trial.loaded + before - time.monotonic())
        began = time.monotonic()
        with trial.band(self.what):
            try:
                self.inject(trial)
                trial.go_on(began + hold - time.monotonic())
            finally:
                self.heal(trial)
            lifted = time.monotonic()
        trial.doing("watching it come back")
        self.settled = trial.until(lambda: self._settled(trial, began, lifted), watch)
        until = time.monotonic() - (YOUNG_S if self.settled else 0.0)
        trial.finish()
        yield from self.judge(trial, began, lifted, until)

    def _settled(self, trial: Trial, began: float, lifted: float) -> bool:
        """Whether a longer watch could show nothing new: all is well, and no request is waiting since then.

        Only the quick profile ends its watch for this.  A caller who ran out of patience may have left his
        request hanging in the service, so after a time-out the watch is as long as the longest wait.
        """
        now = time.monotonic()
        if trial.stand.profile.longest_watch is None or now - lifted < SETTLED_S:
            return False
        if now < self._looked + LOOKED_EVERY_S or trial.waiting_since() < now - YOUNG_S:
            return False
        self._looked = now
        if any(record.failure is Failure.TIMED_OUT for record in trial.between(began, now)):
            return False
        found = self._recovery(trial, began, lifted, now - YOUNG_S)
        return found.seconds is not None and not found.missed

    def judge(self, trial: Trial, began: float, lifted: float, until: float) -> Iterator[Claim]:
        """What it shows, for a fault of that stretch and a watch until then."""
        stand = trial.stand
        found = self._recovery(trial, began, lifted, until)
        # Where nothing is waiting any more, no timeout can run out later.
        longest = 0.0 if self.settled else min(stand.declaration.longest_wait, stand.watch - 1)
        yield recovery.claim(found, stand.budgets, stand.standard, longest)
        yield from integrity(trial)
        yield from refusals(trial, began, until, unhandled=self.unhandled, cuts=self.cuts)
        yield from told(trial, began, lifted, self.words(trial))

    def _recovery(self, trial: Trial, began: float, lifted: float, until: float) -> Recovery:
        return recovery.recovery(
            trial.counted,
            [Fault(began, lifted)],
            until,
            trial.stand.budgets,
            workers=workers(trial.stand),
            busy=trial.machine.busy,
            usual=trial.stand.steady_p95,
        )


def workers(stand: Stand) -> int:
    """Processes that serve behind each address."""
    return max((i.process.workers for i in stand.service.serving), default=1)
