"""What a handler catches, what was tried, and what it does about the failure."""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Fate,
    Leave,
    Literal,
    Name,
    Raise,
    Result,
    Return,
    Scope,
    ScopeKind,
    Statement,
    Use,
    Value,
)
from mainstay.model.effect import DATABASE, EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence
from mainstay.model.flow import ancestors, parts
from mainstay.model.location import Location
from mainstay.model.system import Function, System

BROAD = frozenset({"Exception", "BaseException"})
OUTAGES = frozenset(
    {
        *(
            "OSError",
            "IOError",
            "EnvironmentError",
            "ConnectionError",
            "TimeoutError",
            "Timeout",
            "socket.error",
        ),
        *(
            "ConnectionResetError",
            "ConnectionRefusedError",
            "BrokenPipeError",
            "RequestException",
            "HTTPError",
        ),
        *(
            "ConnectTimeout",
            "ReadTimeout",
            "TimeoutException",
            "TransportError",
            "RequestError",
            "ConnectError",
        ),
        *("NetworkError", "HTTPStatusError", "ClientError", "ClientConnectionError", "ClientConnectorError"),
        *("ClientResponseError", "ServerTimeoutError", "SQLAlchemyError", "DBAPIError", "OperationalError"),
        *("InterfaceError", "DatabaseError", "RedisError", "SMTPException", "SMTPServerDisconnected"),
        *(
            "SMTPConnectError",
            "BotoCoreError",
            "EndpointConnectionError",
            "URLError",
            "ApiException",
            "APIError",
        ),
        *("APIConnectionError", "StripeError"),
    }
)
FILES = frozenset(
    {"OSError", "IOError", "EnvironmentError", "ConnectionError", "TimeoutError", "DoesNotExist"}
)
ANSWERS = (
    "NotFound",
    "Missing",
    "Exist",
    "Invalid",
    "Denied",
    "Forbidden",
    "Unauthorized",
    "Conflict",
    "Found",
)
TELEMETRY = (
    "telemetry",
    "analytics",
    "metric",
    "posthog",
    "sentry",
    "statsd",
    "tracing",
    "heartbeat",
    "usage",
)
TIDYING = (
    "close",
    "shutdown",
    "cleanup",
    "clean_up",
    "teardown",
    "tear_down",
    "__del__",
    "__exit__",
    "__aexit__",
)
TIDIES = frozenset(
    {
        *(
            "close",
            "aclose",
            "disconnect",
            "quit",
            "cancel",
            "kill",
            "terminate",
            "unlink",
            "remove",
            "rmtree",
        ),
        *(
            "rollback",
            "logout",
            "stop",
            "shutdown",
            "release",
            "unlock",
            "wait_closed",
            "unsubscribe",
            "wait",
        ),
        *(
            "communicate",
            "send_signal",
            "join",
            "aexit",
            "__aexit__",
            "__exit__",
            "dispose",
            "revoke",
            "delete",
        ),
    }
)
LEVELS = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "d", "i", "w", "e"}
)
HARMLESS = frozenset({"rollback", "sleep", "close", "aclose", "expunge_all", "expire_all", "refresh"})


class Handler(Struct, frozen=True):
    """One `except` clause, or one `with suppress(...)`, and the code it stands around."""

    function: Function
    caught: tuple[str, ...]  # dotted; none: everything
    location: Location
    first: int  # of the statements that are tried
    last: int
    does: tuple[int, ...]  # the handler's own statements
    alias: str = ""  # the name after `as`
    scope: int = -1  # the HANDLER scope
    tried: int = -1  # the TRY scope

    @property
    def broad(self) -> bool:
        """Whether it catches whatever happens."""
        return not self.caught or not BROAD.isdisjoint(self.caught)

    def statements(self) -> Iterator[Statement]:
        for index in self.does:
            yield self.function.body.statements[index]

    def what(self) -> str:
        """Its head, as a reader finds it."""
        names = ", ".join(name.rpartition(".")[2] for name in self.caught)
        if self.scope < 0:
            return f"suppress({names})"
        return f"except {names}" if names else "a bare except"


# --- which handlers there are -------------------------------------------------------------------------


def handlers(function: Function) -> Iterator[Handler]:
    """The handlers of a function that do not raise everything again."""
    for enclosure in function.enclosures:
        if enclosure.kind is not EnclosureKind.HANDLER:
            continue
        if enclosure.target.endswith("suppress"):
            yield Handler(
                function,
                enclosure.caught,
                enclosure.location,
                enclosure.first,
                enclosure.last,
                (),
                "",
                -1,
                enclosure.scope,
            )
        elif enclosure.scope >= 0:
            yield from _clauses(function, enclosure)


def _clauses(function: Function, enclosure: Enclosure) -> Iterator[Handler]:
    for index, scope in enumerate(function.body.scopes):
        if scope.kind is ScopeKind.HANDLER and scope.of == enclosure.scope:
            yield Handler(
                function,
                caught_by(scope, enclosure),
                Location(function.file.path, scope.line),
                enclosure.first,
                enclosure.last,
                tuple(range(scope.first, scope.last)),
                next((target.path for target in scope.targets if isinstance(target, Name)), ""),
                index,
                enclosure.scope,
            )


