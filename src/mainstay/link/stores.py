"""The data stores of a system and the tables it touches."""

from collections.abc import Mapping

from mainstay.knowledge.load import Knowledge
from mainstay.model.effect import DATABASE
from mainstay.model.location import Location
from mainstay.model.system import Datastore, Function, Role


def find_datastores(functions: Mapping[str, Function], knowledge: Knowledge) -> tuple[Datastore, ...]:
    """One store for each kind that the libraries in use talk to, with the tables seen."""
    tables: dict[str, set[str]] = {}
    first: dict[str, Location] = {}
    for function in functions.values():
        if function.file.role is not Role.SOURCE:
            continue
        for at, effects in function.direct.items():
            kind = _kind(function, at, knowledge)
            if not kind:
                continue
            first.setdefault(kind, function.at(at))
            tables.setdefault(kind, set()).update(
                e.target for e in effects if e.kind in DATABASE and e.target
            )
    return tuple(Datastore(kind, tuple(sorted(tables[kind])), first[kind]) for kind in sorted(first))


def _kind(function: Function, at: int, knowledge: Knowledge) -> str:
    target = function.targets.get(at)
    library = knowledge.is_library(target.name) if target else None
    return library.datastore if library else ""
