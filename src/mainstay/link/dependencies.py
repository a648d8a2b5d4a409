"""The calls out of the process, as `map` shows them."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from mainstay.knowledge.load import Knowledge
from mainstay.link.values import given
from mainstay.model.code import Attribute, Name, Text, Value
from mainstay.model.effect import Effect, EffectKind, EnclosureKind
from mainstay.model.flow import definition, text_of
from mainstay.model.system import Bound, Deadline, Dependency, Function, Role

SUFFIXES = re.compile(r"_?(base|api)?_?(url|uri|host|endpoint|address|root)$", re.IGNORECASE)
PLAIN = frozenset(
    {"", "base", "api", "self", "request", "settings", "config", "full", "the", "target", "server"}
)


def find_dependencies(functions: Mapping[str, Function], knowledge: Knowledge) -> tuple[Dependency, ...]:
    """Every call of a library that leaves the process for another service, in the order of the files."""
    found = [
        dependency
        for function in functions.values()
        if function.file.role is Role.SOURCE and EffectKind.CALL_OUT in function.kinds
        for dependency in _of(function, knowledge)
    ]
    return tuple(sorted(found, key=lambda dependency: dependency.location))


def _of(function: Function, knowledge: Knowledge) -> Iterator[Dependency]:
    for at, effects in function.direct.items():
        for effect in effects:
            if effect.kind is not EffectKind.CALL_OUT:
                continue
            kinds = {enclosure.kind for enclosure in function.around(at)}
            yield Dependency(
                target=service_name(function, at, effect, knowledge),
                function=function.name,
                location=function.at(at),
                deadline=function.deadlines.get(at, Deadline(Bound.UNKNOWN, why="not known for this call")),
                retried=EnclosureKind.RETRY in kinds,
                in_transaction=EnclosureKind.TRANSACTION in kinds,
            )


def service_name(function: Function, at: int, effect: Effect, knowledge: Knowledge) -> str:
    """What people would call the service: by its address, by what holds the address, or by who calls.

    A library that talks to one service only (stripe, redis) gives it its own name.
    """
    library = knowledge.is_library(function.targets[at].name)
    known = function.targets[at].library
    place = known.sinks.get("url") if known else None
    if place is None:
        return effect.target or (library.library if library else "")
    value = given(function.call(at), place)
    named = _by_address(function, value, at) if value is not None else ""
    return named or function.owner.rpartition(".")[2] or function.file.name.rpartition(".")[2]


def _by_address(function: Function, value: Value, at: int, hops: int = 0) -> str:
    """The host of a literal address, or the name of the setting that holds its beginning."""
    text = text_of(value)
    if text is not None:
        return urlsplit(text).hostname or ""
    if isinstance(value, Text) and value.parts:
        return _by_address(function, value.parts[0], at, hops)
    if isinstance(value, Name | Attribute):
        path = value.path
        assigned = definition(function.body, path, at) if isinstance(value, Name) and hops < 3 else None
        if assigned is not None:
            named = _by_address(function, assigned[1], assigned[0], hops + 1)
            if named:
                return named
        last = SUFFIXES.sub("", path.rpartition(".")[2].strip("_")).strip("_").lower()
        return "" if last in PLAIN or len(last) < 3 else last
    return ""
