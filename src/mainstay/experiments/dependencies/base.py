"""What the experiments on HTTP dependencies share."""

from collections.abc import Iterator
from typing import ClassVar

from mainstay.evidence import errors
from mainstay.experiments.fault import FaultExperiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.proxy.faults import Fault
from mainstay.model.proof import Claim, Subject, Verdict


class DependencyFault(FaultExperiment):
    """Something happens to every service that this one asks over HTTP."""

    faults: ClassVar[tuple[Fault, ...]] = ()  # of the paths to them

    def applies(self, stand: Stand) -> str:
        return "" if stand.http_dependencies else "no HTTP dependency is declared"

    def asked(self, stand: Stand) -> tuple[str, ...]:
        """The dependencies that fail."""
        return tuple(dependency.name for dependency in stand.http_dependencies)

    def inject(self, trial: Trial) -> None:
        for name in self.asked(trial.stand):
            trial.stand.proxy.set(name, *self.faults)

    def heal(self, trial: Trial) -> None:
        for name in self.asked(trial.stand):
            trial.stand.proxy.clear(name)

    def words(self, trial: Trial) -> tuple[str, ...]:
        return self.asked(trial.stand)

    def judge(self, trial: Trial, began: float, lifted: float, until: float) -> Iterator[Claim]:
        yield self._unrelated(trial, began, lifted)
        yield from super().judge(trial, began, lifted, until)

    def _unrelated(self, trial: Trial, began: float, lifted: float) -> Claim:
        """What never asks the dependency has no reason to fail with it."""
        stand = trial.stand
        asking = frozenset().union(*(stand.dependents.get(name, frozenset()) for name in self.asked(stand)))
        others = [r for r in trial.between(began, lifted) if r.action not in asking]
        bad = [r for r in others if not r.ok]
        names = ", ".join(sorted({r.action for r in others})) or "no operation"
        served = Verdict.PASSED if others else Verdict.INCONCLUSIVE
        return Claim(
            name="the-rest-goes-on",
            subject=Subject.ERRORS,
            verdict=Verdict.FAILED if bad else served,
            said=f"{len(bad)} of {len(others)} requests failed that have nothing to do with it ({names}).",
            evidence=errors.samples(bad),
        )
