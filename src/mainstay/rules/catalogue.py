"""All rules there are: every rule class in the folders of the five analyses."""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from mainstay.model.finding import Analysis
from mainstay.rules.base import Rule


@cache
def all_rules() -> tuple[type[Rule], ...]:
    """Every rule, sorted by name; being in a folder is being registered."""
    found = [rule for analysis in Analysis for rule in _rules_of(f"mainstay.rules.{analysis}")]
    return tuple(sorted(found, key=lambda rule: rule.name()))


def _rules_of(folder: str) -> list[type[Rule]]:
    spec = find_spec(folder)
    if spec is None:
        return []
    rules: list[type[Rule]] = []
    for module in pkgutil.iter_modules(spec.submodule_search_locations):
        name = f"{folder}.{module.name}"
        members = vars(import_module(name)).values()
        rules.extend(m for m in members if _is_rule(m) and m.__module__ == name)
    return rules


def _is_rule(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Rule) and member is not Rule
