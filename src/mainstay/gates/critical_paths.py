"""Which functions are on a critical path, and how much of them the tests reach.

Every write is critical, and so is whatever is handed to another service: a critical path begins at an
operation or a job that does one of them, and goes through all the functions of the project that it comes to,
now or later.  Where nothing writes, all operations and jobs count.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from mainstay.model.effect import OUTSIDE, WRITES
from mainstay.model.project import CoverageReport, FileCoverage
from mainstay.model.system import Function, System


class CoveredPaths(Struct, frozen=True):
    """The lines of critical functions that the report knows."""

    reached: int
    missed: int
    worst: tuple[tuple[str, int], ...]  # functions with unreached lines and how many, most first
    unknown: tuple[str, ...]  # files of which the report says nothing


def critical_functions(system: System) -> tuple[Function, ...]:
    """Every function on a critical path, sorted by name."""
    entries = [o.function for o in system.operations] + [j.function for j in system.jobs]
    known = [system.functions[name] for name in entries if name in system.functions]
    reached = {entry.name: _reached(system, [entry]) for entry in known}
    writing = [e for e in known if any(f.kinds & (WRITES | OUTSIDE) for f in reached[e.name].values())]
    found: dict[str, Function] = {}
    for entry in writing or known:
        found |= reached[entry.name]
    return tuple(sorted(found.values(), key=lambda function: function.name))


def covered_paths(functions: Sequence[Function], report: CoverageReport) -> CoveredPaths:
    """How much of the functions the report knows to be reached; lines of nested functions count once."""
    paths = sorted({function.file.path for function in functions})
    files = _matched(paths, report.files)
    reached: set[tuple[str, int]] = set()
    missed: set[tuple[str, int]] = set()
    unreached: dict[str, int] = {}
    for function in functions:
        path = function.file.path
        if path not in files:
            continue
        # The line of the `def` runs when the module is imported, and says nothing of the function.
        lines = frozenset(range(function.body.line + 1, function.body.end_line + 1))
        reached |= {(path, line) for line in files[path].reached & lines}
        own = {(path, line) for line in files[path].missed & lines}
        missed |= own
        if own:
            unreached[function.name] = len(own)
    worst = sorted(unreached.items(), key=lambda item: (-item[1], item[0]))
    unknown = tuple(path for path in paths if path not in files)
    return CoveredPaths(len(reached), len(missed), tuple(worst), unknown)


def _reached(system: System, entries: Iterable[Function]) -> dict[str, Function]:
    """The functions that these come to, themselves included."""
    found: dict[str, Function] = {}
    waiting = list(entries)
    while waiting:
        function = waiting.pop()
        if function.name in found:
            continue
        found[function.name] = function
        names = {edge.function for edges in function.edges.values() for edge in edges}
        waiting.extend(system.functions[name] for name in names if name in system.functions)
    return found


def _matched(paths: Sequence[str], files: Sequence[FileCoverage]) -> dict[str, FileCoverage]:
    """The report's entry for each path.

    A report may name its files from another folder than the review: above ours, then the end of its name is
    our path; or below, then the end of our path is its name, which has to fit no other path as well.
    """
    exact = {file.path.removeprefix("./"): file for file in files}
    found: dict[str, FileCoverage] = {}
    for path in paths:
        above = [file for name, file in exact.items() if name.endswith(f"/{path}")]
        if path in exact:
            found[path] = exact[path]
        elif len(above) == 1:
            found[path] = above[0]
    for name, file in exact.items():
        below = [path for path in paths if path.endswith(f"/{name}")]
        if len(below) == 1 and below[0] not in found and file not in found.values():
            found[below[0]] = file
    return found
