"""Findings set aside in place: `# mainstay: ignore[rule] reason`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from difflib import get_close_matches

from msgspec import Struct

from mainstay.model.code import Body, Call, Module, Result, Suppression, Value
from mainstay.model.finding import Finding
from mainstay.model.location import Location
from mainstay.model.review import Notice
from mainstay.model.system import File, Role


class Suppressed(Struct, frozen=True):
    """What the suppressions of a system do: reasons by the index of the finding, and what is odd."""

    reasons: dict[int, str]
    notices: tuple[Notice, ...]


def apply_suppressions(
    files: Iterable[File], findings: Sequence[Finding], *, known: Set[str], ran: Set[str]
) -> Suppressed:
    """Match suppressions with findings.

    `known` names every rule there is, and `ran` those that ran: a suppression for a rule that did not
    run may still be of use another time.
    """
    located: defaultdict[str, list[int]] = defaultdict(list)
    for index, finding in enumerate(findings):
        located[finding.location.path].append(index)
    reasons: dict[int, str] = {}
    notices: list[Notice] = []
    for file in files:
        if not file.module.suppressions:
            continue
        here = [(index, findings[index]) for index in located[file.path]]
        used = _match(_Places(file.module), here, reasons)
        notices.extend(_notices(file, used, known, ran))
    return Suppressed(reasons, tuple(notices))


class _Places:
    """Which suppressions of a module speak of which lines."""

    def __init__(self, module: Module) -> None:
        self._by_line: defaultdict[int, list[Suppression]] = defaultdict(list)
        alone = {suppression.line for suppression in module.suppressions if suppression.alone}
        for suppression in module.suppressions:
            self._by_line[_line_meant(suppression, alone)].append(suppression)
        self._heads = {body.line: _first_line(module, body) for body in module.bodies if body.decorators}

    def speaking_of(self, location: Location) -> Iterator[Suppression]:
        """The suppressions on the first or the last line of a place, or on the decorators of a `def`."""
        first = self._heads.get(location.line, location.line)
        for line in sorted({*range(first, location.line + 1), location.end_line or location.line}):
            yield from self._by_line.get(line, ())


def _line_meant(suppression: Suppression, alone: Set[int]) -> int:
    """The suppression's own line, or the next one below it that holds code when it stands alone."""
    line = suppression.line
    while line in alone:
        line += 1
    return line


def _first_line(module: Module, body: Body) -> int:
    """The line of a body's first decorator.  One without a call is taken to fill a line by itself."""
    line = body.line
    for decorator in reversed(body.decorators):
        line = _line_of_call(module.bodies[body.parent], decorator) or line - 1
    return line


def _line_of_call(parent: Body, value: Value) -> int:
    if not isinstance(value, Result):
        return 0
    statement = parent.statements[value.call]
    return statement.line if isinstance(statement, Call) else 0


def _match(
    places: _Places, findings: Iterable[tuple[int, Finding]], reasons: dict[int, str]
) -> set[tuple[int, str]]:
    """Give each suppressed finding its reason, and tell which (line, rule) were of use."""
    used: set[tuple[int, str]] = set()
    for index, finding in findings:
        for suppression in places.speaking_of(finding.location):
            if finding.rule in suppression.rules:
                used.add((suppression.line, finding.rule))
                if suppression.reason:
                    reasons[index] = suppression.reason
    return used


def _notices(file: File, used: Set[tuple[int, str]], known: Set[str], ran: Set[str]) -> Iterator[Notice]:
    for suppression in file.module.suppressions:
        place = Location(file.path, suppression.line, suppression.column)
        if not suppression.rules:
            yield Notice("This suppression names no rule, so it does not count.", place)
        for rule in suppression.rules:
            if rule not in known:
                yield Notice(
                    f"This suppression names {rule}, and there is no such rule.{suggestion(rule, known)}",
                    place,
                )
            elif not suppression.reason:
                yield Notice(f"This suppression of {rule} gives no reason, so it does not count.", place)
            elif (suppression.line, rule) not in used and rule in ran and file.role is Role.SOURCE:
                yield Notice(f"This suppression of {rule} suppresses nothing: it can go.", place)


def suggestion(name: str, known: Iterable[str]) -> str:
    """` Did you mean x?` when a known name is close to `name`, else nothing."""
    close = get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
