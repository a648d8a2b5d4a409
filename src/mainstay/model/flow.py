"""What flows where inside one body: small questions that many rules ask."""

from collections.abc import Iterator

from mainstay.model.code import (
    Assign,
    Attribute,
    Body,
    Call,
    Display,
    Each,
    Literal,
    Name,
    Operation,
    Result,
    Scope,
    ScopeKind,
    Text,
    Value,
)

BINDING = (ScopeKind.FOR, ScopeKind.COMPREHENSION, ScopeKind.WITH)
HOPS = 12  # assignments followed backwards before giving up


def parts(value: Value) -> Iterator[Value]:
    """A value and every value inside it."""
    stack = [value]
    while stack:
        found = stack.pop()
        yield found
        if isinstance(found, Attribute):
            stack.append(found.base)
        elif isinstance(found, Text):
            stack.extend(found.parts)
        elif isinstance(found, Display):
            stack.extend(found.items)
            stack.extend(found.keys)
        elif isinstance(found, Operation):
            stack.extend(found.operands)
        elif isinstance(found, Each):
            stack.append(found.element)
            if found.key is not None:
                stack.append(found.key)


def names(value: Value) -> frozenset[str]:
    """The names (first parts of paths) read in a value."""
    return frozenset(part.path.partition(".")[0] for part in parts(value) if isinstance(part, Name))


def results(value: Value) -> frozenset[int]:
    """The calls whose results a value is directly made of."""
    return frozenset(part.call for part in parts(value) if isinstance(part, Result))


def definition(body: Body, name: str, before: int) -> tuple[int, Value] | None:
    """The last plain assignment to `name` ahead of statement `before`: its index and its value."""
    for index in range(min(before, len(body.statements)) - 1, -1, -1):
        statement = body.statements[index]
        if isinstance(statement, Assign) and statement.value is not None:
            for target in statement.targets:
                if binds(target, name):
                    return index, statement.value
    return None


def binds(target: Value, name: str) -> bool:
    """Whether an assignment target binds that name, alone or in a tuple."""
    if isinstance(target, Name):
        return target.path == name
    return isinstance(target, Display) and any(binds(item, name) for item in target.items)


def origins(body: Body, value: Value, before: int) -> frozenset[int]:
    """The calls of `body` whose results may flow into `value` as read ahead of statement `before`.

    Follows assignments backwards, receivers of chained calls (`query.filter(x).first()` comes from
    `query`), `with ... as` and loop variables; not arguments.
    """
    found: set[int] = set()
    seen: set[str] = set()
    work: list[tuple[Value, int, int]] = [(value, before, 0)]
    while work:
        current, limit, hops = work.pop()
        for part in parts(current):
            if isinstance(part, Result) and part.call not in found:
                found.add(part.call)
                call = body.statements[part.call]
                if isinstance(call, Call):
                    work.append((call.callee, part.call, hops))
            elif isinstance(part, Name) and hops < HOPS:
                name = part.path.partition(".")[0]
                if name in seen:
                    continue
                seen.add(name)
                for source, at in bindings(body, name, limit):
                    work.append((source, at, hops + 1))
    return frozenset(found)


def bindings(body: Body, name: str, before: int) -> Iterator[tuple[Value, int]]:
    """What is bound to `name` ahead of `before`: the last assignment, and scopes that bind it."""
    assigned = definition(body, name, before)
    if assigned is not None:
        yield assigned[1], assigned[0]
    for scope in body.scopes:
        if scope.first > before or scope.kind not in BINDING:
            continue
        if any(binds(target, name) for target in scope.targets):
            for head in scope.head:
                yield head, scope.first


def ancestors(body: Body, scope: int) -> Iterator[int]:
    """The indices of a scope and all scopes around it, innermost first."""
    while scope >= 0:
        yield scope
        scope = body.scopes[scope].parent


def inside(body: Body, statement: int, scope: int) -> bool:
    """Whether a statement lies in a scope."""
    found: Scope = body.scopes[scope]
    return found.first <= statement < found.last


def text_of(value: Value | None) -> str | None:
    """The text of a literal string, else None."""
    return value.value if isinstance(value, Literal) and isinstance(value.value, str) else None
