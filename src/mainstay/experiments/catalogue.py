"""All experiments there are: every experiment class in the folders of the families."""

import pkgutil
from functools import cache
from importlib import import_module

import mainstay.experiments as folder
from mainstay.experiments.base import Experiment


@cache
def all_experiments() -> tuple[type[Experiment], ...]:
    """Every experiment, in the order in which they are done; being in a folder is being registered."""
    found: set[type[Experiment]] = set()
    for module in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
        if module.name.count(".") < 3 or module.name.endswith(".base"):
            continue  # what experiments share lies beside their folders
        members = vars(import_module(module.name)).values()
        found.update(m for m in members if _is_experiment(m) and m.__module__ == module.name)
    return tuple(sorted(found, key=lambda experiment: (experiment.order, experiment.name())))


def _is_experiment(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Experiment) and member is not Experiment
