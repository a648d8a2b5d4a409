"""How each operation of a service is called, as far as it can be told."""

import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import UNSET, Struct

from mainstay.experiments.stand import Stand
from mainstay.lab.actions import derive, doubled
from mainstay.lab.links import Links, declared_for, links, shape
from mainstay.lab.values import NoExample, Values, flat
from mainstay.model.api import Api, ApiOperation, Parameter, Schema
from mainstay.model.service import Action

NOBODYS = "0f8fad5b-d9cb-469f-a165-70867728950e"  # an id that nobody has


class Way(Struct, frozen=True):
    """An operation and a request for it."""

    operation: str  # "GET /orders/{order_id}"
    action: Action
    api: ApiOperation | None = None
    real: bool = True  # everything that it names is there, so "not found" is an answer to the caller


def ways(stand: Stand) -> tuple[Way, ...]:
    """One for each operation: as it is declared, else as it can be guessed, else filled with anything.

    Without an OpenAPI document, the declared actions are all there is.
    """
    if stand.api is None:
        named: dict[str, Way] = {}
        for action in stand.actions:
            name = f"{action.method} {shape(action.path)}"
            named.setdefault(name, Way(f"{action.method} {action.path}", action))
        return tuple(named.values())
    first = stand.principals[0].name if stand.principals else ""
    guessed = derive(stand.api, stand.actions, stand.declaration.public, first=first).actions
    every = (*stand.actions, *guessed)
    return tuple(_ways(stand.api, every, links(stand.api, every)))


def is_public(stand: Stand, way: Way) -> bool:
    """Whether the project says that anyone may call it; who logs in has no credentials yet."""
    method, _, path = way.operation.partition(" ")
    logins = tuple(actor.request for actor in stand.principals if actor.request)
    probes = tuple(f"GET {p.ready}" for p in stand.declaration.processes if p.ready)
    shown = tuple(f"GET {p.metrics}" for p in stand.declaration.processes if p.metrics.startswith("/"))
    public = (*stand.declaration.public, *logins, *probes, *shown)
    return any(_named(pattern, method, path) for pattern in public)


def _named(pattern: str, method: str, path: str) -> bool:
    wanted, _, place = pattern.strip().rpartition(" ")
    if wanted.strip().upper() not in ("", "*", method):
        return False
    return shape(place) == shape(path) or fnmatch.fnmatchcase(path, place)


def _ways(api: Api, actions: Sequence[Action], all_links: Links) -> Iterator[Way]:
    declared = [action for action in actions if not action.guessed]
    guessed = {action.name.removesuffix(" (guessed)"): action for action in actions if action.guessed}
    for operation in api.operations:
        action = declared_for(api, operation, declared) or guessed.get(operation.name)
        if action is not None:
            yield Way(operation.name, action, operation)
        else:
            yield _Anything(api, operation, all_links, actions).way()


class _Anything:
    """A request that names what there is where a name tells what is meant, and anything elsewhere."""

    def __init__(
        self, api: Api, operation: ApiOperation, all_links: Links, actions: Sequence[Action]
    ) -> None:
        self._api = api
        self._operation = operation
        self._links = all_links
        self._pools = {pool for action in actions for pool in action.gives}
        self._values = Values(api, self._wish, doubled)
        self._real = True

    def way(self) -> Way:
        operation = self._operation
        path = re.sub(r"\{([^{}]+)\}", lambda found: self._in_path(found[1]), operation.path)
        beside = {
            where: {p.name: self._text(p) for p in operation.parameters if p.required and p.where == where}
            for where in ("query", "header")
        }
        body = self._body()
        action = Action(
            operation.name,
            operation.method,
            path,
            weight=0.0,
            query=beside["query"],
            headers={
                name: text for name, text in beside["header"].items() if name.lower() != "authorization"
            },
            body=body,
            guessed=True,
        )
        return Way(operation.name, action, operation, self._real)

    def _in_path(self, name: str) -> str:
        giver = self._links.of_path(self._operation.path, name)
        if giver is not None and giver.pool in self._pools:
            return f"{{{giver.pool}}}"
        self._real = False
        parameter = next((p for p in self._operation.parameters if p.name == name), None)
        return NOBODYS if parameter is None else self._text(parameter)

    def _text(self, parameter: Parameter) -> str:
        schema = flat(self._api, parameter.schema)
        if schema.format == "uuid":
            return NOBODYS
        try:
            value = self._values.value(parameter.schema, parameter.name, *parameter.examples[:1])
        except NoExample:
            return "1"
        return str(value)

    def _body(self) -> Any:
        for media in self._operation.body.content if self._operation.body is not None else ():
            if "json" in media.type:
                try:
                    return self._values.value(media.schema, "the body", *media.examples[:1])
                except NoExample:
                    return {}
        return None

    def _wish(self, name: str, schema: Schema) -> Any:
        giver = self._links.of_field(name)
        if giver is None or giver.pool not in self._pools or schema.enum is not None:
            return UNSET
        return f"{{{giver.pool}}}"
