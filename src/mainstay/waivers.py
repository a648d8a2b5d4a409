"""Findings set aside in place: `# mainstay: ignore[rule] reason`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from difflib import get_close_matches

from msgspec import Struct

from mainstay.model.code import Body, Call, Module, Result, Value, Waiver
from mainstay.model.finding import Finding
from mainstay.model.location import Location
from mainstay.model.review import Notice
from mainstay.model.system import File, Role


class Waived(Struct, frozen=True):
    """What the waivers of a system do: reasons by the index of the finding, and what is odd."""

    reasons: dict[int, str]
    notices: tuple[Notice, ...]


def apply_waivers(
    files: Iterable[File], findings: Sequence[Finding], *, known: Set[str], ran: Set[str]
) -> Waived:
    """Match waivers with findings.

    `known` names every rule there is, and `ran` those that ran: a waiver for a rule that did not
    run may still be of use another time.
    """
    located: defaultdict[str, list[int]] = defaultdict(list)
    for index, finding in enumerate(findings):
        located[finding.location.path].append(index)
    reasons: dict[int, str] = {}
    notices: list[Notice] = []
    for file in files:
        if not file.module.waivers:
            continue
        here = [(index, findings[index]) for index in located[file.path]]
        used = _match(_Places(file.module), here, reasons)
        notices.extend(_notices(file, used, known, ran))
    return Waived(reasons, tuple(notices))


class _Places:
    """Which waivers of a module speak of which lines."""

    def __init__(self, module: Module) -> None:
        self._by_line: defaultdict[int, list[Waiver]] = defaultdict(list)
        alone = {waiver.line for waiver in module.waivers if waiver.alone}
        for waiver in module.waivers:
            self._by_line[_line_meant(waiver, alone)].append(waiver)
        self._heads = {body.line: _first_line(module, body) for body in module.bodies if body.decorators}

    def speaking_of(self, location: Location) -> Iterator[Waiver]:
        """The waivers on the first or the last line of a place, or on the decorators of a `def`."""
        first = self._heads.get(location.line, location.line)
        for line in sorted({*range(first, location.line + 1), location.end_line or location.line}):
            yield from self._by_line.get(line, ())


def _line_meant(waiver: Waiver, alone: Set[int]) -> int:
    """The waiver's own line, or the next one below it that holds code when it stands alone."""
    line = waiver.line
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
    """Give each waived finding its reason, and tell which (line, rule) of the waivers were of use."""
    used: set[tuple[int, str]] = set()
    for index, finding in findings:
        for waiver in places.speaking_of(finding.location):
            if finding.rule in waiver.rules:
                used.add((waiver.line, finding.rule))
                if waiver.reason:
                    reasons[index] = waiver.reason
    return used


def _notices(file: File, used: Set[tuple[int, str]], known: Set[str], ran: Set[str]) -> Iterator[Notice]:
    for waiver in file.module.waivers:
        place = Location(file.path, waiver.line, waiver.column)
        if not waiver.rules:
            yield Notice("This waiver names no rule, so it does not count.", place)
        for rule in waiver.rules:
            if rule not in known:
                yield Notice(
                    f"This waiver names {rule}, and there is no such rule.{suggestion(rule, known)}", place
                )
            elif not waiver.reason:
                yield Notice(f"This waiver of {rule} gives no reason, so it does not count.", place)
            elif (waiver.line, rule) not in used and rule in ran and file.role is Role.SOURCE:
                yield Notice(f"This waiver of {rule} waives nothing: it can go.", place)


def suggestion(name: str, known: Iterable[str]) -> str:
    """` Did you mean x?` when a known name is close to `name`, else nothing."""
    close = get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
