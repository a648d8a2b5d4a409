"""Every retry of a system, as decorators, calls and loops set it up."""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import (
    Attribute,
    Call,
    Display,
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
from mainstay.model.effect import EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.flow import ancestors, parts, results
from mainstay.model.location import Location
from mainstay.model.system import Function, System

ENDS = frozenset(
    {"max_time", "max_tries", "max_attempts", "stop", "timeout", "deadline", "stop_max_attempt_number"}
)
NEVER = ("stop_never", "None")
PAUSES = ("sleep", "wait", "delay", "pause", "backoff")
BY_HAND = ("cli", "commands")
COMPARES = frozenset({"<", "<=", ">", ">=", "!=", "=="})
FEW = 3  # tries without a pause that nobody notices


class Policy(Struct, frozen=True):
    """One retry, and what bounds it."""

    location: Location
    what: str  # "@retry", "while"
    function: Function  # what is repeated, or what holds the loop
    first: int  # the statements of `function` that are repeated
    last: int
    limited: bool
    paused: bool
    choosy: bool  # it names the exceptions that it retries
    on: tuple[str, ...] = ()  # the last parts of their names
    certain: bool = True


def repeats(system: System, policy: Policy, *kinds: EffectKind) -> list[Step]:
    """The effects of what is repeated."""
    return [
        step for step in system.steps(policy.function, *kinds) if policy.first <= step.statement < policy.last
    ]


def policies(system: System) -> Iterator[Policy]:
    """Every retry of the system."""
    bodies = {(function.file.path, function.index): function for function in system.functions.values()}
    for function in system.source_functions():
        if function.decorators:
            yield from decorated(function, bodies.get((function.file.path, function.body.parent)))
        for enclosure in function.enclosures:
            if enclosure.kind is EnclosureKind.RETRY and enclosure.scope >= 0:
                yield from looped(function, enclosure)


# --- decorators ---------------------------------------------------------------------------------------


def decorated(function: Function, home: Function | None) -> Iterator[Policy]:
    """The retries that the decorators of a function set up."""
    for value in function.body.decorators:
        if not isinstance(value, Result):
            yield from bare(function, path_of(value))
            continue
        if home is None:
            continue
        target = home.targets.get(value.call)
        if target is None or target.library is None:
            continue
        if target.library.retry:
            yield by_call(home, value.call, function, "@" + target.name.rpartition(".")[2])
        elif (
            target.library.job and (task := home.call(value.call)).keyword("autoretry_for") is not None
        ) or (target.library.job and endless_task(task, function)):
            yield of_task(home, value.call, function, task)


def bare(function: Function, path: str) -> Iterator[Policy]:
    """A decorator that is not called, `@retry`: what the library does when it is told nothing."""
    name = path.rpartition(".")[2]
    for target in function.decorators:
        retry = target.library.retry if target.library else None
        if retry is not None and target.name.rpartition(".")[2] == name:
            yield Policy(
                location=function.location,
                what=f"@{name}",
                function=function,
                first=0,
                last=len(function.body.statements),
                limited="limit" in retry.has,
                paused="backoff" in retry.has,
                choosy=not retry.on,
                certain=target.certain,
            )


def of_task(home: Function, at: int, function: Function, task: Call) -> Policy:
    """The retries of a task, which its broker or framework hands out again."""
    return Policy(
        location=home.at(at),
        what="@" + home.targets[at].name.rpartition(".")[2],
        function=function,
        first=0,
        last=len(function.body.statements),
        limited=not endless_task(task, function),
        paused=True,
        choosy=True,
        on=named(home, task.keyword("autoretry_for")),
    )


def endless_task(call: Call, function: Function) -> bool:
    """Whether a task has `max_retries=None`, is retried, and nothing in it says when that ends."""
    if call.keyword("max_retries") != Literal(None):
        return False
    retries = [
        s for s in function.body.statements if isinstance(s, Call) and path_of(s.callee).endswith(".retry")
    ]
    if any((limit := retry.keyword("max_retries")) is not None and not endless(limit) for retry in retries):
        return False
    counted = any(
        isinstance(part, Name) and part.path.endswith("request.retries")
        for scope in function.body.scopes
        for head in scope.head
        for part in parts(head)
    )
    return not counted and (bool(retries) or call.keyword("autoretry_for") is not None)


def path_of(callee: Value) -> str:
    """The name that is called, as written."""
    return callee.path if isinstance(callee, Name | Attribute) else ""


def by_call(home: Function, at: int, function: Function, what: str, first: int = 0, last: int = -1) -> Policy:
    """The policy that the arguments of a call make, for statements of `function`."""
    call = home.call(at)
    target = home.targets[at]
    retry = target.library.retry if target.library else None
    assert retry is not None
    limits = [call.keyword(name) for name in (retry.limit, *ENDS) if name]
    given = [value for value in limits if value is not None]
    pause = (call.keyword(retry.wait) if retry.wait else None) or (
        call.arguments[0] if call.arguments else None
    )
    provided = provides(home, pause) | frozenset(retry.has)
    return Policy(
        location=home.at(at),
        what=what,
        function=function,
        first=first,
        last=len(function.body.statements) if last < 0 else last,
        limited=call.spreads or "limit" in retry.has or any(not endless(value) for value in given),
        paused=call.spreads or pause is not None or "backoff" in provided or few(home, given),
        choosy=not retry.on or call.keyword(retry.on) is not None or len(call.arguments) > 1,
        on=named(
            home,
            (call.keyword(retry.on) if retry.on else None)
            or (call.arguments[1] if call.arguments[1:] else None),
        ),
        certain=target.certain,
    )


def named(home: Function, value: Value | None) -> tuple[str, ...]:
    """The exceptions named in an argument, also inside `retry_if_exception_type(...)`."""
    found: list[str] = []
    work = [value] if value is not None else []
    while work:
        for part in parts(work.pop()):
            if isinstance(part, Name):
                found.append(part.path.rpartition(".")[2])
            elif isinstance(part, Result):
                work += home.call(part.call).arguments
    return tuple(found)


def endless(value: Value) -> bool:
    """Whether a limit given is none."""
    if isinstance(value, Name):
        return value.path.rpartition(".")[2] in NEVER
    return value == Literal(None)


def few(home: Function, given: list[Value]) -> bool:
    """Whether the attempts are so few that they need no pause."""
    for value in given:
        for at in results(value):
            first = home.call(at).arguments[0] if home.call(at).arguments else None
            if isinstance(first, Literal) and isinstance(first.value, int) and first.value <= FEW:
                return True
    return any(isinstance(v, Literal) and isinstance(v.value, int) and v.value <= FEW for v in given)


def provides(home: Function, value: Value | None) -> frozenset[str]:
    """What the strategies in an argument bring along."""
    found: set[str] = set()
    for at in results(value) if value is not None else ():
        target = home.targets.get(at)
        if target and target.library:
            found |= set(target.library.provides)
    return frozenset(found)


# --- loops --------------------------------------------------------------------------------------------


def looped(function: Function, enclosure: Enclosure) -> Iterator[Policy]:
    """The retry that a loop is: over a policy's attempts, or written by hand."""
    opened = function.targets.get(enclosure.statement)
    if opened is not None and opened.library and opened.library.retry:
        yield by_call(function, enclosure.statement, function, "the loop", enclosure.first, enclosure.last)
        return
    scope = function.body.scopes[enclosure.scope]
    if scope.kind not in (ScopeKind.FOR, ScopeKind.WHILE):
        return
    first, last = tried(function, enclosure)
    caught = tuple(handled(function, enclosure.scope))
    if by_hand(function) or (scope.kind is ScopeKind.WHILE and waits_in_head(function, scope)):
        return
    yield Policy(
        location=enclosure.location,
        what="the loop",
        function=function,
        first=first,
        last=last,
        limited=counted(function, scope) or gives_up(function, enclosure.scope),
        paused=pauses(function, scope) or few_rounds(function, scope),
        choosy="" not in caught,
        on=caught,
    )


def by_hand(function: Function) -> bool:
    """Whether a person starts it, looks on and can stop it."""
    return not set(function.file.path.split("/")).isdisjoint(BY_HAND)


def tried(function: Function, loop: Enclosure) -> tuple[int, int]:
    """The statements that the loop tries again: those of its `try`."""
    tries = [s for s in function.body.scopes if s.kind is ScopeKind.TRY and s.parent == loop.scope]
    return min((s.first for s in tries), default=loop.first), max((s.last for s in tries), default=loop.last)


def waits_in_head(function: Function, scope: Scope) -> bool:
    """Whether the loop's own test waits: `while not stop.wait(5)` does something every five seconds."""
    return any(called(function, Result(at)).endswith("wait") for head in scope.head for at in results(head))


def counted(function: Function, scope: Scope) -> bool:
    """Whether the head of the loop ends it."""
    head = scope.head[0] if scope.head else None
    if scope.kind is ScopeKind.FOR:
        name = called(function, head)
        return not name.endswith("count")
    if head is None or isinstance(head, Literal):
        return False
    return any(isinstance(part, Operation) and part.operator in COMPARES for part in parts(head))


def called(function: Function, value: Value | None) -> str:
    """The name of the call that a value is the result of."""
    if not isinstance(value, Result):
        return ""
    callee = function.call(value.call).callee
    return callee.path if isinstance(callee, Name) else ""


def few_rounds(function: Function, scope: Scope) -> bool:
    """Whether `range(2)` or the like heads the loop."""
    head = scope.head[0] if scope.head else None
    if scope.kind is not ScopeKind.FOR or not isinstance(head, Result):
        return False
    last = function.call(head.call).arguments[-1:]
    return (
        bool(last)
        and isinstance(last[0], Literal)
        and isinstance(last[0].value, int)
        and last[0].value <= FEW
    )


def gives_up(function: Function, loop: int) -> bool:
    """Whether some way out of the loop is taken on a condition, or by what a handler calls."""
    scopes = function.body.scopes
    for index in range(scopes[loop].first, scopes[loop].last):
        statement = function.body.statements[index]
        around = [scopes[at].kind for at in within(function, statement.scope, loop)]
        if isinstance(statement, Raise | Return) or (
            isinstance(statement, Leave) and statement.word == "break"
        ):
            if ScopeKind.HANDLER in around and conditional(around):
                return True
            if ScopeKind.TRY not in around and ScopeKind.IF in around:
                return True
        elif isinstance(statement, Call) and ScopeKind.HANDLER in around and raises(function, index):
            return True
    return False


def within(function: Function, scope: int, loop: int) -> Iterator[int]:
    """The scopes around a statement up to the loop, innermost first."""
    for at in ancestors(function.body, scope):
        if at == loop:
            return
        yield at


def conditional(around: list[ScopeKind]) -> bool:
    """Whether a branch lies between a statement and the handler around it."""
    return any(
        kind in (ScopeKind.IF, ScopeKind.ELSE, ScopeKind.CASE)
        for kind in around[: around.index(ScopeKind.HANDLER)]
    )


def raises(function: Function, at: int) -> bool:
    """Whether a call inside a handler may itself raise, which then ends the loop."""
    target = function.targets.get(at)
    if target is not None and target.name in ("sys.exit", "os._exit", "exit"):
        return True
    return bool(function.edges.get(at)) and any(
        effect.kind is EffectKind.RAISE and occurrence.statement == at
        for effect, occurrence in function.effects.items()
    )


def pauses(function: Function, scope: Scope) -> bool:
    """Whether something in the loop waits between the attempts."""
    for index in range(scope.first, scope.last):
        if any(
            effect.kind in (EffectKind.SLEEP, EffectKind.WAIT) for effect in function.direct.get(index, ())
        ):
            return True
        statement = function.body.statements[index]
        if isinstance(statement, Call):
            if any(word in path_of(statement.callee).lower() for word in PAUSES):
                return True
            if in_handler(function, statement.scope) and (statement.awaited or function.edges.get(index)):
                return True  # it does something about the failure before it tries again
    return any(
        effect.kind is EffectKind.SLEEP and scope.first <= occurrence.statement < scope.last
        for effect, occurrence in function.effects.items()
    )


def in_handler(function: Function, scope: int) -> bool:
    """Whether a scope lies in an `except`."""
    return any(function.body.scopes[at].kind is ScopeKind.HANDLER for at in ancestors(function.body, scope))


def handled(function: Function, loop: int) -> Iterator[str]:
    """What the handlers of a loop catch: last parts of names, "" for whatever happens."""
    for scope in function.body.scopes:
        if scope.kind is ScopeKind.HANDLER and loop in ancestors(function.body, scope.parent):
            heads = [
                item for head in scope.head for item in (head.items if isinstance(head, Display) else (head,))
            ]
            names = [path_of(head).rpartition(".")[2] for head in heads]
            yield from ("" if name in ("Exception", "BaseException") else name for name in names or [""])
