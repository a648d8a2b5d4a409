"""How results are shown: one file for each format; being in the folder is being registered.

A module that sets `FORMAT` and `ENDING` is a format of `mainstay review`; its `render` turns a review into
text.  Nothing here decides anything, and nothing prints: the caller does.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Protocol, cast

from mainstay.model.review import Review
from mainstay.rules.base import Rule


class Format(Protocol):
    """What a module of this folder offers when it sets `FORMAT`."""

    FORMAT: str
    ENDING: str  # of the files it is written to

    def render(self, review: Review, rules: Sequence[type[Rule]]) -> str:
        """The whole review; the same review always gives the same text."""


def formats() -> dict[str, Format]:
    """Every format by its name, sorted."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [cast(Format, module) for module in modules if hasattr(module, "FORMAT")]
    return {module.FORMAT: module for module in sorted(found, key=lambda m: m.FORMAT)}
