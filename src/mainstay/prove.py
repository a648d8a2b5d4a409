"""The verb `prove`: start the service, load it, break it, count what was lost, and clean up."""

import os
import platform
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import psycopg

from mainstay import __version__
from mainstay.budgets import STANDARD, Budgets
from mainstay.evidence import forecast
from mainstay.evidence.forecast import Outage
from mainstay.experiments.base import Experiment
from mainstay.experiments.catalogue import all_experiments
from mainstay.experiments.profile import Profile
from mainstay.experiments.setting_up import set_up
from mainstay.experiments.stand import Observer, Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.client import NoAnswer
from mainstay.lab.lab import Lab, LabError
from mainstay.model.proof import Machine, Measurement, Proof, Skipped, Verdict, worst
from mainstay.model.service import Declaration


class Spectator(Observer, Protocol):
    """Who is told how far the run is."""

    def plan(self, names: Sequence[str], seconds: float) -> None:
        """What will be done, and how long that takes, about."""

    def begin(self, name: str, seconds: float) -> None:
        """An experiment begins."""

    def done(self, measurement: Measurement) -> None:
        """An experiment has ended."""


def prove(
    declaration: Declaration,
    budgets: Budgets,
    profile: Profile,
    spectator: Spectator,
    *,
    only: Sequence[str] = (),
    against: Path | None = None,
) -> Proof:
    """Do the experiments of the profile, or those named, and say what they show.

    Raises LabError and its kin when the service cannot even be started: nothing is left running then either.
    """
    began, clock = datetime.now(UTC), time.monotonic()
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        stand = set_up(lab, stack, declaration, budgets, profile, spectator, against=against)
        machine = _machine(stand)
        chosen, skipped = _choose(stand, only)
        seconds = sum(_seconds(stand, experiment()) for experiment in chosen)
        spectator.plan([experiment.name() for experiment in chosen], seconds)
        measurements = []
        for experiment in chosen:
            measurement = _do(stand, experiment(), spectator)
            measurements.append(measurement)
            spectator.done(measurement)
        measurements.extend(_forecast(measurements, declaration, budgets))
        notes = tuple(stand.notes)
    return Proof(
        version=__version__,
        service=Path(declaration.root).name,
        profile=profile.name,
        began=began.isoformat(timespec="seconds"),
        seconds=time.monotonic() - clock,
        machine=machine,
        budgets=budgets,
        standard=STANDARD,
        verdict=worst([m.verdict for m in measurements] + _doubts(skipped)),
        measurements=tuple(measurements),
        skipped=tuple(skipped),
        assumptions=notes,
    )


def _choose(stand: Stand, only: Sequence[str]) -> tuple[list[type[Experiment]], list[Skipped]]:
    chosen: list[type[Experiment]] = []
    skipped: list[Skipped] = []
    waived = {waiver.experiment: waiver.reason for waiver in stand.declaration.waivers}
    for experiment in all_experiments():
        name = experiment.name()
        if only and name not in only:
            continue
        if not only and stand.profile.name == "quick" and not experiment.quick:
            continue
        if reason := waived.get(name, ""):
            skipped.append(Skipped(name, reason, waived=True))
        elif reason := experiment().applies(stand):
            skipped.append(Skipped(name, reason, applies=False))
        elif reason := experiment().possible(stand):
            skipped.append(Skipped(name, f"not possible here: {reason}"))
        else:
            chosen.append(experiment)
    return chosen, skipped


def _seconds(stand: Stand, experiment: Experiment) -> float:
    """How long it takes, with the start of a fresh service where it needs one."""
    return experiment.seconds(stand) + (0.0 if experiment.gentle else stand.startup)


def _doubts(skipped: Sequence[Skipped]) -> list[Verdict]:
    """What could not be done here was not measured, and so did not pass."""
    return [Verdict.INCONCLUSIVE for skip in skipped if skip.applies and not skip.waived]


def _do(stand: Stand, experiment: Experiment, spectator: Spectator) -> Measurement:
    """One experiment on a fresh service; what goes wrong on our side makes it void, not the service bad."""
    spectator.begin(experiment.name(), experiment.seconds(stand))
    began = time.monotonic()
    trial: Trial | None = None
    try:
        with suppress(LabError):
            stand.driver.stop()  # the load of an experiment that came to nothing
        if not (stand.untouched and experiment.gentle):
            stand.restart()
        stand.untouched = False
        trial = Trial(stand)
        claims = list(experiment.run(trial))
        stand.untouched = experiment.gentle
        return trial.measurement(experiment.name(), experiment.hypothesis(), claims, experiment.explained_by)
    except (LabError, NoAnswer, psycopg.Error) as error:
        return Measurement(
            experiment=experiment.name(),
            verdict=Verdict.ERROR,
            hypothesis=experiment.hypothesis(),
            seconds=time.monotonic() - began,
            why=_why(error),
        )
    finally:
        if trial is not None:
            trial.close()


def _why(error: Exception) -> str:
    if isinstance(error, psycopg.Error):
        return (
            f"the database gave us no answer: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        )
    return str(error)


def _forecast(
    measurements: Sequence[Measurement], declaration: Declaration, budgets: Budgets
) -> list[Measurement]:
    """The availability to expect from the outages that were measured; nothing when there were none."""
    outages = [
        Outage(measurement.experiment, figure.value, heals=claim.verdict is not Verdict.FAILED)
        for measurement in measurements
        for claim in measurement.claims
        if claim.name == "recovers-in-time"
        for figure in claim.figures
        if figure.name == "full outage"
    ]
    if not outages:
        return []
    claim = forecast.claim(outages, declaration.frequencies, budgets)
    return [
        Measurement(
            experiment="availability",
            verdict=claim.verdict,
            hypothesis="What goes wrong in a month stays within the budget for availability.",
            claims=(claim,),
        )
    ]


def _machine(stand: Stand) -> Machine:
    database = stand.database
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        cores=os.cpu_count() or 1,
        load=os.getloadavg()[0],
        postgres=database.choice.removeprefix("PostgreSQL ") if database is not None else "",
    )
