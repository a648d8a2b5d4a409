"""What surrounds each stretch of a body: transactions, locks, loops, retries, handlers."""

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft
from mainstay.model.code import (
    Attribute,
    Call,
    Display,
    Leave,
    Name,
    Raise,
    Result,
    Return,
    Scope,
    ScopeKind,
    Value,
    Yield,
)
from mainstay.model.effect import Enclosure, EnclosureKind
from mainstay.model.location import Location
from mainstay.model.system import Type

LOOPS = (ScopeKind.FOR, ScopeKind.WHILE, ScopeKind.COMPREHENSION)


class Enclosures:
    """Finds the enclosures of drafts; those of a project's context manager come from its own body."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._known: dict[str, tuple[Enclosure, ...]] = {}

    def of(self, draft: Draft) -> tuple[Enclosure, ...]:
        """The enclosures of a body, outermost first."""
        found = self._known.get(draft.name)
        if found is None:
            self._known[draft.name] = ()  # a context manager that enters itself ends here
            found = (*self._of_decorators(draft), *self._of_scopes(draft))
            self._known[draft.name] = found
        return found

    def _of_decorators(self, draft: Draft) -> list[Enclosure]:
        found = []
        for target in draft.decorators:
            kind = target.library.encloses if target.library else None
            if target.library and target.library.retry:
                kind = EnclosureKind.RETRY
            if kind:
                place = Location(draft.file.path, draft.body.line, draft.body.column)
                what = f"@{target.name.rpartition('.')[2]}"
                found.append(Enclosure(kind, 0, len(draft.body.statements), place, what, target.name))
        return found

    def _of_scopes(self, draft: Draft) -> list[Enclosure]:
        found: list[Enclosure] = []
        for index, scope in enumerate(draft.body.scopes):
            if scope.kind is ScopeKind.WITH:
                found += self._of_with(draft, index, scope)
            elif scope.kind in LOOPS:
                found += self._of_loop(draft, index, scope)
            elif scope.kind is ScopeKind.TRY:
                found += self._of_try(draft, index, scope)
        return found

    # --- with ---------------------------------------------------------------------------------------

    def _of_with(self, draft: Draft, index: int, scope: Scope) -> list[Enclosure]:
        found = []
        for context in scope.head:
            statement = context.call if isinstance(context, Result) else -1
            place = Location(draft.file.path, scope.line)
            for kind, name, caught in self._entered(draft, context):
                what = f"with {name.rpartition('.')[2]}"
                found.append(
                    Enclosure(
                        kind, scope.first, scope.last, place, what, name, statement, index, caught=caught
                    )
                )
        return found

    def _entered(self, draft: Draft, context: Value) -> list[tuple[EnclosureKind, str, tuple[str, ...]]]:
        """What entering a context opens: (kind, what opened it, exceptions it swallows)."""
        target = draft.targets.get(context.call) if isinstance(context, Result) else None
        if target is not None:
            if target.library and target.library.catches is not None and isinstance(context, Result):
                call = draft.body.statements[context.call]
                names = call.arguments if isinstance(call, Call) else ()
                return [(EnclosureKind.HANDLER, target.name, self.caught(draft, names))]
            if target.library and target.library.encloses:
                return [(target.library.encloses, target.name, ())]
            function = self._calls.names.functions.get(target.name)
            if function is not None and function.body.is_generator:
                return self._of_manager(function)
        known = self._calls.known(draft, context)
        if isinstance(known, Type):
            return self._of_instance(known)
        return []

    def _of_instance(self, known: Type) -> list[tuple[EnclosureKind, str, tuple[str, ...]]]:
        if known.name in self._calls.names.classes:
            methods = self._calls.classes.methods(known.name)
            leave = methods.get("__aexit__") or methods.get("__exit__")
            return self._of_exit(leave) if leave else []
        for ancestor in self._calls.knowledge.ancestry(known.name):
            library = self._calls.knowledge.type(ancestor)
            if library and library.encloses:
                return [(library.encloses, known.name, ())]
        return []

    def _of_exit(self, leave: str) -> list[tuple[EnclosureKind, str, tuple[str, ...]]]:
        """A context manager whose exit commits holds a transaction open in between."""
        draft = self._calls.names.functions[leave]
        self._calls.resolve(draft)
        if any(target.library and "commit" in target.library.effects for target in draft.targets.values()):
            return [(EnclosureKind.TRANSACTION, leave, ())]
        return []

    def _of_manager(self, function: Draft) -> list[tuple[EnclosureKind, str, tuple[str, ...]]]:
        """What a generator context manager holds open where it yields."""
        self._calls.resolve(function)
        at = next((i for i, s in enumerate(function.body.statements) if isinstance(s, Yield)), -1)
        if at < 0:
            return []
        kinds = (EnclosureKind.TRANSACTION, EnclosureKind.LOCK, EnclosureKind.DEADLINE, EnclosureKind.LIMIT)
        found = [
            (e.kind, function.name, e.caught) for e in self.of(function) if e.holds(at) and e.kind in kinds
        ]
        commits = any(
            index > at and target.library and "commit" in target.library.effects
            for index, target in function.targets.items()
        )
        if commits and not any(kind is EnclosureKind.TRANSACTION for kind, _, _ in found):
            found.append((EnclosureKind.TRANSACTION, function.name, ()))
        return found

    # --- loops and try --------------------------------------------------------------------------------

    def _of_loop(self, draft: Draft, index: int, scope: Scope) -> list[Enclosure]:
        place = Location(draft.file.path, scope.line)
        retries = scope.kind is not ScopeKind.COMPREHENSION and self._retries(draft, index, scope)
        kind = EnclosureKind.RETRY if retries else EnclosureKind.LOOP
        statement, target = -1, ""
        if scope.head and isinstance(scope.head[0], Result) and scope.kind is not ScopeKind.WHILE:
            statement = scope.head[0].call
            opened = draft.targets.get(statement)
            if opened:
                target = opened.name
                if opened.library and opened.library.retry:
                    kind = EnclosureKind.RETRY
        what = "while" if scope.kind is ScopeKind.WHILE else "for " + ", ".join(map(describe, scope.targets))
        return [Enclosure(kind, scope.first, scope.last, place, what, target, statement, index)]

    def _retries(self, draft: Draft, index: int, scope: Scope) -> bool:
        """A loop written by hand to try again: success leaves it, a caught failure goes round again.

        The loop must not go over data: it counts (`range`), sleeps between, or never ends.
        """
        if scope.kind is ScopeKind.FOR and not self._counts(draft, scope):
            return False
        for at, inner in enumerate(draft.body.scopes):
            if (
                inner.kind is ScopeKind.TRY
                and inner.parent == index
                and self._leaves(draft, at, inner, scope)
            ):
                handlers = [
                    (i, h)
                    for i, h in enumerate(draft.body.scopes)
                    if h.kind is ScopeKind.HANDLER and h.of == at
                ]
                if any(self._goes_on(draft, i, handler) for i, handler in handlers):
                    return True
        return False

    def _counts(self, draft: Draft, scope: Scope) -> bool:
        head = scope.head[0] if scope.head else None
        if not isinstance(head, Result):
            return False
        target = draft.targets.get(head.call)
        call = draft.body.statements[head.call]
        name = target.name if target else ""
        plain = isinstance(call, Call) and isinstance(call.callee, Name) and call.callee.path
        return name.endswith(("range", "itertools.count")) or plain in ("range", "count", "itertools.count")

    def _leaves(self, draft: Draft, at: int, inner: Scope, loop: Scope) -> bool:
        """Whether the `try`, its `else`, or what follows it in the loop, returns or breaks."""
        own = {at} | {
            i for i, s in enumerate(draft.body.scopes) if s.kind is ScopeKind.TRY_ELSE and s.of == at
        }
        for index in range(inner.first, loop.last):
            statement = draft.body.statements[index]
            leaving = isinstance(statement, Return) or (
                isinstance(statement, Leave) and statement.word == "break"
            )
            if leaving and (statement.scope in own or statement.scope == inner.parent):
                return True
        return False

    def _goes_on(self, draft: Draft, at: int, handler: Scope) -> bool:
        """Whether some way through the handler neither raises nor returns nor breaks."""
        for index in range(handler.first, handler.last):
            statement = draft.body.statements[index]
            ends = isinstance(statement, Raise | Return) or (
                isinstance(statement, Leave) and statement.word == "break"
            )
            if ends and statement.scope == at:
                return False
        return True

    def _of_try(self, draft: Draft, index: int, scope: Scope) -> list[Enclosure]:
        caught: list[str] = []
        handled = False
        for at, handler in enumerate(draft.body.scopes):
            if handler.kind is ScopeKind.HANDLER and handler.of == index and not reraises(draft, at, handler):
                handled = True
                names = self.caught(draft, handler.head)
                caught += names or ["BaseException"]
        if not handled:
            return []
        place = Location(draft.file.path, scope.line)
        return [
            Enclosure(
                EnclosureKind.HANDLER,
                scope.first,
                scope.last,
                place,
                "try",
                scope=index,
                caught=tuple(caught),
            )
        ]

    def caught(self, draft: Draft, values: tuple[Value, ...]) -> tuple[str, ...]:
        """The dotted names of exceptions written in an `except`."""
        found: list[str] = []
        for value in values:
            if isinstance(value, Display):
                found += self.caught(draft, value.items)
            elif isinstance(value, Name | Attribute):
                known = self._calls.known(draft, value)
                if isinstance(known, str):
                    found.append(known)
                elif isinstance(value, Name):
                    held = self._variable(draft, value)
                    found += held or [value.path]
        return tuple(found)

    def _variable(self, draft: Draft, value: Name) -> list[str]:
        """The exceptions in a module's tuple of exceptions."""
        dotted = self._calls.names.lookup(draft, value.path.partition(".")[0]) or ""
        held = self._calls.names.variables.get(dotted)
        return list(self.caught(held[0], (held[1],))) if held and isinstance(held[1], Display) else []


def reraises(draft: Draft, at: int, handler: Scope) -> bool:
    """Whether every way through the handler raises the same exception again."""
    return any(
        isinstance(statement, Raise) and statement.scope == at and statement.value is None
        for statement in draft.body.statements[handler.first : handler.last]
    )


def describe(value: Value) -> str:
    """A target in words."""
    if isinstance(value, Name):
        return value.path
    if isinstance(value, Display):
        return ", ".join(map(describe, value.items))
    return "item"
