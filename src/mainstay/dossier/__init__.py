"""The chapters of a dossier: one a file; being in the folder is being registered.

A module that sets `PLACE` is a chapter: it stands in the order of these numbers, and its `chapter` tells what
follows from a specification.  What follows is worked out in `plan/`; here it is only put into words.
"""

import importlib
import pkgutil
from typing import Protocol, cast

from mainstay.dossier.gathering import gathered
from mainstay.model.dossier import Chapter, Dossier
from mainstay.model.specification import Specification


class ChapterModule(Protocol):
    """What a module of this folder offers when it sets `PLACE`."""

    PLACE: int

    def chapter(self, specification: Specification) -> Chapter:
        """The chapter; the same specification always gives the same one."""


def dossier(specification: Specification) -> Dossier:
    """Everything that follows from the specification."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [cast(ChapterModule, module) for module in modules if hasattr(module, "PLACE")]
    ordered = sorted(found, key=lambda module: module.PLACE)
    return Dossier(specification, gathered([module.chapter(specification) for module in ordered]))
