"""What one body does with the data it is given: its statements, read once and in order."""

from collections.abc import Mapping

from msgspec import Struct

from mainstay.link.checks import COMPARISONS, Checks
from mainstay.link.cleaning import ALL, FORMATS, METHODS, PASSING, settles
from mainstay.link.draft import Draft
from mainstay.link.effects import PASSES
from mainstay.link.inputs import Inputs
from mainstay.link.lookup import Lookup, at
from mainstay.link.requested import Requested
from mainstay.link.taint import (
    EMPTY,
    HOPS,
    NOTHING,
    Hit,
    Summary,
    Taint,
    below,
    fixed_by,
    joined,
    lengthened,
    parts_of,
    without,
)
from mainstay.link.values import given
from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Each,
    Fate,
    Literal,
    Name,
    Operation,
    Raise,
    Result,
    Return,
    Scope,
    ScopeKind,
    Text,
    Use,
    Value,
    Yield,
)
from mainstay.model.finding import Hop
from mainstay.model.library import Callable
from mainstay.model.system import Target, Type

RECEIVER = "self"  # as a place: what the method is called on
DEEPEST_MENTION = 6  # calls and attributes inside each other in one tested value
NUMBERS = (Name("int"), Name("float"), Name("bool"))
PARTS = frozenset({"hostname", "netloc", "host", "scheme", "domain", "suffix", "parent", "parts", "anchor"})
"""Attributes of an address or path by which the whole of it is judged."""

ENDS_OF_PATHS = frozenset({"name", "stem", "suffix"})


class Context(Struct, frozen=True, eq=False):
    """What carrying needs to know beyond the body."""

    lookup: Lookup
    inputs: Inputs
    requested: Requested
    summaries: Mapping[str, Summary]


