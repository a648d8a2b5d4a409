"""Every experiment, shortened: the sound example fails none, and flawed twins fail the one they should.

Nothing here is asserted of latencies: the machine may be busy.  What fails on the sound example gets one more
chance, for then a process may have had to wait for the machine; a write that is lost or doubled gets none.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from mainstay.configuration import Configuration, configuration_for
from mainstay.experiments import fault
from mainstay.experiments.base import Experiment
from mainstay.experiments.catalogue import all_experiments
from mainstay.experiments.fault import FaultExperiment
from mainstay.experiments.load import knee
from mainstay.experiments.metastability import comes_back_under_load
from mainstay.experiments.profile import QUICK, Profile
from mainstay.experiments.restarts import two_versions
from mainstay.model.proof import Claim, Measurement, Proof, Subject, Verdict
from mainstay.model.service import Load
from mainstay.prove import prove

ROOT = Path(__file__).parents[2]
SOUND = ROOT / "examples/payments"
TWINS = sorted((ROOT / "examples/twins").glob("*.patch"))
# Whether these are caught is a matter of luck at a few requests a second: one has to meet the right instant.
BY_CHANCE = {"acknowledges-before-commit"}
A_DAY = 4  # twins; the others have their turn on other days, and all of them in `make prove-full`

BRIEF = Profile(  # a watch ends as soon as all is well, and a busy machine gets the time that it needs
    name="short", before=1.0, hold=1.5, requests=100, peak=2.0, longest_watch=20.0, soak=3.0
)
LIGHT = Load(expected=12.0, peak=24.0)

FAMILIES = sorted({experiment.family() for experiment in all_experiments()})
LEDGER = {
    "no-acknowledged-write-lost",
    "no-write-applied-twice",
    "no-refused-write-applied",
    "no-phantom-write",
}
TOLD = {"recovers-in-time", "failures-are-told"}
OF_SAMPLES = {Subject.LATENCY, Subject.ERRORS, Subject.CAPACITY, Subject.AVAILABILITY}
OF_TIMING = {Subject.LATENCY, Subject.CAPACITY, Subject.AVAILABILITY}


class Silent:
    """Nobody looks on."""

    def plan(self, names: Sequence[str], seconds: float) -> None: ...
    def say(self, line: str) -> None: ...
    def begin(self, name: str, seconds: float) -> None: ...
    def done(self, measurement: Measurement) -> None: ...
    def doing(self, what: str, sent: int, failed: int, p95: float | None) -> None: ...


@pytest.fixture(autouse=True)
def shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the profile does not say."""
    for module, name, value in (
        (fault, "SETTLED_S", 4.5),  # two windows, at least one of which is whole
        (comes_back_under_load, "PAUSES_S", (1.0,)),
        (comes_back_under_load, "SHARES", (1.0,)),
        (knee, "STEP_S", 2.0),
        (knee, "STEPS", 4),
        (knee, "REFINED", 1),
        (two_versions, "ALONE_S", 1.5),
        (two_versions, "TOGETHER_S", 2.0),
    ):
        monkeypatch.setattr(module, name, value)


def configuration(folder: Path) -> Configuration:
    return configuration_for(folder, ())


def proved(folder: Path, names: Iterable[str], profile: Profile, load: Load | None = None) -> Proof:
    found = configuration(folder)
    assert found.declaration is not None
    declaration = found.declaration
    if load is not None:
        declaration = msgspec.structs.replace(declaration, load=load)
    return prove(declaration, found.budgets, profile, Silent(), only=tuple(names), against=folder)


# --- the sound one -------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_sound_service_fails_no_experiment(family: str) -> None:
    experiments = {e.name(): e for e in all_experiments() if e.family() == family}
    proof = proved(SOUND, experiments, BRIEF, LIGHT)
    done = by_name(proof)
    assert done.keys() | {skip.experiment for skip in proof.skipped} == experiments.keys()
    assert not [skip for skip in proof.skipped if skip.waived or not skip.reason]
    for measurement in done.values():
        nothing_lost(measurement)
    doubtful = [name for name, measurement in done.items() if troubles(measurement)]
    if doubtful:
        again = by_name(proved(SOUND, doubtful, BRIEF, LIGHT))
        assert {name: troubles(again[name]) for name in doubtful} == {name: [] for name in doubtful}
        done |= again
    for name, measurement in done.items():
        says_what_it_should(experiments[name], measurement)


