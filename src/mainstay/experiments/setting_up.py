"""Setting up the stand: from what a project declares to a service that runs and is known to work."""

import secrets
import string
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from mainstay.budgets import Budgets
from mainstay.experiments.checks import invariants
from mainstay.experiments.profile import QUICK, Profile
from mainstay.experiments.stand import Observer, Stand, callers
from mainstay.experiments.trial import Trial
from mainstay.lab.actions import Derived, derive
from mainstay.lab.client import NoAnswer, ask
from mainstay.lab.lab import Lab, LabError
from mainstay.lab.load.control import Driver
from mainstay.lab.paging.rules import AlertError, Rule, read_rules
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.service import Service
from mainstay.model.api import Api
from mainstay.model.proof import Verdict
from mainstay.model.service import Action, Declaration
from mainstay.sources import openapi
from mainstay.sources.openapi import OpenApiError

REQUEST_ID = "{marker}"
MARK = string.ascii_lowercase + string.digits


def set_up(
    lab: Lab,
    stack: ExitStack,
    declaration: Declaration,
    budgets: Budgets,
    profile: Profile,
    observer: Observer,
    *,
    against: Path | None = None,
) -> Stand:
    """Start the service and what it needs, and try each of its operations; `stack` ends it all.

    Raises LabError when the service cannot be started, or something that is declared does not work.
    """
    rules = _read_alerts(declaration)
    proxy = FaultProxy(lab)
    service = Service(lab, declaration, proxy, observer.say)
    observer.doing("starting what the service needs", 0, 0, None)
    service.prepare()
    observer.doing("starting the service", 0, 0, None)
    began = time.monotonic()
    service.start()
    startup = time.monotonic() - began
    api = _read_api(declaration, service)
    derived = _actions(api, declaration, {})
    prefix = "ms" + "".join(secrets.choice(MARK) for _ in range(6))

    def drive(marks: str, actions: Sequence[Action]) -> Driver:
        return Driver(
            lab,
            [_with_request_id(action, declaration.request_id_header) for action in actions],
            targets=service.addresses,
            actors=callers(declaration.actors, service.headers),
            timeout=declaration.load.timeout,
            seed=int.from_bytes(secrets.token_bytes(4)),
            prefix=marks,
            scenario=_scenario(declaration),
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
        observer=observer,
        prefix=prefix,
        against=against,
        startup=startup,
    )
    stack.callback(stand.end)
    observer.doing("trying each operation once", 0, 0, None)
    _check_working(stand)
    _check_invariants(stand)
    return stand


def actions_of(declaration: Declaration, budgets: Budgets, observer: Observer) -> tuple[Action, ...]:
    """What a load is made of, for whoever sends it elsewhere; raises LabError.

    Nothing is started, unless actions are to be guessed and only the running service shows its OpenAPI
    document.  Then each of them has been tried, as before a proof.
    """
    declared = bool(declaration.actions or declaration.load.scenario)
    api = _read_api(declaration, None) if declaration.guess_the_rest or not declared else None
    if api is None and declaration.openapi and (declaration.guess_the_rest or not declared):
        with ExitStack() as stack:
            lab = stack.enter_context(Lab())
            actions = set_up(lab, stack, declaration, budgets, QUICK, observer).actions
    else:
        actions = _actions(api, declaration, {}).actions
    return tuple(_with_request_id(action, declaration.request_id_header) for action in actions)


def _with_request_id(action: Action, header: str) -> Action:
    """The action with an id by which its requests can be found in the logs."""
    if not header or header in action.headers:
        return action
    return msgspec.structs.replace(action, headers={**action.headers, header: REQUEST_ID})


def _scenario(declaration: Declaration) -> Path | None:
    name = declaration.load.scenario
    return Path(declaration.root) / name if name else None


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


def _read_api(declaration: Declaration, service: Service | None) -> Api | None:
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


def _read_alerts(declaration: Declaration) -> tuple[Rule, ...]:
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
