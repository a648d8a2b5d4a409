"""The load of a service for engines that run on many machines: one file for each engine.

A module that sets `ENGINE` and `ENDING` is an export of `mainstay prove`; its `render` turns a `Mix` into the
text of one file.  Being in the folder is being registered.  Nothing here starts, asks or writes anything.
"""

import importlib
import pkgutil
from typing import Protocol, cast

from mainstay.exports.mix import Mix


class Export(Protocol):
    """What a module of this folder offers when it sets `ENGINE`."""

    ENGINE: str
    ENDING: str  # of the files it is written to

    def render(self, mix: Mix) -> str:
        """The file for that engine; the same mix always gives the same text.  Raises CannotExport."""


def exports() -> dict[str, Export]:
    """Every export by the name of its engine, sorted."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [cast(Export, module) for module in modules if hasattr(module, "ENGINE")]
    return {module.ENGINE: module for module in sorted(found, key=lambda m: m.ENGINE)}