def by_name(proof: Proof) -> dict[str, Measurement]:
    return {each.experiment: each for each in proof.measurements if each.experiment != "availability"}


def nothing_lost(measurement: Measurement) -> None:
    """Whatever the machine was busy with."""
    for claim in measurement.claims:
        if claim.subject is Subject.INTEGRITY:
            assert claim.verdict is not Verdict.FAILED, (measurement.experiment, claim)


def troubles(measurement: Measurement) -> list[str]:
    """What speaks against the service, or against us."""
    void = [f"void: {measurement.why}"] if measurement.verdict is Verdict.ERROR else []
    return void + [
        f"{claim.name}: {claim.said} {claim.evidence}" for claim in measurement.claims if bad(claim)
    ]


def bad(claim: Claim) -> bool:
    if claim.verdict is Verdict.FAILED:
        return claim.subject not in OF_TIMING
    return claim.verdict is Verdict.INCONCLUSIVE and claim.subject not in OF_SAMPLES


def says_what_it_should(experiment: type[Experiment], measurement: Measurement) -> None:
    names = {claim.name for claim in measurement.claims}
    assert names, measurement
    assert measurement.hypothesis == experiment.hypothesis()
    if issubclass(experiment, FaultExperiment):
        assert names >= TOLD
        assert len(measurement.bands) >= 1
    if measurement.ledger is not None:
        invariants = {claim.name for claim in measurement.claims if claim.name.startswith("invariant: ")}
        assert len(invariants) == 4
        assert names >= LEDGER - {"no-refused-write-applied"}
        assert passed(measurement, names & LEDGER | invariants) == names & LEDGER | invariants
        assert measurement.ledger.checked > 0


def passed(measurement: Measurement, names: Collection[str]) -> set[str]:
    return {c.name for c in measurement.claims if c.name in names and c.verdict is Verdict.PASSED}


# --- the flawed ones -----------------------------------------------------------------------------


def in_rotation() -> list[object]:
    """Four each day; those of other days are for `make prove-full`."""
    today = datetime.now(UTC).date().toordinal() * A_DAY
    certain = [twin.stem for twin in TWINS if twin.stem not in BY_CHANCE]
    turn = {certain[(today + step) % len(certain)] for step in range(A_DAY)} if certain else set()
    long = pytest.mark.long
    return [pytest.param(twin, id=twin.stem, marks=() if twin.stem in turn else long) for twin in TWINS]


@pytest.mark.skipif(not TWINS, reason="there are no twins in examples/twins")
@pytest.mark.parametrize("patch", in_rotation())
def test_a_flawed_twin_is_failed_by_the_experiment_that_should(patch: Path, tmp_path: Path) -> None:
    told = re.search(r"^Caught by: (\S+) / (.+)$", patch.read_text(), re.MULTILINE)
    assert told is not None
    experiment, claim = told.groups()
    twin = twin_of(patch, tmp_path)
    failed: list[str] = []
    for _ in range(2):  # a race may not happen at the first attempt
        proof = proved(twin, [experiment], QUICK)
        assert experiment in by_name(proof), proof.skipped
        measurement = by_name(proof)[experiment]
        failed = [each.name for each in measurement.claims if each.verdict is Verdict.FAILED]
        if claim in failed:
            return
    raise AssertionError(f"{experiment} did not fail {claim!r}, but {failed}: {measurement.why}")


def twin_of(patch: Path, folder: Path) -> Path:
    twin = folder / "payments"
    shutil.copytree(SOUND, twin, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        ["git", "apply", str(patch)],
        cwd=twin,
        check=True,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(folder)},  # it is no part of any repository
    )
    return twin
