"""What an engine is told: the actions, who sends them, how often, and what is promised.

No credential is in it.  The headers of actors are left to a file that the engine reads; the values of the
secrets that `[prove]` names, and headers that say who is calling, become `{$NAME}`, which the engine takes
from its environment.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from mainstay.lab.error import LabError
from mainstay.lab.load.templates import TemplateError, check
from mainstay.model.budget import Budgets
from mainstay.model.service import Action, Declaration, Load

ANONYMOUS = "anonymous"
SECRET = 4  # characters that a secret has at least: what is shorter is found in any text

_PIECES = re.compile(r"(\{\{|\}\}|\{[^{}]*\})")
_IN_PATH = "/%:@!$&'()*+,;=?-._~"  # what the path of an action may hold as it is written
_CREDENTIALS = re.compile(r"authorization|cookie|token|secret|password|api-?key|session", re.IGNORECASE)
_FIELDS = {  # of an action, in the order in which they are written
    "actor": "actor",
    "query": "query",
    "headers": "headers",
    "body": "body",
    "form": "form",
    "takes": "takes",
    "gives": "gives",
    "expects": "expects",
    "key_header": "key_header",
}

Change = Callable[[str], str]


class CannotExport(LabError):
    """The load cannot be written for that engine; the message says why."""


class Mix(Struct, frozen=True):
    """The load of a service, as an engine has to know it."""

    service: str
    actions: tuple[Action, ...]  # each with its actor, and with no secret in any text
    actors: dict[str, tuple[str, ...]]  # the names of the headers that each sends
    load: Load
    budgets: Budgets
    settings: tuple[str, ...] = ()  # names of the environment whose values stand in actions
    guessed: bool = False  # some of the actions, by Mainstay

    @property
    def headers_example(self) -> str:
        """What the file of the actors' headers looks like, by the first of them."""
        for actor, names in self.actors.items():
            if names:
                return json.dumps({actor: {names[0]: "..."}})
        return "no actor sends any"


def mix(
    declaration: Declaration,
    actions: Sequence[Action],
    budgets: Budgets,
    environment: Mapping[str, str] = os.environ,
) -> Mix:
    """The load that the declaration describes, with those actions; raises CannotExport.

    `environment` is where a secret that the declaration names but does not set has its value.
    """
    named = {actor.name: tuple(actor.headers) for actor in declaration.actors}
    actors = {**named, ANONYMOUS: ()}
    _check(declaration, actions, tuple(actors))
    first = next(iter(actors))
    secrets = {
        name: value
        for name in declaration.secrets
        if len(value := declaration.environment.get(name) or environment.get(name, "")) >= SECRET
    }
    written = [_without_secrets(action, secrets) for action in actions]
    settled = tuple(
        msgspec.structs.replace(action, actor=action.actor or first, path=_address(action.path))
        for action in written
    )
    used = {action.actor for action in settled}
    names = {name for action in settled for name in _names(action)}
    return Mix(
        service=PurePath(declaration.root).name,
        actions=settled,
        actors={name: sent for name, sent in actors.items() if name in used or declaration.load.scenario},
        load=declaration.load,
        budgets=budgets,
        settings=tuple(sorted(name[1:] for name in names if name.startswith("$"))),
        guessed=any(action.guessed for action in settled),
    )


def described(action: Action) -> dict[str, Any]:
    """An action as a table with the keys that it needs, in the order in which people write them."""
    table: dict[str, Any] = {
        "name": action.name,
        "request": f"{action.method} {action.path}",
        "weight": _plain(action.weight),
    }
    for field, key in _FIELDS.items():
        value = getattr(action, field)
        if value or (field == "body" and value is not None):
            table[key] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    """As JSON would have it: dates as text, what is no number as null, whole numbers without a point."""
    plain = msgspec.json.decode(msgspec.json.encode(value))
    return int(plain) if isinstance(plain, float) and plain.is_integer() and abs(plain) < 1e15 else plain


