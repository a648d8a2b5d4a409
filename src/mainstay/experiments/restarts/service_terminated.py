"""The service is asked to end while it serves, and started again."""

import signal
import time
from collections.abc import Iterator

from mainstay.experiments.fault import FaultExperiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Figure, Subject, Verdict
from mainstay.model.record import Failure

SAME_INSTANT_S = 0.1


class ServiceTerminated(FaultExperiment):
    """Asked to end, the service finishes what it has begun, takes nothing new, and is gone in time.

    Every process gets SIGTERM under load, as in each deployment, and is started again as soon as it has
    ended. A request that was accepted must get its answer; a new connection may be refused.

    Handle SIGTERM: stop accepting, finish the requests on their way, close idle connections, then exit, all
    within the grace period. A shell that starts the server has to `exec` it, or it never hears the signal.
    """

    quick = True
    what = "the service is asked to end"
    holds = 0.0
    spare = 6.0
    cuts = True
    catches = ("no-graceful-stop",)

    def seconds(self, stand: Stand) -> float:
        return super().seconds(stand) + 2.0

    def inject(self, trial: Trial) -> None:
        trial.supervised = False
        self._began = time.monotonic()
        self._took: dict[str, float | None] = {}
        instances = list(trial.stand.service.instances)
        for instance in instances:
            instance.program.signal(signal.SIGTERM, group=False)
        within = max(instance.process.stop_within for instance in instances)

        def ended() -> bool:
            for instance in instances:
                if instance.name not in self._took and instance.program.status() is not None:
                    self._took[instance.name] = time.monotonic() - self._began
            return len(self._took) == len(instances)

        trial.until(ended, within)
        for instance in instances:
            if instance.name not in self._took:
                self._took[instance.name] = None
                instance.program.end(grace=0.0)
        trial.supervised = True

    def judge(self, trial: Trial, began: float, lifted: float, until: float) -> Iterator[Claim]:
        yield self._ended(trial)
        yield self._cut(trial, began)
        yield from super().judge(trial, began, lifted, until)

    def _ended(self, trial: Trial) -> Claim:
        late = sorted(name for name, took in self._took.items() if took is None)
        longest = max((took for took in self._took.values() if took is not None), default=0.0)
        said = f"Every process had ended {longest:.1f} s after SIGTERM."
        if late:
            said = f"{', '.join(late)} did not end in time after SIGTERM and had to be killed."
        return Claim(
            name="ends-when-asked",
            subject=Subject.RECOVERY,
            verdict=Verdict.FAILED if late else Verdict.PASSED,
            said=said,
            figures=tuple(Figure(f"{n} ended after", t, "s") for n, t in self._took.items() if t is not None),
        )

    def _cut(self, trial: Trial, began: float) -> Claim:
        """Those sent in the same instant may have met a socket that was closing: that is nobody's fault."""
        cut = [r for r in trial.counted if r.failure is Failure.CUT and r.sent < began - SAME_INSTANT_S]
        return Claim(
            name="finishes-what-it-began",
            subject=Subject.ERRORS,
            verdict=Verdict.FAILED if cut else Verdict.PASSED,
            said=f"{len(cut)} requests were on their way when it was asked to end, and got no answer.",
            evidence=tuple(f"{r.action}: cut off after {r.latency:.3f} s" for r in cut[:5]),
        )
