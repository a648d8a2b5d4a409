"""The verb `prove`: start the service, load it, break it, count what was lost, and clean up."""

import os
import platform
import secrets
import string
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec
import psycopg

from mainstay import __version__
from mainstay.budgets import STANDARD, Budgets
from mainstay.evidence import forecast
from mainstay.evidence.forecast import Outage
from mainstay.experiments.base import Experiment
from mainstay.experiments.catalogue import all_experiments
from mainstay.experiments.checks import invariants
from mainstay.experiments.profile import QUICK, Profile
from mainstay.experiments.stand import Observer, Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.actions import Derived, derive
from mainstay.lab.client import NoAnswer, ask
from mainstay.lab.lab import Lab, LabError
from mainstay.lab.load.control import Driver
from mainstay.lab.paging.rules import AlertError, Rule, read_rules
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.service import Service
from mainstay.model.api import Api
from mainstay.model.proof import Machine, Measurement, Proof, Skipped, Verdict, worst
from mainstay.model.service import Action, Declaration
from mainstay.sources import openapi
from mainstay.sources.openapi import OpenApiError

REQUEST_ID = "{marker}"
MARK = string.ascii_lowercase + string.digits


class Impossible(Exception):
    """The service cannot be proved as it is declared; the message says why."""


class Spectator(Observer, Protocol):
    """Who is told how far the run is."""

    def plan(self, names: Sequence[str], seconds: float) -> None:
        """What will be done, and how long that takes, about."""

    def say(self, line: str) -> None:
        """Something worth a line of its own."""

    def begin(self, name: str, seconds: float) -> None:
        """An experiment begins."""

    def done(self, measurement: Measurement) -> None:
        """An experiment has ended."""


class Wish(Protocol):
    """Which experiments are wanted."""

    def __call__(self, experiment: type[Experiment]) -> bool: ...


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
        stand = _stand(lab, stack, declaration, budgets, profile, spectator, against)
        machine = _machine(stand)
        chosen, skipped = _choose(stand, only)
        seconds = sum(experiment().seconds(stand) + stand.starting() for experiment in chosen)
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


# --- getting ready -------------------------------------------------------------------------------


def _stand(
    lab: Lab,
    stack: ExitStack,
    declaration: Declaration,
    budgets: Budgets,
    profile: Profile,
    spectator: Spectator,
    against: Path | None,
) -> Stand:
    rules = read_alerts(declaration)
    proxy = FaultProxy(lab)
    service = Service(lab, declaration, proxy, spectator.say)
    spectator.doing("starting what the service needs", 0, 0, None)
    service.prepare()
    spectator.doing("starting the service", 0, 0, None)
    began = time.monotonic()
    service.start()
    startup = time.monotonic() - began
    api = read_interface(declaration, service)
    derived = _actions(api, declaration, {})
    prefix = "ms" + "".join(secrets.choice(MARK) for _ in range(6))

    def drive(marks: str, actions: Sequence[Action]) -> Driver:
        return Driver(
            lab,
            [_with_request_id(action, declaration.request_id_header) for action in actions],
            targets=service.addresses,
            actors=_callers(service, declaration),
            timeout=declaration.load.timeout,
            seed=int.from_bytes(secrets.token_bytes(4)),
            prefix=marks,
            scenario=Path(declaration.root) / declaration.load.scenario
            if declaration.load.scenario
            else None,
        )

    stand = Stand(
        lab,
        declaration,
        service,
        proxy,
        drive,
        derived.actions,
        api=api,
        rules=rules,
        budgets=budgets,
        profile=profile,
        observer=spectator,
        prefix=prefix,
        against=against,
    )
    stand.startup = startup
    stack.callback(stand.end)
    spectator.doing("trying each operation once", 0, 0, None)
    _check_working(stand)
    _check_invariants(stand)
    return stand


def _with_request_id(action: Action, header: str) -> Action:
    """The action with an id by which its requests can be found in the logs."""
    if not header or header in action.headers:
        return action
    return msgspec.structs.replace(action, headers={**action.headers, header: REQUEST_ID})


def _scenario(declaration: Declaration) -> Path | None:
    name = declaration.load.scenario
    return Path(declaration.root) / name if name else None


def _callers(service: Service, declaration: Declaration) -> dict[str, dict[str, str]]:
    """The first actor is the one whom actions without an actor mean."""
    first = (
        {declaration.actors[0].name: service.headers[declaration.actors[0].name]}
        if declaration.actors
        else {}
    )
    return first | service.headers


