"""Two instances behind a load balancer are replaced one after the other."""

import signal
import time
from collections.abc import Iterator

from mainstay.evidence import errors
from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import integrity
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.balancer import Balancer
from mainstay.lab.service import Instance
from mainstay.model.proof import Claim, Figure, Subject, Verdict

BEFORE_S = 2.0
BETWEEN_S = 1.5
WELL_S = 10.0  # for the balancer to see it
SPARE_S = 10.0  # of load, for instances that take longer to start


class RollingRestart(Experiment):
    """A deployment that replaces one instance after the other fails no request.

    Two instances run behind a load balancer under expected load. Each in turn gets SIGTERM, ends, is started
    again on its port and is ready before the next one's turn comes.

    Finish what was accepted, close the listening socket first, and be ready only when you can serve. Where
    the balancer is told late, go on accepting for some seconds after SIGTERM (a `preStop` pause).
    """

    order = 45
    catches = ("no-graceful-stop",)

    def seconds(self, stand: Stand) -> float:
        return BEFORE_S + 2 * (BETWEEN_S + 2 * stand.startup) + 2.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand, service = trial.stand, trial.stand.service
        trial.supervised = False
        first = service.serving[0]
        second = service.launch(first.process, first.number + 1)
        service.instances.append(second)
        service.await_ready(second)
        pair = [first, second]
        balancer = Balancer(stand.lab, stand.proxy, first.process.ready)
        try:
            port = balancer.open([instance.ports["port"] for instance in pair])
            stand.driver.target(f"http://127.0.0.1:{port}")
            yield from self._roll(trial, balancer, port, pair)
        finally:
            stand.driver.target(*service.addresses)
            balancer.end()
        yield from integrity(trial)

    def _roll(self, trial: Trial, balancer: Balancer, port: int, pair: list[Instance]) -> Iterator[Claim]:
        stand = trial.stand
        trial.load(stand.expected, self.seconds(stand) + SPARE_S)
        trial.go_on(BEFORE_S)
        took = []
        for instance in pair:
            with trial.band(f"{instance.name} is replaced"):
                began = time.monotonic()
                self._replace(trial, instance)
                trial.until(lambda: all(balancer.well(port)), WELL_S)
                took.append(time.monotonic() - began)
            trial.go_on(BETWEEN_S)
        trial.finish()
        counted = trial.counted
        bad = [record for record in counted if not record.ok]
        yield Claim(
            name="no-request-fails",
            subject=Subject.ERRORS,
            verdict=Verdict.FAILED if bad else Verdict.PASSED,
            said=(
                f"{len(bad)} of {len(counted)} requests failed while two instances behind "
                f"{balancer.kind} were replaced, in {took[0]:.1f} s and {took[1]:.1f} s."
            ),
            figures=(Figure("requests", len(counted)), Figure("failed", len(bad))),
            evidence=errors.samples(bad),
        )

    def _replace(self, trial: Trial, instance: Instance) -> None:
        service = trial.stand.service
        instance.program.signal(signal.SIGTERM, group=False)
        trial.until(lambda: instance.program.status() is not None, instance.process.stop_within)
        instance.program.end(grace=0.0)
        index = service.instances.index(instance)
        service.instances[index] = fresh = service.relaunch(instance)
        ready = trial.until(lambda: service.is_ready(fresh), instance.process.ready_within)
        if not ready:
            service.await_ready(fresh, within=0.5)
