"""Whether each alert watches something that exists."""

import time
from collections.abc import Iterator

from mainstay.experiments.base import Experiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.paging.dead import dead
from mainstay.model.proof import Claim, Figure, Subject, Verdict

LOAD_S = 2.0
BROKEN_S = 2.0
AFTER_S = 1.5


class AlertsCanFire(Experiment):
    """Every alert watches metrics and labels that the running service shows.

    The service is loaded, its database is stopped for a moment so that failures are counted, and everything
    it shows on `/metrics` is recorded. Prometheus evaluates an expression over a missing series to nothing,
    so an alert on a metric that nobody emits stays silent through the outage it was written for.

    Correct the name or the label, or emit the metric.
    """

    quick = True
    order = 60
    catches = ("alert-that-cannot-fire",)

    def applies(self, stand: Stand) -> str:
        if not stand.rules:
            return "no alert rules are declared"
        return "" if stand.service.metrics() else "no process shows metrics"

    def seconds(self, stand: Stand) -> float:
        return LOAD_S + BROKEN_S + AFTER_S + 1.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        trial.watch_metrics()
        trial.load(stand.expected, LOAD_S + BROKEN_S + AFTER_S)
        trial.go_on(trial.loaded + LOAD_S - time.monotonic())
        if stand.database is not None:
            with trial.band("the database is stopped"):
                stand.database.stop()
                try:
                    trial.go_on(BROKEN_S)
                finally:
                    stand.database.start()
        trial.go_on(AFTER_S)
        trial.finish()
        scraper = trial.scraper
        assert scraper is not None
        unable = [one for one in dead(stand.rules, scraper.recording) if not one.elsewhere]
        alerts = [rule for rule in stand.rules if rule.alert]
        said = f"{len(alerts) - len(unable)} of {len(alerts)} alerts watch series that exist"
        said += f"; {', '.join(one.alert for one in unable)} cannot fire." if unable else "."
        problems = sorted(set(scraper.problems.values()))
        trial.notes.extend(problems)
        yield Claim(
            name="each-alert-can-fire",
            subject=Subject.PAGING,
            verdict=Verdict.FAILED if unable else Verdict.PASSED,
            said=said,
            figures=(Figure("alerts", len(alerts)), Figure("that cannot fire", len(unable))),
            evidence=tuple(f"{one.file}:{one.line}: {one.alert}: {one.reason}" for one in unable),
        )
