"""An experiment that comes to nothing for a reason of ours is void, and the others are done all the same."""

from collections.abc import Iterator, Sequence

import psycopg
import pytest

from mainstay.configuration import configuration_for
from mainstay.experiments.base import Experiment
from mainstay.experiments.profile import SHORT
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.lab import LabError
from mainstay.model.proof import Claim, Measurement, Proof, Subject, Verdict
from mainstay.prove import prove
from tests.prove.site import THINGS, site, web


class Locked(Experiment):
    """A table stays locked."""

    order = 1

    def seconds(self, stand: Stand) -> float:
        return 0.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        raise psycopg.errors.LockNotAvailable("canceling statement due to lock timeout\nCONTEXT: ours")
        yield


class Away(Locked):
    """Something of ours is gone."""

    def run(self, trial: Trial) -> Iterator[Claim]:
        trial.load(5.0, 30.0)  # and goes on
        raise LabError("the guardian has a cold")
        yield


class Fine(Locked):
    """All is well."""

    order = 2

    def run(self, trial: Trial) -> Iterator[Claim]:
        trial.run_load(20.0, 0.5)
        verdict = Verdict.PASSED if trial.counted and all(r.ok for r in trial.counted) else Verdict.FAILED
        yield Claim("fine", Subject.ERRORS, verdict, "It is.")


class Silent:
    """Nobody looks on."""

    def plan(self, names: Sequence[str], seconds: float) -> None: ...
    def say(self, line: str) -> None: ...
    def begin(self, name: str, seconds: float) -> None: ...
    def done(self, measurement: Measurement) -> None: ...
    def doing(self, what: str, sent: int, failed: int, p95: float | None) -> None: ...


@pytest.fixture
def proof(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proof]:
    monkeypatch.setattr("mainstay.prove.all_experiments", lambda: (Locked, Away, Fine))
    with site() as place:
        place.write(f"[prove]\n{web('healthy.py')}{THINGS}")
        found = configuration_for(place.project, ())
        assert found.declaration is not None
        yield prove(found.declaration, found.budgets, SHORT, Silent())


def test_it_is_an_error_with_its_reason_in_one_line_and_the_next_one_is_done(proof: Proof) -> None:
    seen = {each.experiment: (each.verdict, each.why) for each in proof.measurements}
    reason = "the database gave us no answer: canceling statement due to lock timeout"
    assert seen == {
        "locked": (Verdict.ERROR, reason),
        "away": (Verdict.ERROR, "the guardian has a cold"),
        "fine": (Verdict.PASSED, ""),
    }
    assert proof.verdict is Verdict.ERROR
