from collections.abc import Iterator

from mainstay.gates.base import Gate, missing
from mainstay.gates.critical_paths import covered_paths, critical_functions
from mainstay.model.gate import Evidence
from mainstay.model.project import CoverageReport, ProjectFacts
from mainstay.model.proof import Verdict
from mainstay.model.review import Review
from mainstay.model.system import Function

ENOUGH = 0.80  # of the lines on critical paths; exactly that is not over it
NAMED = 5  # functions with the most lines that no test reached


class Tests(Gate):
    """The tests reach over 80 % of the critical paths.

    It rests on a coverage report, joined with the system that was read: critical is every function that an
    operation or a job with a write in it comes to, and only their lines count.

    Test the function with the most unreached lines first; it is named.
    """

    place = 6

    def known(self, review: Review | None, project: ProjectFacts) -> Iterator[Evidence]:
        if project.coverage is None:
            yield missing("project", "coverage", "No coverage report was named.")
            return
        if review is None:
            said = "The code was not looked at, so its critical paths are not known: run `mainstay review`."
            yield missing("review", "not-reviewed", said)
            return
        functions = critical_functions(review.system)
        if not functions:
            yield missing("review", "critical-paths", "No operation and no job was found in the code.")
            return
        yield from _covered(functions, project.coverage)


def _covered(functions: tuple[Function, ...], report: CoverageReport) -> Iterator[Evidence]:
    paths = covered_paths(functions, report)
    lines = paths.reached + paths.missed
    if paths.unknown:
        said = (
            f"The report says nothing of {', '.join(paths.unknown[:NAMED])}, which critical paths go through."
        )
        yield missing("project", "coverage", said)
    if not lines:
        return
    share = paths.reached / lines
    told = f"The tests reach {100 * share:.1f} % of the {lines:,} lines on critical paths"
    if share > ENOUGH:
        yield Evidence("project", "coverage", Verdict.PASSED, f"{told}.", report.path)
    else:
        worst = ", ".join(f"{name} ({count})" for name, count in paths.worst[:NAMED])
        said = f"{told}; over 80 % is asked for. Most unreached lines: {worst}."
        yield Evidence("project", "coverage", Verdict.FAILED, said, report.path)