def _check(declaration: Declaration, actions: Sequence[Action], actors: Sequence[str]) -> None:
    try:
        check(actions, actors)
    except TemplateError as error:
        raise CannotExport(str(error)) from error
    if not declaration.load.scenario and not any(action.weight > 0 for action in actions):
        raise CannotExport("No action has a weight: there is nothing to send.")
    givers: dict[tuple[str, str], Action] = {}
    for action in sorted(actions, key=lambda one: len(needs(one, actions))):
        for pool in action.gives:
            givers.setdefault((action.actor or actors[0], pool), action)
    for actor, pool in givers:
        _check_makeable(actor, pool, givers, actions, ())


def _check_makeable(
    actor: str,
    pool: str,
    givers: Mapping[tuple[str, str], Action],
    actions: Sequence[Action],
    above: tuple[str, ...],
) -> None:
    giver = givers[actor, pool]
    if pool in above:
        raise CannotExport(f"To give `{pool}`, the action `{giver.name}` needs one to begin with.")
    for needed in needs(giver, actions):
        _check_makeable(actor, needed, givers, actions, (*above, pool))


def needs(action: Action, actions: Sequence[Action]) -> tuple[str, ...]:
    """The pools that a request of that action takes from or uses, sorted."""
    pools = {pool for one in actions for pool in one.gives}
    return tuple(sorted((_names(action) | set(action.takes)) & pools))


# --- texts ---------------------------------------------------------------------------------------


def _names(action: Action) -> set[str]:
    """What stands in braces in an action."""
    found: set[str] = set()

    def look(text: str) -> str:
        found.update(piece[1:-1] for piece in _PIECES.findall(text) if piece not in ("{{", "}}"))
        return text

    _changed(action, look)
    return found


def _without_secrets(action: Action, secrets: Mapping[str, str]) -> Action:
    """Each value of a secret as `{$NAME}`, and so each header that says who calls."""

    def hidden(text: str) -> str:
        return "".join(_hidden(part, secrets) if literal else part for literal, part in _parts(text))

    changed = _changed(action, hidden)
    headers = {
        name: f"{{$HEADER_{re.sub(r'[^A-Z0-9]+', '_', name.upper())}}}" if _says_who(name, text) else text
        for name, text in changed.headers.items()
    }
    return msgspec.structs.replace(changed, headers=headers)


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """The stretches of a text as they are written, each with whether it is literal."""
    literal = ""
    for piece in _PIECES.split(text):
        if piece in ("{{", "}}") or not _PIECES.fullmatch(piece):
            literal += piece
        else:
            yield True, literal
            yield False, piece
            literal = ""
    yield True, literal


def _hidden(literal: str, secrets: Mapping[str, str]) -> str:
    for name, value in sorted(secrets.items(), key=lambda one: -len(one[1])):
        literal = literal.replace(value.replace("{", "{{").replace("}", "}}"), f"{{${name}}}")
    return literal


def _says_who(header: str, text: str) -> bool:
    return bool(_CREDENTIALS.search(header)) and not any(
        piece not in ("{{", "}}") for piece in _PIECES.findall(text)
    )


def _changed(action: Action, change: Change) -> Action:
    """The action with each of its texts changed; its name and the names of fields stay."""

    def deep(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        if isinstance(value, dict):
            return {name: deep(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [deep(inner) for inner in value]
        return value

    return msgspec.structs.replace(
        action,
        path=change(action.path),
        query={name: change(text) for name, text in action.query.items()},
        headers={name: change(text) for name, text in action.headers.items()},
        body=deep(action.body),
        form={name: change(text) for name, text in action.form.items()},
    )


def _address(path: str) -> str:
    """The path with its literal parts as they go over the wire."""
    return "".join(
        piece if _PIECES.fullmatch(piece) else quote(piece, safe=_IN_PATH) for piece in _PIECES.split(path)
    )
