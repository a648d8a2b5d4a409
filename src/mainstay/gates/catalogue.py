"""All gates there are: every gate class of this folder, in their order."""

import pkgutil
from functools import cache
from importlib import import_module

import mainstay.gates as folder
from mainstay.gates.base import Gate


@cache
def all_gates() -> tuple[type[Gate], ...]:
    """Every gate: reliability, security, performance, then the rest."""
    found: list[type[Gate]] = []
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        members = vars(import_module(module.name)).values()
        found.extend(m for m in members if _is_gate(m) and m.__module__ == module.name)
    return tuple(sorted(found, key=lambda gate: gate.place))


def _is_gate(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Gate) and member is not Gate
