"""The calls out of the process, as `map` shows them."""

from collections.abc import Iterator, Mapping

from mainstay.knowledge.load import Knowledge
from mainstay.model.effect import EffectKind, EnclosureKind
from mainstay.model.system import Bound, Deadline, Dependency, Function, Role


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
            library = knowledge.is_library(function.targets[at].name)
            yield Dependency(
                target=effect.target or (library.library if library else ""),
                function=function.name,
                location=function.at(at),
                deadline=function.deadlines.get(at, Deadline(Bound.UNKNOWN, why="not known for this call")),
                retried=EnclosureKind.RETRY in kinds,
                in_transaction=EnclosureKind.TRANSACTION in kinds,
            )
