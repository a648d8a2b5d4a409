"""How a proof is shown: one file for each format; being in the folder is being registered.

A module that sets `FORMAT` and `ENDING` is a format of `mainstay prove`; its `render` turns a proof into
text.  Nothing here decides anything, and but for `live.py` nothing prints: the caller does.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from mainstay.model.gate import GateResult
from mainstay.model.proof import Proof


class Format(Protocol):
    """What a module of this folder offers when it sets `FORMAT`."""

    FORMAT: str
    ENDING: str  # of the files it is written to

    def render(
        self, proof: Proof, *, families: Mapping[str, str] = ..., gates: Sequence[GateResult] = ...
    ) -> str:
        """The whole proof; `families` names the folder of each experiment, `gates` what the gates say.

        The same proof always gives the same text.
        """


def formats() -> dict[str, Format]:
    """Every format by its name, sorted."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [cast(Format, module) for module in modules if hasattr(module, "FORMAT")]
    return {module.FORMAT: module for module in sorted(found, key=lambda m: m.FORMAT)}
