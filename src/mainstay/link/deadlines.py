"""How long each waiting call may wait, and what decides it."""

from collections.abc import Iterable, Mapping
from itertools import islice

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft
from mainstay.link.names import join
from mainstay.link.values import given
from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Fate,
    Literal,
    Name,
    Operation,
    Parameter,
    Result,
    Return,
    ScopeKind,
    Value,
    Yield,
)
from mainstay.model.effect import EnclosureKind
from mainstay.model.library import Timeout
from mainstay.model.location import Location
from mainstay.model.system import Bound, Deadline, Target

CONSTRUCTION_HOPS = 5  # a client may be built by a factory of a factory
CALLERS_ASKED = 8  # how many callers are asked for the client they hand in
WRAPPER_HOPS = 3  # how many wrappers up a `timeout` parameter is followed


class Deadlines:
    """Decides the deadline of every call that knowledge says may wait."""

    def __init__(self, calls: Calls, callers: Mapping[str, Iterable[tuple[str, int]]]) -> None:
        self._calls = calls
        self._callers = callers
        self._drafts = calls.names.functions

    def run(self) -> dict[str, dict[int, Deadline]]:
        """Deadlines by function and statement; a wrapper's undecided wait is settled at its callers."""
        found: dict[str, dict[int, Deadline]] = {}
        for draft in self._drafts.values():
            own = self._own(draft)
            if own:
                found[draft.name] = own
        self._settle_callers(found)
        return found

    def _own(self, draft: Draft) -> dict[int, Deadline]:
        found = {}
        for at, target in draft.targets.items():
            if (
                target.library
                and target.library.timeout
                and (target.library.effects or target.library.executes)
            ):
                call = draft.body.statements[at]
                if isinstance(call, Call):
                    found[at] = self._decide(draft, at, call, target, target.library.timeout)
        return found

    def _decide(self, draft: Draft, at: int, call: Call, target: Target, timeout: Timeout) -> Deadline:
        around = next((e for e in draft.enclosures if e.kind is EnclosureKind.DEADLINE and e.holds(at)), None)
        if around is not None:
            return Deadline(Bound.BOUNDED, why=f"inside {around.what}", location=around.location)
        if self._waited_for(draft, at, call):
            return Deadline(Bound.BOUNDED, why="the call around it has a deadline")
        decided = self._given(draft, call, timeout)
        if decided is not None and decided.parameter != "**":
            return decided
        otherwise = self._otherwise(draft, call, target, timeout)
        # What a caller adds to `**options` matters only where nothing else bounds the wait.
        return decided if decided is not None and otherwise.bound is Bound.UNBOUNDED else otherwise

    def _otherwise(self, draft: Draft, call: Call, target: Target, timeout: Timeout) -> Deadline:
        """What holds when the call itself gives no timeout."""
        if self._overridden(target):
            return Deadline(Bound.UNKNOWN, why="the project's own client class decides")
        if timeout.inherits:
            inherited = self._inherited(draft, call)
            if inherited is not None:
                return inherited
        return by_default(timeout, target.name)

    def _waited_for(self, draft: Draft, at: int, call: Call) -> bool:
        """Whether the call is handed, not awaited yet, to one that ends it in time (`wait_for`)."""
        if call.fate is not Fate.PASSED:
            return False
        for index in range(at + 1, len(draft.body.statements)):
            outer = draft.body.statements[index]
            if isinstance(outer, Call) and Result(at) in outer.arguments:
                target = draft.targets.get(index)
                return bool(target and target.library and target.library.encloses is EnclosureKind.DEADLINE)
        return False

    def _overridden(self, target: Target) -> bool:
        """Whether a project's subclass of a client sends its requests in its own way."""
        receiver = target.receiver
        if receiver is None or receiver.name not in self._calls.names.classes:
            return False
        return bool({"request", "send", "_request"} & self._calls.classes.methods(receiver.name).keys())

    # --- what the call itself says --------------------------------------------------------------------

    def _given(self, draft: Draft, call: Call, timeout: Timeout) -> Deadline | None:
        places = [*([timeout.at] if timeout.at is not None else []), *timeout.also]
        for place in places:
            value = given(call, place)
            if value is not None and not is_true(value):  # `blocking=True` bounds nothing
                return self._value(draft, value, timeout)
        if not call.spreads:
            return None
        return self._spread(draft, call, places)

    def _value(self, draft: Draft, value: Value, timeout: Timeout, depth: int = 0) -> Deadline:
        """What a value given as timeout means."""
        if isinstance(value, Literal):
            return literal(value, timeout)
        if isinstance(value, Name) and depth < CONSTRUCTION_HOPS:
            parameter = parameter_named(draft, value.path)
            if parameter is not None and not reassigned(draft, value.path):
                return by_parameter(parameter, timeout)
            assigned = self._constant(draft, value.path)
            if assigned is not None:
                return self._value(assigned[0], assigned[1], timeout, depth + 1)
        if isinstance(value, Result):
            inner = draft.targets.get(value.call)
            call = draft.body.statements[value.call]
            if inner and inner.library and inner.library.timeout and isinstance(call, Call):
                return self._given(draft, call, inner.library.timeout) or by_default(
                    inner.library.timeout, inner.name
                )
        return Deadline(Bound.BOUNDED, why="a timeout is given")

    def _constant(self, draft: Draft, path: str) -> tuple[Draft, Value] | None:
        """The literal value of a module's constant."""
        head, _, rest = path.partition(".")
        if head in draft.env and head not in draft.locals:
            return None
        dotted = self._calls.path(draft, path)
        names = [dotted] if isinstance(dotted, str) else []
        bound = self._calls.names.lookup(draft, head)
        if bound:
            names.append(self._calls.names.canonical(join(bound, rest)))
        for name in names:
            variable = self._calls.names.variables.get(name)
            if variable and isinstance(variable[1], Literal | Result):
                return variable[0], variable[1]
        return None

    def _spread(self, draft: Draft, call: Call, places: list[int | str | tuple[int, str]]) -> Deadline:
        """A `**options` may hold the timeout."""
        words = {
            place if isinstance(place, str) else place[1] for place in places if not isinstance(place, int)
        }
        for keyword in call.keywords:
            if keyword.name or not isinstance(keyword.value, Name):
                continue
            parameter = parameter_named(draft, keyword.value.path)
            if parameter is not None and parameter.kind == "kwargs":
                if sets_default(draft, keyword.value.path, words):
                    return Deadline(Bound.BOUNDED, why=f"set in {keyword.value.path}")
                return Deadline(Bound.CALLER, why=f"handed on in **{keyword.value.path}", parameter="**")
        return Deadline(Bound.UNKNOWN, why="may be among arguments that are handed on")

    # --- what the client was built with -----------------------------------------------------------------

    def _inherited(self, draft: Draft, call: Call) -> Deadline | None:
        callee = call.callee
        if isinstance(callee, Name):
            built = self._construction(draft, Name(callee.path.rpartition(".")[0]))
        elif isinstance(callee, Attribute):
            built = self._construction(draft, callee.base)
        else:
            built = None
        if built is None:
            return None
        home, at = built
        target = home.targets.get(at)
        constructor = home.body.statements[at]
        if target is None or target.library is None or target.library.timeout is None:
            return None
        if not isinstance(constructor, Call):
            return None
        place = Location(home.file.path, constructor.line, constructor.column)
        decided = self._given(home, constructor, target.library.timeout)
        if decided is None:
            decided = by_default(target.library.timeout, target.name)
        bound = Bound.UNKNOWN if decided.bound is Bound.CALLER else decided.bound
        return Deadline(bound, decided.seconds, f"{decided.why} where the client is built", place)

    def _construction(self, draft: Draft, value: Value, depth: int = 0) -> tuple[Draft, int] | None:
        """The call that built the client a value holds: here, in the module, the class or a factory."""
        if depth > CONSTRUCTION_HOPS:
            return None
        if isinstance(value, Result):
            return self._built_by(draft, value.call, depth)
        if isinstance(value, Operation) and value.operator in ("or", "if", "await"):
            for operand in value.operands:
                found = self._construction(draft, operand, depth + 1)
                if found:
                    return found
        if not isinstance(value, Name) or not value.path:
            return None
        local = assigned_value(draft, value.path)
        if local is not None and local != value:
            return self._construction(draft, local, depth + 1)
        parameter = parameter_named(draft, value.path)
        if parameter is not None:
            return self._handed_in(draft, parameter, depth)
        if value.path.startswith("self.") and draft.owner:
            return self._of_attribute(draft.owner, value.path[5:], depth)
        bound = self._calls.names.lookup(draft, value.path.partition(".")[0])
        variable = self._calls.names.variables.get(bound or "")
        if variable and variable[1] is not None:
            return self._construction(variable[0], variable[1], depth + 1)
        return None

    def _handed_in(self, draft: Draft, parameter: Parameter, depth: int) -> tuple[Draft, int] | None:
        """The call that built the client a caller hands in; the first of the callers that tell decides."""
        position = parameter_position(draft, parameter.name)
        for caller, at in islice(self._callers.get(draft.name, ()), CALLERS_ASKED):
            home = self._drafts[caller]
            call, target = home.body.statements[at], home.targets.get(at)
            names = (draft.name, draft.owner) if draft.body.name == "__init__" else (draft.name,)
            if not isinstance(call, Call) or target is None or target.name not in names:
                continue
            value = call.argument(position, parameter.name)
            found = self._construction(home, value, depth + 1) if value is not None else None
            if found:
                return found
        return None

    def _of_attribute(self, owner: str, attribute: str, depth: int) -> tuple[Draft, int] | None:
        for name in (owner, *self._calls.classes.ancestry(owner)):
            if name not in self._calls.names.classes:
                continue
            for method in self._calls.classes.own_methods(name).values():
                home = self._drafts[method]
                value = assigned_value(home, f"self.{attribute}")
                if value is not None:
                    found = self._construction(home, value, depth + 1)
                    if found:
                        return found
        return None

    def _built_by(self, draft: Draft, at: int, depth: int) -> tuple[Draft, int] | None:
        target = draft.targets.get(at)
        if target is None:
            return None
        if target.library is not None:
            return (draft, at) if target.library.timeout else None
        factory = self._drafts.get(target.name)
        if factory is None:
            return None
        for statement in factory.body.statements:
            value = statement.value if isinstance(statement, Return | Yield) else None
            if value is not None:
                found = self._construction(factory, value, depth + 1)
                if found:
                    return found
        return None

    # --- wrappers ---------------------------------------------------------------------------------------

    def _settle_callers(self, found: dict[str, dict[int, Deadline]]) -> None:
        """Carry waits that a parameter decides to the callers that decide them."""
        work = [
            (name, deadline, 0)
            for name, own in found.items()
            for deadline in own.values()
            if deadline.bound is Bound.CALLER
        ]
        while work:
            name, deadline, hops = work.pop()
            for caller, at in self._callers.get(name, ()):
                decided = self._at_caller(self._drafts[name], deadline, self._drafts[caller], at)
                if decided is None or at in found.get(caller, {}):
                    continue
                found.setdefault(caller, {})[at] = decided
                if decided.bound is Bound.CALLER and hops < WRAPPER_HOPS:
                    work.append((caller, decided, hops + 1))

    def _at_caller(self, wrapper: Draft, deadline: Deadline, caller: Draft, at: int) -> Deadline | None:
        call = caller.body.statements[at]
        if not isinstance(call, Call):
            return None
        keyword = "timeout" if deadline.parameter == "**" else deadline.parameter
        position = parameter_position(wrapper, keyword)
        value = call.argument(position, keyword)
        if value is not None:
            return self._value(caller, value, Timeout())
        if call.spreads:
            return self._spread(caller, call, [keyword])
        parameter = parameter_named(wrapper, keyword)
        if parameter is not None and parameter.default is not None:
            return by_parameter_default(wrapper, parameter)
        return Deadline(
            Bound.UNBOUNDED,
            why=f"{wrapper.body.name} waits as long as its caller says, and no `{keyword}` is given here",
            location=Location(wrapper.file.path, wrapper.body.line),
        )


