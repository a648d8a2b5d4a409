"""What the processes of a service were given, placeholders filled in."""

from collections.abc import Iterable
from contextlib import suppress

import psutil

from mainstay.lab.lab import Program


def given(programs: Iterable[Program], names: Iterable[str]) -> dict[str, str]:
    """The values of these names, from the first process that has each; what none has is left out."""
    wanted = set(names)
    found: dict[str, str] = {}
    for program in programs:
        with suppress(psutil.Error):  # it has just ended
            got = psutil.Process(program.pid).environ()
            found = {name: got[name] for name in wanted if name in got} | found
    return found
