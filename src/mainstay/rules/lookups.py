"""What a test says about a look-up: that a row is there, or that it is not."""

from enum import Enum

from mainstay.model.code import (
    Attribute,
    Leave,
    Literal,
    Name,
    Operation,
    Raise,
    Result,
    Return,
    Scope,
    ScopeKind,
    Value,
)
from mainstay.model.flow import definition, parts
from mainstay.model.system import Function

WRAPPERS = frozenset({"len", "bool", "any", "list", "next", "set", "tuple"})
HOPS = 5  # assignments and chained calls between a look-up and its test


class Answer(Enum):
    """What a test says when it holds."""

    PRESENT = "there is such a row"
    ABSENT = "there is none"
    EITHER = "it cannot be told"
    NEITHER = "it asks for something else"


OPPOSITE = {
    Answer.PRESENT: Answer.ABSENT,
    Answer.ABSENT: Answer.PRESENT,
    Answer.EITHER: Answer.EITHER,
    Answer.NEITHER: Answer.NEITHER,
}
COMPARED = {
    "is": Answer.ABSENT,
    "==": Answer.ABSENT,
    "<": Answer.ABSENT,
    "<=": Answer.ABSENT,
    "is not": Answer.PRESENT,
    "!=": Answer.PRESENT,
    ">": Answer.PRESENT,
    ">=": Answer.PRESENT,
}


def told(function: Function, test: Value, at: int, lookup: int) -> Answer:
    """What `test`, evaluated ahead of statement `at`, says about the look-up at statement `lookup`.

    A test of how much there is, or of a column of the row, asks for something else.
    """
    if isinstance(test, Operation):
        if test.operator == "not" and len(test.operands) == 1:
            return OPPOSITE[told(function, test.operands[0], at, lookup)]
        if test.operator in ("and", "or"):
            answers = {told(function, operand, at, lookup) for operand in test.operands} - {Answer.NEITHER}
            return answers.pop() if len(answers) == 1 else Answer.EITHER if answers else Answer.NEITHER
        if len(test.operands) == 2 and test.operator in ("in", "not in"):
            inside = is_result(function, test.operands[1], at, lookup)
            present = Answer.PRESENT if test.operator == "in" else Answer.ABSENT
            return present if inside else Answer.NEITHER
        if len(test.operands) == 2 and test.operator in COMPARED:
            first, second = test.operands
            nothing = isinstance(second, Literal) and (second.value is None or second.value in (0, 1))
            asked = nothing and is_result(function, first, at, lookup)
            return COMPARED[test.operator] if asked else Answer.NEITHER
    return Answer.PRESENT if is_result(function, test, at, lookup) else Answer.NEITHER


def is_result(function: Function, value: Value, at: int, lookup: int, hops: int = HOPS) -> bool:
    """Whether a value is what the look-up gave, not something read off it."""
    if hops < 0:
        return False
    if isinstance(value, Result):
        return value.call == lookup or _passes_on(function, value.call, lookup, hops - 1)
    if isinstance(value, Operation) and value.operator in ("await", "[]", "or"):
        return is_result(function, value.operands[0], at, lookup, hops - 1)
    if isinstance(value, Name) and "." not in value.path:
        assigned = definition(function.body, value.path, at)
        return assigned is not None and is_result(function, assigned[1], assigned[0], lookup, hops - 1)
    return False


def _passes_on(function: Function, at: int, lookup: int, hops: int) -> bool:
    """Whether a call hands on what it was called on or given: `rows.first()`, `len(rows)`."""
    call = function.call(at)
    if isinstance(call.callee, Attribute):
        return "." not in call.callee.path and is_result(function, call.callee.base, at, lookup, hops)
    if isinstance(call.callee, Name):
        owner, _, _ = call.callee.path.rpartition(".")
        if owner:
            return is_result(function, Name(owner), at, lookup, hops)
        if call.callee.path in WRAPPERS and call.arguments:
            return is_result(function, call.arguments[0], at, lookup, hops)
    return False


def follows_absence(function: Function, index: int, scope: Scope, statement: int, answer: Answer) -> bool:
    """Whether a statement runs because the test at the scope's head told that there is no row."""
    if statement < scope.first:
        return False
    if scope.first <= statement < scope.last:
        return answer in (Answer.ABSENT, Answer.EITHER)
    if answer is Answer.ABSENT:
        return False
    for other in function.body.scopes:
        if other.kind is ScopeKind.ELSE and other.of == index and other.first <= statement < other.last:
            return True
    return _leaves(function, index, scope) and _within(function, statement, scope.parent)


def _leaves(function: Function, index: int, scope: Scope) -> bool:
    """Whether the branch ends the function or the round: what follows runs on the other answer."""
    return any(
        isinstance(s, Return | Raise | Leave) and s.scope == index
        for s in function.body.statements[scope.first : scope.last]
    )


def _within(function: Function, statement: int, scope: int) -> bool:
    found = function.body.scopes[scope]
    return found.first <= statement < found.last


def copies(function: Function, statement: int, lookup: int) -> bool:
    """Whether a statement runs once for each row that the look-up gave."""
    return any(
        scope.kind in (ScopeKind.FOR, ScopeKind.COMPREHENSION)
        and scope.first <= statement < scope.last
        and any(is_result(function, head, scope.first, lookup) for head in scope.head)
        for scope in function.body.scopes
    )


def keyed(function: Function, lookup: int) -> bool:
    """Whether what is looked up changes from call to call, not a row of which there is one."""
    variables = {p.name for p in function.body.parameters}
    work, seen = [lookup], set()
    while work:
        at = work.pop()
        if at in seen:
            continue
        seen.add(at)
        call = function.call(at)
        values = [*call.arguments, *(keyword.value for keyword in call.keywords)]
        for part in (part for value in values for part in parts(value)):
            if isinstance(part, Result):
                work.append(part.call)
            elif isinstance(part, Name) and _varies(function, part, variables):
                return True
        if isinstance(call.callee, Attribute) and isinstance(call.callee.base, Result):
            work.append(call.callee.base.call)
        elif isinstance(call.callee, Name):
            assigned = definition(function.body, call.callee.path.partition(".")[0], at)
            work += [p.call for p in parts(assigned[1]) if isinstance(p, Result)] if assigned else []
    return False


def _varies(function: Function, name: Name, variables: set[str]) -> bool:
    """Whether a name is a variable of the function that is no session or class."""
    root = name.path.partition(".")[0]
    held = function.types.get(root)
    if held is not None and held.name.rpartition(".")[2].endswith(("Session", "Connection", "Engine")):
        return False
    assigned = definition(function.body, root, len(function.body.statements)) is not None
    looped = any(Name(root) in scope.targets for scope in function.body.scopes)
    return root in variables or assigned or looped