def _check_working(stand: Stand) -> None:
    """A load in which an operation never works proves nothing: guesses that fail are left out."""
    refused: dict[str, str] = {}
    derived = _actions(stand.api, stand.declaration, refused)
    while True:
        failed = _failing(stand)
        if not failed.keys() - refused.keys():
            break
        refused |= failed
        derived = _actions(stand.api, stand.declaration, refused)
        stand.replace(derived.actions)
    guessed = [action.name for action in stand.actions if action.guessed and action.weight > 0]
    if guessed:
        stand.notes.append(f"guessed from the API's description: {', '.join(guessed)}")
    stand.notes.extend(f"{out.operation} is left out: {out.why}" for out in derived.left_out)
    stand.notes.extend(stand.homes.said)


def _failing(stand: Stand) -> dict[str, str]:
    """The guessed operations that do not work, and how; raises LabError for a declared one."""
    records = stand.learn()
    working = {r.action for r in records if r.ok}
    failed: dict[str, str] = {}
    for record in records:
        action = stand.by_name.get(record.action)
        if record.ok or record.action in working or action is None or action.weight <= 0:
            continue
        how = "got no answer: " + record.failure if record.failure else f"was answered {record.status}"
        if not action.guessed:
            problem = f"the operation {action.name!r} ({action.method} {action.path}) {how}"
            raise LabError(f"{problem}. {record.excerpt}".strip())
        operation = action.name.removesuffix(" (guessed)")  # the path of the action has pools in it
        failed[operation] = f"it {how} when it was tried"
    return failed


def _check_invariants(stand: Stand) -> None:
    """One that cannot even be asked is a mistake, which is better known before than after the experiments."""
    for claim in invariants(Trial(stand)):
        if claim.verdict is Verdict.INCONCLUSIVE:
            raise LabError(f"prove.invariant: {claim.said}")


def read_interface(declaration: Declaration, service: Service | None) -> Api | None:
    """The OpenAPI document: a file of the project, or what the service shows at a path."""
    if not declaration.openapi:
        return None
    file = Path(declaration.root) / declaration.openapi.lstrip("/")
    if not declaration.openapi.startswith("/") or file.is_file():
        try:
            return openapi.read(file.read_bytes(), declaration.openapi)
        except OSError as error:
            raise LabError(f"prove.openapi: {declaration.openapi}: {error.strerror}") from None
        except OpenApiError as error:
            raise LabError(f"prove.openapi: {error}") from None
    if service is None:
        return None
    try:
        reply = ask("GET", f"{service.addresses[0]}{declaration.openapi}", timeout=declaration.load.timeout)
        if not reply.ok:
            raise LabError(f"prove.openapi: {declaration.openapi} was answered with {reply.status}")
        return openapi.read(reply.body, declaration.openapi)
    except NoAnswer as error:
        raise LabError(f"prove.openapi: no answer from {declaration.openapi}: {error}") from None
    except OpenApiError as error:
        raise LabError(f"prove.openapi: {error}") from None


def read_alerts(declaration: Declaration) -> tuple[Rule, ...]:
    """The alert rules that the declaration names."""
    try:
        return read_rules([Path(declaration.root) / name for name in declaration.alerts])
    except AlertError as error:
        raise LabError(f"prove.alerts: {error}") from None


def _actions(api: Api | None, declaration: Declaration, refused: Mapping[str, str]) -> Derived:
    """Those that are declared; where none is, or the rest is to be guessed, those of the OpenAPI document."""
    declared = declaration.actions
    if api is None or ((declared or declaration.load.scenario) and not declaration.guess_the_rest):
        if not declared and not declaration.load.scenario:
            raise LabError("nothing says what to send: declare `openapi`, [[prove.action]] or a scenario")
        return Derived(declared, ())
    first = declaration.actors[0].name if declaration.actors else ""
    derived = derive(api, declared, declaration.public, first=first, refused=dict(refused))
    actions = (*declared, *derived.actions)
    if not actions:
        reasons = "; ".join(f"{out.operation}: {out.why}" for out in derived.left_out[:3])
        raise LabError(f"prove.openapi: no operation can be called from what it says. {reasons}")
    return Derived(actions, derived.left_out)


def actions_of(declaration: Declaration, budgets: Budgets, spectator: Spectator) -> tuple[Action, ...]:
    """What a load is made of, for whoever sends it elsewhere; raises LabError.

    Nothing is started, unless actions are to be guessed and only the running service shows its OpenAPI
    document.  Then each of them has been tried, as before a proof.
    """
    declared = bool(declaration.actions or declaration.load.scenario)
    api = read_interface(declaration, None) if declaration.guess_the_rest or not declared else None
    if api is None and declaration.openapi and (declaration.guess_the_rest or not declared):
        with ExitStack() as stack:
            lab = stack.enter_context(Lab())
            actions = _stand(lab, stack, declaration, budgets, QUICK, spectator, None).actions
    else:
        actions = _actions(api, declaration, {}).actions
    return tuple(_with_request_id(action, declaration.request_id_header) for action in actions)


# --- the experiments -----------------------------------------------------------------------------


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


Say = Callable[[str], None]
