"""How a dossier is shown: one file for each format; being in the folder is being registered.

A module that sets `FORMAT` and `ENDING` is a format of `mainstay design`; its `render` turns a dossier into
text.
"""

import importlib
import pkgutil
from typing import Protocol, cast

from mainstay.model.dossier import Dossier
from mainstay.model.proof import Origin

LABELS = {
    Origin.DERIVED: "derived",
    Origin.ASSUMED: "assumed",
    Origin.MEASURED: "measured",
    Origin.OPEN: "open",
}


class Format(Protocol):
    """What a module of this folder offers when it sets `FORMAT`."""

    FORMAT: str
    ENDING: str  # of the files it is written to

    def render(self, dossier: Dossier) -> str:
        """The whole dossier; the same one always gives the same text."""


def formats() -> dict[str, Format]:
    """Every format by its name, sorted."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [cast(Format, module) for module in modules if hasattr(module, "FORMAT")]
    return {module.FORMAT: module for module in sorted(found, key=lambda m: m.FORMAT)}