class Carrying:
    """Reads one body.  Afterwards `summary` tells of its parameters and `hits` of the sources in it."""

    def __init__(self, draft: Draft, context: Context) -> None:
        self._draft = draft
        self._context = context
        self._calls = context.lookup.calls
        self._parameters = self._carriers()
        self._env: dict[str, Taint] = {}
        self._results: dict[int, Taint] = {}
        self._checks = Checks(self.taint, self._mentioned)
        self._scope_of: dict[str, int] = {}  # variable -> the scope it was last assigned in
        self._sinks: dict[tuple[str, str], Hit] = {}
        self._returns: Taint = {}
        self.hits: dict[tuple[str, str], Hit] = {}

    def _carriers(self) -> frozenset[str]:
        """The parameters that may carry text: not `self`, and none annotated as a number or the like."""
        method = bool(self._draft.owner)
        names = [
            p.name
            for position, p in enumerate(self._draft.body.parameters)
            if not (method and position == 0 and p.name in ("self", "cls"))
        ]
        return frozenset(n for n in names if not self._context.inputs.is_plain(self._draft, n))

    def read(self) -> Summary:
        """Read the body."""
        scopes = sorted(self._draft.body.scopes, key=lambda scope: scope.first)
        following = 0
        for index, statement in enumerate(self._draft.body.statements):
            while following < len(scopes) and scopes[following].first <= index:
                self._enter(scopes[following])
                following += 1
            if isinstance(statement, Call):
                self._results[index] = self._call(index, statement)
            elif isinstance(statement, Assign):
                self._assign(statement)
            elif isinstance(statement, Return | Yield):
                self._returns = joined(self._returns, self._checks.left(self.taint(statement.value)))
            elif isinstance(statement, Use) and statement.word == "assert":
                self._checks.test(statement.value)
        while following < len(scopes):
            self._enter(scopes[following])
            following += 1
        clears = self._checks.of_parameters(self._parameters) if self._refuses() else NOTHING
        return Summary(self._sinks, self._returns, clears, self._checks.only_scheme)

    def _refuses(self) -> bool:
        """Whether the body tells its caller of a bad value: by raising or by its answer."""
        return any(
            isinstance(s, Raise) or (isinstance(s, Return) and s.value is not None)
            for s in self._draft.body.statements
        )

    # --- values ---------------------------------------------------------------------------------------

    def taint(self, value: Value | None) -> Taint:
        """What a value carries."""
        if value is None or isinstance(value, Literal):
            return NOTHING
        if isinstance(value, Name):
            return self._checks.left(self._name(value))
        if isinstance(value, Result):
            return self._checks.left(self._results.get(value.call, NOTHING))
        if isinstance(value, Attribute):
            return self._attribute(value)
        if isinstance(value, Text):
            return self._text(value.parts)
        if isinstance(value, Display):
            return joined(*[self.taint(item) for item in value.items])
        if isinstance(value, Operation):
            return self._operation(value)
        if isinstance(value, Each):
            return joined(self.taint(value.element), self.taint(value.key))
        return NOTHING

    def _name(self, value: Name) -> Taint:
        source = self._context.requested.attribute(self._draft, value)
        if source:
            return source
        head, _, rest = value.path.partition(".")
        if value.path in self._env:
            return self._env[value.path]
        if head in self._env:
            return self._ending(Name(head), rest, below(self._env[head], rest))
        if head in self._parameters:
            return self._ending(Name(head), rest, {lengthened(f"p:{head}", rest): ALL})
        return NOTHING

    def _attribute(self, value: Attribute) -> Taint:
        source = self._context.requested.attribute(self._draft, value)
        if source:
            return self._checks.left(source)
        return self._checks.left(
            self._ending(value.base, value.path, below(self.taint(value.base), value.path))
        )

    def _ending(self, base: Value, path: str, taint: Taint) -> Taint:
        """`Path(given).name` leads into no other folder."""
        if taint and path in ENDS_OF_PATHS:
            known = self._calls.known(self._draft, base)
            if isinstance(known, Type) and known.name.startswith("pathlib."):
                return without(taint, frozenset({"path"}))
        return taint

    def _text(self, parts: tuple[Value, ...]) -> Taint:
        """A text put together: what is written in front may fix what the rest can do."""
        prefix = ""
        found: Taint = {}
        for part in parts:
            if isinstance(part, Literal):
                prefix += str(part.value)
                continue
            taint = self.taint(part)
            found = joined(found, without(taint, fixed_by(prefix)))
            prefix += "\0"
        return found

    def _operation(self, value: Operation) -> Taint:
        operator, operands = value.operator, value.operands
        if operator == "[]":
            return self._item(value)
        if operator in COMPARISONS or operator == "not":
            return NOTHING
        if operator == "if":
            return self._conditional(operands)
        if operator == "+":
            return self._text(parts_of(value))
        if operator in ("and", "or", "*", "**", "await", "/", "%", "|"):
            return joined(*[self.taint(each) for each in operands])
        return NOTHING

    def _item(self, value: Operation) -> Taint:
        base, key = value.operands[0], value.operands[-1]
        taint = self.taint(base)
        if not taint:
            return NOTHING
        return self._keyed(base, key, taint)

    def _keyed(self, base: Value, key: Value, taint: Taint) -> Taint:
        return self._checks.left(self._context.requested.item(base, key, taint))

    def _conditional(self, operands: tuple[Value, ...]) -> Taint:
        test, then, other = (*operands, Literal(None), Literal(None))[:3]
        before = self._checks.mark()
        self._checks.test(test)
        taint = joined(self.taint(then), self.taint(other))
        self._checks.reset(before)
        return taint

    # --- statements -----------------------------------------------------------------------------------

    def _assign(self, statement: Assign) -> None:
        taint = self._added(statement, self.taint(statement.value))
        for target in statement.targets:
            for name in target.items if isinstance(target, Display) else (target,):
                if isinstance(name, Name):
                    self._store(name.path, taint, statement)
                elif (
                    isinstance(name, Operation)
                    and name.operator == "[]"
                    and isinstance(name.operands[0], Name)
                ):
                    held = name.operands[0].path
                    self._env[held] = joined(self._env.get(held, NOTHING), taint)

    def _store(self, name: str, taint: Taint, statement: Assign) -> None:
        """Assign a variable; where that may not happen, it may also keep what it carried."""
        old = self.taint(Name(name))
        if statement.operator or (
            old and self._may_not_run(name, statement) and not self._remade(old, statement)
        ):
            taint = joined(old, taint)
        self._env[name] = taint
        self._scope_of[name] = statement.scope

    def _may_not_run(self, name: str, statement: Assign) -> bool:
        """Whether a branch or loop lies between the last assignment of the variable and this one."""
        scopes = self._draft.body.scopes
        last, at_ = self._scope_of.get(name, 0), statement.scope
        while at_ > 0 and at_ != last:
            if scopes[at_].kind not in PASSES:
                return True
            at_ = scopes[at_].parent
        return False

    def _remade(self, old: Taint, statement: Assign) -> bool:
        """Whether the new value is made from the old one: `if url: url = cleaned(url)`."""
        return statement.value is not None and not old.keys().isdisjoint(self._mentioned(statement.value))

    def _added(self, statement: Assign, taint: Taint) -> Taint:
        """What `url += given` adds cannot change the host that was there."""
        return without(taint, frozenset({"url", "redirect"})) if statement.operator == "+" else taint

    def _enter(self, scope: Scope) -> None:
        if scope.kind in (ScopeKind.FOR, ScopeKind.COMPREHENSION):
            taint = joined(*[self.taint(head) for head in scope.head])
            for target in scope.targets:
                self._bind(target, taint)
        elif scope.kind is ScopeKind.WITH:
            for context, target in zip(scope.head, scope.targets, strict=False):
                self._bind(target, self.taint(context))
        elif scope.kind in (ScopeKind.IF, ScopeKind.WHILE):
            for test in scope.head:
                self._checks.test(test)

    def _bind(self, target: Value, taint: Taint) -> None:
        for name in target.items if isinstance(target, Display) else (target,):
            if isinstance(name, Name):
                self._env[name.path] = taint

    # --- tests ----------------------------------------------------------------------------------------

    def _mentioned(self, value: Value, depth: int = 0) -> Taint:
        """What a tested expression looks at: through the calls in it, whatever they give."""
        taint = self.taint(value)
        if depth > DEEPEST_MENTION:
            return taint
        if isinstance(value, Result):
            call = self._draft.body.statements[value.call]
            if isinstance(call, Call):
                values = (call.callee, *call.arguments, *(k.value for k in call.keywords))
                return joined(taint, *[self._mentioned(each, depth + 1) for each in values])
        if isinstance(value, Attribute):
            return joined(taint, self._mentioned(value.base, depth + 1))
        if isinstance(value, Name) and value.path.rpartition(".")[2] in PARTS:
            return joined(taint, self.taint(Name(value.path.rpartition(".")[0])))
        return taint

    # --- calls ----------------------------------------------------------------------------------------

    def _call(self, index: int, call: Call) -> Taint:
        target = self._draft.targets.get(index)
        name = _last(call.callee)
        receiver = self._receiver(call)
        arguments = joined(
            *[self.taint(a) for a in call.arguments], *[self.taint(k.value) for k in call.keywords]
        )
        callee = self._callee(target)
        if receiver or arguments:
            self._settle(call, name, callee, self._looked_at(call, receiver, arguments))
        library = target.library if target else None
        if library is not None and library.sinks:
            self._reach(index, call, target, library, receiver)
        if library is not None and library.untrusted and call.fate is not Fate.DECORATES:
            return self._context.requested.call(self._draft, call, name)
        if callee is not None:
            return self._through(index, call, callee)
        if library is not None and library.cleans:
            return self._cleaned(call, library, joined(receiver, arguments))
        return self._passed(call, name, target, receiver, arguments)

    def _settle(self, call: Call, name: str, callee: Draft | None, checked: Taint) -> None:
        """Take note of what a call that is named for a check makes sure of; one of ours is looked into."""
        sinks = settles(call, name)
        if callee is not None and self._context.summaries.get(callee.name, EMPTY).only_scheme:
            sinks = sinks - {"url", "redirect"}
            self._checks.saw_scheme()
        if name == "startswith" and checked and not sinks:
            self._checks.saw_scheme()
        self._checks.clear(checked, sinks)

    def _receiver(self, call: Call) -> Taint:
        callee = call.callee
        if isinstance(callee, Name):
            before = callee.path.rpartition(".")[0]
            return self.taint(Name(before)) if before else NOTHING
        if isinstance(callee, Attribute):
            before = callee.path.rpartition(".")[0]
            return self.taint(Attribute(callee.base, before) if before else callee.base)
        return NOTHING

    def _looked_at(self, call: Call, receiver: Taint, arguments: Taint) -> Taint:
        """What a checking call checks: its arguments, or what it is a method of."""
        deep = [self._mentioned(each) for each in call.arguments]
        return joined(receiver, arguments, *deep)

    def _cleaned(self, call: Call, library: Callable, taint: Taint) -> Taint:
        harmless = ALL if "*" in library.cleans else frozenset(library.cleans)
        if call.fate in (Fate.DISCARDED, Fate.TESTED) and harmless != ALL:
            self._checks.clear(taint, harmless)
        return without(taint, harmless)

    def _passed(
        self, call: Call, name: str, target: Target | None, receiver: Taint, arguments: Taint
    ) -> Taint:
        """What functions that keep their text give back; of any other function nothing is known."""
        method = isinstance(call.callee, Attribute) or (
            isinstance(call.callee, Name) and "." in call.callee.path
        )
        if receiver and name in METHODS and method:
            key = call.arguments[0] if call.arguments else None
            base = self._before(call)
            if call.keyword("type") in NUMBERS:
                return NOTHING
            if name in ("get", "getlist", "getone", "pop", "getall", "get_all") and key is not None:
                return self._keyed(base, key, receiver)
            return joined(receiver, arguments) if name in FORMATS else receiver
        if arguments and name in FORMATS and method:
            return self._formatted(call, name)
        if arguments and name in PASSING and (target is None or target.name not in self._calls.names.classes):
            if name == "urljoin":
                return self._joined(call)
            return arguments
        return NOTHING

    def _before(self, call: Call) -> Value:
        callee = call.callee
        if isinstance(callee, Name):
            return Name(callee.path.rpartition(".")[0])
        return callee.base if isinstance(callee, Attribute) else callee

    def _formatted(self, call: Call, name: str) -> Taint:
        """`"https://host/{}".format(given)`: the text in front counts as for any other text."""
        values = (*call.arguments, *(k.value for k in call.keywords))
        base = call.callee.base if isinstance(call.callee, Attribute) else None
        if name == "format" and isinstance(base, Literal) and isinstance(base.value, str):
            return self._text((Literal(base.value.partition("{")[0]), *values))
        return joined(*[self.taint(value) for value in values]) if name != "replace" else NOTHING

    def _joined(self, call: Call) -> Taint:
        """`urljoin(base, given)`: an absolute `given` replaces the base."""
        return joined(*[self.taint(value) for value in call.arguments])

    # --- sinks and callees ----------------------------------------------------------------------------

    def _reach(
        self, index: int, call: Call, target: Target | None, library: Callable, receiver: Taint
    ) -> None:
        assert target is not None
        for sink, place in library.sinks.items():
            taint = receiver if place == RECEIVER else self._given(sink, given(call, place))
            if taint:
                hit = Hit(self._draft.name, index, at(self._draft, call), target.name, certain=target.certain)
                self._note(taint, sink, hit)

    def _given(self, sink: str, value: Value | None) -> Taint:
        """What reaches the sink in its argument: a list of words is no shell command."""
        if sink == "command" and isinstance(value, Display):
            return NOTHING
        return self.taint(value)

    def _note(self, taint: Taint, sink: str, hit: Hit) -> None:
        for label, sinks in taint.items():
            if sink in sinks:
                held = self._sinks if label.startswith("p:") else self.hits
                old = held.get((label, sink))
                if old is None or len(hit.hops) < len(old.hops):
                    held[label, sink] = hit

    def _callee(self, target: Target | None) -> Draft | None:
        if target is None:
            return None
        name = target.name
        if name in self._calls.names.classes:
            name = self._calls.classes.methods(name).get("__init__", "")
        return self._calls.names.functions.get(name)

    def _through(self, index: int, call: Call, callee: Draft) -> Taint:
        """Apply the summary of a project's function to what it is given here."""
        summary = self._context.summaries.get(callee.name, EMPTY)
        handed = self._handed(call, callee)
        place = at(self._draft, call)
        for (label, sink), hit in summary.sinks.items():
            taint = self._substituted(label, frozenset({sink}), handed)
            if taint and len(hit.hops) < HOPS:
                parameter = label[2:].partition(".")[0]
                hop = Hop(place, f"passed to `{callee.body.qualname}` as `{parameter}`")
                self._note(
                    taint,
                    sink,
                    Hit(hit.function, hit.statement, hit.location, hit.callee, (hop, *hit.hops), hit.certain),
                )
        for label, sinks in summary.clears.items():
            self._checks.clear(self._substituted(label, sinks, handed), sinks)
        found: Taint = {}
        for label, sinks in summary.returns.items():
            if label.startswith("p:"):
                found = joined(found, self._substituted(label, sinks, handed))
            else:
                found = joined(found, {label: sinks})
        return found

    def _substituted(self, label: str, sinks: frozenset[str], handed: Mapping[str, Taint]) -> Taint:
        """What a callee's label stands for at this call."""
        name, _, path = label[2:].partition(".")
        found: Taint = {}
        for each, open_ in below(handed.get(name, NOTHING), path).items():
            if open_ & sinks:
                found[each] = open_ & sinks
        return self._checks.left(found)

    def _handed(self, call: Call, callee: Draft) -> dict[str, Taint]:
        """The taint that each parameter of the callee is given."""
        parameters = callee.body.parameters
        bound = (
            parameters[1:]
            if parameters and callee.owner and parameters[0].name in ("self", "cls")
            else parameters
        )
        found: dict[str, Taint] = {}
        for position, parameter in enumerate(bound):
            value = call.argument(position if parameter.kind == "positional" else None, parameter.name)
            taint = self.taint(value) if value is not None else NOTHING
            if taint:
                found[parameter.name] = taint
        return found


def _last(callee: Value) -> str:
    return callee.path.rpartition(".")[2] if isinstance(callee, Name | Attribute) else ""