def caught_by(scope: Scope, enclosure: Enclosure) -> tuple[str, ...]:
    """The dotted names in the head of one `except`."""
    known = {name.rpartition(".")[2]: name for name in enclosure.caught}
    heads = [item for head in scope.head for item in (head.items if isinstance(head, Display) else (head,))]
    return tuple(known.get(path_of(head).rpartition(".")[2], path_of(head) or "?") for head in heads)


def outages(system: System) -> frozenset[str]:
    """The exceptions of the project that stand for an outage: raised where an outage was caught."""
    raised: list[tuple[tuple[str, ...], str]] = []
    for function in system.source_functions():
        if any(e.kind is EnclosureKind.HANDLER for e in function.enclosures):
            for caught, names in _raising(function):
                raised += [(caught, name) for name in names if name in system.classes]
    found: set[str] = set()
    for _ in range(3):
        found |= {name for caught, name in raised if any(is_outage(each, found) for each in caught)}
    return frozenset(found)


def _raising(function: Function) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """What each handler catches, and the project's exceptions it raises instead."""
    for enclosure in function.enclosures:
        if enclosure.kind is EnclosureKind.HANDLER and enclosure.scope >= 0:
            for handler in _clauses(function, enclosure):
                raised = (
                    s for s in handler.statements() if isinstance(s, Raise) and s.scope == handler.scope
                )
                names = (raised_by(function, statement) for statement in raised)
                yield handler.caught, [name for name in names if name and not any(a in name for a in ANSWERS)]


def raised_by(function: Function, statement: Raise) -> str:
    """The dotted name of the exception class that is raised, when it is built there."""
    if isinstance(statement.value, Result):
        target = function.targets.get(statement.value.call)
        return target.name if target else ""
    return ""


def is_outage(name: str, project: frozenset[str] | set[str] = frozenset()) -> bool:
    """Whether an exception tells that something else is away, not that the input was wrong."""
    return name in project or name in OUTAGES or name.rpartition(".")[2] in OUTAGES


def may_be_outage(handler: Handler, project: frozenset[str]) -> bool:
    return handler.broad or any(is_outage(name, project) for name in handler.caught)


# --- what was tried -----------------------------------------------------------------------------------


def tried_steps(system: System, handler: Handler, *kinds: EffectKind) -> list[Step]:
    """The effects of the code that the handler stands around, closest first."""
    steps = system.steps(handler.function, *kinds)
    return sorted((s for s in steps if handler.first <= s.statement < handler.last), key=lambda s: s.depth)


def likely(handler: Handler, steps: list[Step]) -> list[Step]:
    """The effects that can raise what the handler catches: an OSError comes from no query."""
    files = {name.rpartition(".")[2] for name in handler.caught} <= FILES
    if handler.broad or not files:
        return steps
    return [step for step in steps if step.effect.kind not in DATABASE]


def tidies(handler: Handler, steps: list[Step]) -> bool:
    """Whether the work is cleaning up, where a failure changes nothing."""
    function = handler.function
    if any(word in function.body.name.lower() for word in TIDYING):
        return True
    around = [
        function.body.scopes[at].kind
        for at in ancestors(function.body, function.body.scopes[handler.tried].parent)
    ]
    if ScopeKind.FINALLY in around or ScopeKind.HANDLER in around:
        return True
    names = {path_of(function.call(step.statement).callee).rpartition(".")[2] for step in steps}
    return bool(names) and names <= TIDIES


def tries_again(handler: Handler) -> bool:
    """Whether a loop is about to try the same again, so that nothing is lost yet."""
    body = handler.function.body
    for enclosure in handler.function.enclosures:
        if not enclosure.holds(handler.first):
            continue
        if enclosure.kind is EnclosureKind.RETRY:
            return True
        if enclosure.kind is EnclosureKind.LOOP and body.scopes[enclosure.scope].kind is ScopeKind.WHILE:
            inside = range(enclosure.first, enclosure.last)
            if any(e.kind is EffectKind.SLEEP for at in inside for e in handler.function.direct.get(at, ())):
                return True
    return False


def telemetry(handler: Handler, steps: list[Step]) -> bool:
    """Whether the work only reports about the work."""
    function = handler.function
    names = [
        function.name,
        function.file.path,
        *(step.via or called(function, step.statement) for step in steps[:3]),
    ]
    return any(word in name.lower() for name in names for word in TELEMETRY)


def called(function: Function, statement: int) -> str:
    target = function.targets.get(statement)
    return target.name if target else ""


def by_hand(function: Function, *folders: str) -> bool:
    """Whether it is a command that a person starts and looks at."""
    return not {"cli", "_cli", *folders}.isdisjoint(function.file.path.split("/"))


def sure(steps: list[Step]) -> Confidence:
    return Confidence.HIGH if steps and steps[0].certain else Confidence.MEDIUM


# --- what it does -------------------------------------------------------------------------------------


def path_of(value: Value | None) -> str:
    """A callee or exception as written."""
    return value.path if isinstance(value, Name | Attribute) else ""