def by_default(timeout: Timeout, name: str) -> Deadline:
    """What holds when nothing is given."""
    library = name.partition(".")[0]
    if timeout.default is None:
        return Deadline(Bound.UNBOUNDED, why=f"{library} waits without limit unless told otherwise")
    return Deadline(Bound.BOUNDED, timeout.default, f"the default of {library}")


def is_true(value: Value) -> bool:
    return isinstance(value, Literal) and value.value is True


def literal(value: Literal, timeout: Timeout) -> Deadline:
    if value.value is None:
        return Deadline(Bound.UNBOUNDED, why="None is given as its timeout")
    if isinstance(value.value, int | float) and not isinstance(value.value, bool):
        if float(value.value) in timeout.off:
            return Deadline(Bound.UNBOUNDED, why=f"{value.value} switches its timeout off")
        seconds = value.value / 1000 if timeout.unit == "ms" else float(value.value)
        return Deadline(Bound.BOUNDED, seconds, f"timeout={value.value} given")
    return Deadline(Bound.BOUNDED, why="a timeout is given")


def parameter_named(draft: Draft, name: str) -> Parameter | None:
    return next((p for p in draft.body.parameters if p.name == name), None)


def parameter_position(draft: Draft, name: str) -> int | None:
    """Its position among the arguments of a call, `self` left out."""
    names = [p.name for p in draft.body.parameters if p.kind == "positional"]
    if names and draft.owner and names[0] in ("self", "cls"):
        names = names[1:]
    return names.index(name) if name in names else None


