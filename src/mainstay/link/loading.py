"""Queries that run when they are looped over, not when they are written down."""

from mainstay.link.calls import Calls
from mainstay.link.direct import Direct, short
from mainstay.link.draft import Draft
from mainstay.model.code import Call, Name, Operation, Result, ScopeKind, Value
from mainstay.model.effect import OUTSIDE, Effect, EffectKind
from mainstay.model.flow import definition
from mainstay.model.system import Type

CONSUMERS = frozenset(
    {"list", "tuple", "set", "len", "bool", "sorted", "sum", "any", "all", "max", "min", "dict"}
)


LOADING = frozenset({ScopeKind.FOR, ScopeKind.COMPREHENSION, ScopeKind.IF, ScopeKind.WHILE})


def loading(draft: Draft, calls: Calls, direct: Direct) -> dict[int, Effect]:
    """The reads of lazy queries and requests of lazy pages, at the call that built or consumes each."""
    found: dict[int, Effect] = {}
    for scope in draft.body.scopes:
        if scope.kind in LOADING and scope.head:
            value = bare(scope.head[0])
            read = _read(draft, calls, value, blocking=not scope.is_async)
            at = _built_at(draft, value, scope.first)
            if read is not None and at is not None:
                found[at] = direct.intern(read)
    for at, target in draft.targets.items():
        call = draft.body.statements[at]
        if target.name in CONSUMERS and isinstance(call, Call) and call.arguments:
            read = _read(draft, calls, call.arguments[0], blocking=True)
            if read is not None:
                found[at] = direct.intern(read)
    return found


def bare(value: Value) -> Value:
    """What is looped over or tested, without a `not`."""
    if isinstance(value, Operation) and value.operator == "not" and len(value.operands) == 1:
        return value.operands[0]
    return value


def _read(draft: Draft, calls: Calls, value: Value, *, blocking: bool) -> Effect | None:
    known = calls.known(draft, value)
    if not isinstance(known, Type):
        return None
    for name in (known.name, *calls.ancestry(known.name)):
        for ancestor in calls.knowledge.ancestry(name):
            library = calls.knowledge.type(ancestor)
            if library and library.loads:
                kind = library.executes or EffectKind.READ
                about = short(known.argument) or (name.partition(".")[0] if kind in OUTSIDE else "")
                return Effect(kind, about, blocking)
    return None


def _built_at(draft: Draft, value: Value, before: int) -> int | None:
    """The call that gave the query which `value` holds."""
    for _ in range(3):
        if isinstance(value, Result):
            return value.call
        assigned = definition(draft.body, value.path, before) if isinstance(value, Name) else None
        if assigned is None:
            return None
        before, value = assigned
    return None