def values(statement: Statement) -> Iterator[Value]:
    """The values that a statement reads."""
    if isinstance(statement, Call):
        yield statement.callee
        yield from statement.arguments
        for keyword in statement.keywords:
            yield keyword.value
    elif isinstance(statement, Assign | Return | Raise | Use) and statement.value is not None:
        yield statement.value


def mentions(statement: Statement, name: str) -> bool:
    """Whether a statement reads a name."""
    return any(
        isinstance(part, Name) and part.path.partition(".")[0] == name
        for v in values(statement)
        for part in parts(v)
    )


def raises(handler: Handler) -> bool:
    """Whether some way through it ends in an exception."""
    return any(isinstance(statement, Raise) for statement in handler.statements())


def is_log(function: Function, index: int) -> bool:
    """Whether the call writes a log line: by what it is, or by being called on something named a log."""
    if any(effect.kind is EffectKind.LOG for effect in function.direct.get(index, ())):
        return True
    statement = function.body.statements[index]
    owner, _, method = (
        path_of(statement.callee).rpartition(".") if isinstance(statement, Call) else ("", "", "")
    )
    return "log" in owner.rpartition(".")[2].lower() and method in LEVELS


def logs_context(handler: Handler) -> bool:
    """Whether a log line of it tells which exception it was."""
    for index in handler.does:
        statement = handler.function.body.statements[index]
        if not isinstance(statement, Call):
            continue
        if path_of(statement.callee).endswith(("exception", "format_exc", "print_exc", "exc_info")):
            return True
        if statement.keyword("exc_info") is not None or (
            handler.alias and mentions(statement, handler.alias)
        ):
            return True
    return False


def acts(handler: Handler) -> bool:
    """Whether it does something about the failure: a call for its effect, or one that takes the exception."""
    for index in handler.does:
        statement = handler.function.body.statements[index]
        if not isinstance(statement, Call) or is_log(handler.function, index):
            continue
        word = path_of(statement.callee).rpartition(".")[2]
        if statement.fate is Fate.DISCARDED and word not in HARMLESS:
            return True
        if handler.alias and mentions(statement, handler.alias):
            return True
    return False


def looks(handler: Handler) -> bool:
    """Whether it asks which failure it was: the exception is read outside log lines."""
    if not handler.alias:
        return False
    heads = (h for s in handler.function.body.scopes if s.first in handler.does for h in s.head)
    read = (p for h in heads for p in parts(h) if isinstance(p, Name))
    return any(p.path.partition(".")[0] == handler.alias for p in read) or any(
        mentions(statement, handler.alias)
        for index, statement in zip(handler.does, handler.statements(), strict=True)
        if not is_log(handler.function, index) and not isinstance(statement, Call)
    )


def idle(handler: Handler) -> bool:
    """Whether it does nothing but go on."""
    return all(
        isinstance(statement, Leave | Use)
        or (isinstance(statement, Return) and nothing(statement.value) and not gives(handler.function))
        for statement in handler.statements()
    )


def nothing(value: Value | None) -> bool:
    return value is None or value == Literal(None)


def gives(function: Function) -> bool:
    """Whether the function returns something, so that nothing means something, too."""
    return any(isinstance(s, Return) and not nothing(s.value) for s in function.body.statements)


def empty(value: Value | None) -> bool:
    """Whether a value says "there is none": None, False, 0, "", [], {}, ()."""
    if value is None:
        return True
    if isinstance(value, Literal):
        return not value.value
    if isinstance(value, Display):
        return all(map(empty, value.items)) if value.kind == "tuple" else not value.items
    return False


def hands_back(handler: Handler) -> Statement | None:
    """The statement by which the caller gets an empty answer: in the handler, or where it goes on."""
    own = [s for s in handler.statements() if isinstance(s, Return | Assign)]
    for statement in own:
        if isinstance(statement, Return) and empty(statement.value) and gives(handler.function):
            return statement
    if own or any(isinstance(s, Leave) for s in handler.statements()):
        return None
    return _goes_on(handler)


def _goes_on(handler: Handler) -> Statement | None:
    """The `return None` that stands right behind a `try` that returns."""
    body = handler.function.body
    if handler.tried < 0:
        return None
    tried = body.scopes[handler.tried]
    left = any(
        isinstance(s, Return) and not nothing(s.value) for s in body.statements[tried.first : tried.last]
    )
    behind = max((s.last for s in body.scopes if s.of == handler.tried), default=tried.last)
    following = body.statements[behind] if behind < len(body.statements) else None
    if left and isinstance(following, Return) and following.scope == tried.parent and empty(following.value):
        return following
    return None


def falls_back(handler: Handler) -> bool:
    """Whether success leaves by a `return` in the `try`, so that what stands behind is another attempt."""
    body = handler.function.body
    if handler.tried < 0:
        return False
    tried = body.scopes[handler.tried]
    left = any(
        isinstance(s, Return) or (isinstance(s, Leave) and s.word == "break")
        for s in body.statements[tried.first : tried.last]
    )
    behind = max((s.last for s in body.scopes if s.of == handler.tried), default=tried.last)
    return left and behind < len(body.statements)
