"""Placeholders in what a project declares: `{port}`, `{database.url}`; `{{` and `}}` are braces."""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from mainstay.lab.lab import LabError

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def fill(text: str, values: Mapping[str, str], where: str) -> str:
    """The text with its placeholders filled in; raises LabError naming `where` for an unknown one."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in values:
            shown = [known for known in values if not known.startswith("env.")]
            near = get_close_matches(name, shown, 1)
            hint = f" Did you mean {{{near[0]}}}?" if near else f" There are {', '.join(sorted(shown))}."
            raise LabError(f"{where}: nothing is called {{{name}}}.{hint}")
        return values[name]

    return _PART.sub(value, text)


def names(text: str) -> set[str]:
    """The placeholders in a text."""
    return {match[1] for match in _PART.finditer(text) if match[1] is not None}