def by_parameter(parameter: Parameter, timeout: Timeout) -> Deadline:
    """A parameter decides; one with a number as default is bounded unless a caller says otherwise."""
    default = parameter.default
    if default is None or (isinstance(default, Literal) and default.value is None):
        return Deadline(Bound.CALLER, why=f"the parameter {parameter.name} decides", parameter=parameter.name)
    if isinstance(default, Literal):
        return literal(default, timeout)
    return Deadline(Bound.BOUNDED, why=f"the parameter {parameter.name} has a default")


def by_parameter_default(wrapper: Draft, parameter: Parameter) -> Deadline:
    default = parameter.default
    if isinstance(default, Literal) and default.value is None:
        return Deadline(
            Bound.UNBOUNDED,
            why=f"`{parameter.name}` of {wrapper.body.name} is None unless given",
            location=Location(wrapper.file.path, wrapper.body.line),
        )
    return Deadline(Bound.BOUNDED, why=f"the default of {wrapper.body.name}")


def reassigned(draft: Draft, name: str) -> bool:
    return any(
        isinstance(s, Assign) and any(isinstance(t, Name) and t.path == name for t in s.targets)
        for s in draft.body.statements
    )


def sets_default(draft: Draft, name: str, words: set[str]) -> bool:
    """`kwargs.setdefault("timeout", 5)` or `kwargs["timeout"] = 5` in the wrapper's body."""
    for statement in draft.body.statements:
        if isinstance(statement, Call) and statement.callee in (
            Name(f"{name}.setdefault"),
            Name(f"{name}.update"),
        ):
            first = statement.arguments[0] if statement.arguments else None
            if isinstance(first, Literal) and first.value in words:
                return True
            if isinstance(first, Display) or any(k.name in words for k in statement.keywords):
                return True
        if isinstance(statement, Assign):
            for target in statement.targets:
                if (
                    isinstance(target, Operation)
                    and target.operator == "[]"
                    and target.operands[0] == Name(name)
                ):
                    key = target.operands[-1]
                    if isinstance(key, Literal) and key.value in words:
                        return True
    return False


def assigned_value(draft: Draft, path: str) -> Value | None:
    """The last value assigned to a name in a body, by `=` or by `with ... as`."""
    found: Value | None = None
    for statement in draft.body.statements:
        if isinstance(statement, Assign) and not statement.operator:
            for target in statement.targets:
                if isinstance(target, Name) and target.path == path:
                    found = statement.value or found
    if found is None:
        for scope in draft.body.scopes:
            if scope.kind is ScopeKind.WITH:
                for context, target in zip(scope.head, scope.targets, strict=False):
                    if isinstance(target, Name) and target.path == path:
                        found = context
    return found
