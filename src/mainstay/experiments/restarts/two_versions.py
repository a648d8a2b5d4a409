"""Two versions of the service side by side, as in every deployment."""

import time
from collections.abc import Iterator
from pathlib import Path

from mainstay.evidence import errors
from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import integrity
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Figure, Subject, Verdict

ALONE_S = 3.0
TOGETHER_S = 6.0
SPARE_S = 30.0  # of load, for migrations that take longer


class TwoVersions(Experiment):
    """The version before and this one work side by side, forward and back.

    The database is made by the version before, and that version serves. Then this version's migrations run
    under load, both versions serve together, this one alone, both again and at last the old one alone, as in
    a deployment that is rolled back. It needs `--against REV`.

    Change the schema in two deployments: first add what the new version needs, in a way that the old one can
    live with; take away what only the old one needs when it is gone.
    """

    order = 90
    explained_by = ()

    def applies(self, stand: Stand) -> str:
        return "" if stand.against is not None else "no other version was named: --against REV"

    def possible(self, stand: Stand) -> str:
        return (
            "" if stand.database is not None else "no PostgreSQL is declared whose schema could be migrated"
        )

    def seconds(self, stand: Stand) -> float:
        return 3 * ALONE_S + 2 * TOGETHER_S + 4 * stand.startup + 3.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand, service = trial.stand, trial.stand.service
        assert stand.against is not None
        trial.supervised = False
        here = Path(stand.declaration.root)
        with trial.band("the version before makes its database"):
            service.stop()
            service.remake(stand.against)
            service.start(root=stand.against)
            stand.renew()
        old = service.serving[0]
        trial.known = stand.known()
        trial.load(stand.expected, self.seconds(stand) + SPARE_S)
        trial.go_on(ALONE_S)
        yield from self._phase(trial, "the version before, alone")
        with trial.band("this version's migrations run"):
            began = time.monotonic()
            service.migrate(here)
            took = time.monotonic() - began
        yield from self._phase(trial, f"during the migrations, which took {took:.1f} s")
        new = service.launch(old.process, 2, root=here)
        service.instances.append(new)
        service.await_ready(new)
        for what, addresses, seconds in (
            ("both", (old.address, new.address), TOGETHER_S),
            ("this version, alone", (new.address,), ALONE_S),
            ("both again", (old.address, new.address), TOGETHER_S),
            ("the version before, alone again", (old.address,), ALONE_S),
        ):
            stand.driver.target(*addresses)
            with trial.band(what):
                trial.go_on(seconds)
            yield from self._phase(trial, what)
        trial.finish()
        yield from integrity(trial)

    _from = 0

    def _phase(self, trial: Trial, what: str) -> Iterator[Claim]:
        """The requests that have ended since the last phase."""
        seen, self._from = trial.counted[self._from :], len(trial.counted)
        bad = [record for record in seen if not record.ok]
        yield Claim(
            name=f"serves: {what}",
            subject=Subject.ERRORS,
            verdict=Verdict.FAILED if bad else Verdict.PASSED if seen else Verdict.INCONCLUSIVE,
            said=f"{len(bad)} of {len(seen)} requests failed ({what}).",
            figures=(Figure("requests", len(seen)), Figure("failed", len(bad))),
            evidence=errors.samples(bad),
        )
