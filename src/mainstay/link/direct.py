"""What one call of a library does by itself, and which project functions a call leads to."""

import re

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft
from mainstay.link.values import given
from mainstay.model.code import (
    Assign,
    Attribute,
    Body,
    Call,
    Code,
    Display,
    Each,
    Fate,
    Literal,
    Name,
    Operation,
    Result,
    Text,
    Value,
)
from mainstay.model.effect import DATABASE, WRITES, Effect, EffectKind, EnclosureKind
from mainstay.model.flow import definition
from mainstay.model.library import Callable
from mainstay.model.system import Edge, Target, Type

REPEATABLE = frozenset(
    {EffectKind.READ, EffectKind.LOCK, EffectKind.SLEEP, EffectKind.WAIT, EffectKind.LOG, EffectKind.COMMIT}
    | {EffectKind.ROLLBACK, EffectKind.DELETE, EffectKind.RAISE}
)
SQL_VERBS = {
    "select": EffectKind.READ,
    "insert": EffectKind.INSERT,
    "update": EffectKind.UPDATE,
    "delete": EffectKind.DELETE,
    "lock": EffectKind.LOCK,
    "commit": EffectKind.COMMIT,
    "rollback": EffectKind.ROLLBACK,
    "with": EffectKind.READ,
    "values": EffectKind.READ,
    "table": EffectKind.READ,
    "merge": EffectKind.UPDATE,
    "replace": EffectKind.INSERT,
    "truncate": EffectKind.DELETE,
}  # other statements (SET, NOTIFY, CREATE) neither read nor write rows
ARITHMETIC = frozenset({"+", "-", "*", "/", "//", "**"})
SQL_TABLE = re.compile(r"\b(?:from|into|update|table)\s+(?:only\s+)?[\"`]?([\w.]+)", re.IGNORECASE)
SQL_LOCK = re.compile(
    r"\bfor\s+(?:no\s+key\s+)?update\b|\bpg_(?:try_)?advisory_(?:xact_)?lock", re.IGNORECASE
)


class Direct:
    """Effects of library calls, interned so that equal effects are the same object."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._knowledge = calls.knowledge
        self._interned: dict[Effect, Effect] = {}
        self._called: dict[str, dict[str, str]] = {}  # function -> the parameters it calls, and how

    def intern(self, effect: Effect) -> Effect:
        return self._interned.setdefault(effect, effect)

    def effects(self, draft: Draft, call: Call, target: Target) -> tuple[Effect, ...]:
        """What the call of a library does to the world."""
        library = target.library
        if library is None:
            return ()
        found = [self._effect(draft, call, target, library, kind) for kind in library.effects]
        if library.executes is not None:
            found += self._executed(draft, call, library)
        if library.locks:
            about = target.receiver.argument if target.receiver else ""
            found.append(Effect(EffectKind.LOCK, short(about)))
        if not (target.name in ("int", "float") and self._is_number(draft, given(call, 0))):
            found += [Effect(EffectKind.RAISE, self._knowledge.canonical(name)) for name in library.raises]
        return tuple(self.intern(effect) for effect in found)

    def _effect(
        self, draft: Draft, call: Call, target: Target, library: Callable, kind: EffectKind
    ) -> Effect:
        receiver = target.receiver
        if kind is EffectKind.UPDATE and receiver is not None and receiver.fresh:
            kind = EffectKind.INSERT
        if kind is EffectKind.INSERT and self._is_loaded(draft, call, library):
            kind = EffectKind.UPDATE
        about = self._about(draft, call, target, library)
        if not about and kind not in DATABASE:
            about = target.name.partition(".")[0]
        return Effect(kind, about, self._blocks(call, library), self._repeats(draft, call, library, kind))

    def _is_number(self, draft: Draft, value: Value | None) -> bool:
        """Whether a value is a number for sure, so that making a number of it raises nothing."""
        if isinstance(value, Literal):
            return isinstance(value.value, int | float)
        if isinstance(value, Operation) and value.operator in ARITHMETIC:
            return value.operator != "+" or any(self._is_number(draft, each) for each in value.operands)
        known = self._calls.known(draft, value)
        return isinstance(known, Type) and known.certain and known.name in ("int", "float")

    def _is_loaded(self, draft: Draft, call: Call, library: Callable) -> bool:
        """Whether the object that is added came out of the database, so that adding it inserts nothing.

        A parameter may hold a new object, so only what this body was given by a call is told.
        """
        word, _, place = library.target.partition(":")
        value = given(call, int(place)) if word == "same" and place.isdigit() else None
        if not isinstance(value, Name) or any(p.name == value.path for p in draft.body.parameters):
            return False
        known = self._calls.known(draft, value)
        return isinstance(known, Type) and not known.fresh and known.name in self._calls.names.classes

    def _about(self, draft: Draft, call: Call, target: Target, library: Callable) -> str:
        """The table, queue or library that an effect is about."""
        text = library.target
        receiver = target.receiver
        if text.startswith("="):
            return text[1:]
        if not text:
            if receiver is None:
                return ""
            held = receiver.argument or (receiver.name if receiver.name in self._calls.names.classes else "")
            return short(held)
        if text.isdigit() or text.startswith("name:"):
            value = given(call, int(text) if text.isdigit() else text[5:])
            return value.value if isinstance(value, Literal) and isinstance(value.value, str) else ""
        owner = receiver.argument or receiver.name if receiver else ""
        known = self._calls.expression(text, receiver, owner, draft, call)
        if isinstance(known, Type):
            return short(known.argument or known.name)
        return short(known or "")

    def _blocks(self, call: Call, library: Callable) -> bool:
        if call.awaited or library.coroutine:
            return False
        return bool(library.blocking)

    def _repeats(self, draft: Draft, call: Call, library: Callable, kind: EffectKind) -> bool:
        if library.repeatable is not None and library.repeatable:
            return True
        if any(mentions(draft.body, call, key) for key in library.key):
            return True
        if library.upserts or (
            kind in WRITES and kind is not EffectKind.INSERT and library.repeatable is None
        ):
            return True
        return library.repeatable is None and kind in REPEATABLE

    def _executed(self, draft: Draft, call: Call, library: Callable) -> list[Effect]:
        """The effect of running a statement: told by its type, or by its text."""
        assert library.executes is not None
        value = given(call, library.executes)
        blocking = self._blocks(call, library)
        known = self._calls.known(draft, value)
        if isinstance(known, Type):
            kind = self._executes(known)
            if kind is not None:
                repeats = kind in REPEATABLE or kind is EffectKind.UPDATE or self._upserts(draft, value)
                return [Effect(kind, short(known.argument), blocking, repeats)]
        text = self.text(draft, value)
        if not text:
            return [Effect(EffectKind.READ, "", blocking)]
        verb = re.match(r"[\s(]*(\w+)", text)
        kind = SQL_VERBS.get(verb.group(1).lower()) if verb else EffectKind.READ
        if kind is None:
            return []
        table = SQL_TABLE.search(text)
        about = table.group(1) if table else ""
        upserts = kind is EffectKind.INSERT and "on conflict" in text.lower()
        effects = [Effect(kind, about, blocking, upserts or kind in REPEATABLE or kind is EffectKind.UPDATE)]
        if SQL_LOCK.search(text):
            effects.append(Effect(EffectKind.LOCK, about, blocking))
        return effects

    def _upserts(self, draft: Draft, value: Value | None) -> bool:
        """Whether the chain that built a statement settles conflicts (`.on_conflict_do_nothing()`)."""
        if isinstance(value, Name):
            assigned = definition(draft.body, value.path, len(draft.body.statements))
            value = assigned[1] if assigned else None
        while isinstance(value, Result):
            target = draft.targets.get(value.call)
            if target and target.library and target.library.upserts:
                return True
            call = draft.body.statements[value.call]
            value = (
                call.callee.base if isinstance(call, Call) and isinstance(call.callee, Attribute) else None
            )
        return False

    def _executes(self, known: Type) -> EffectKind | None:
        for ancestor in self._knowledge.ancestry(known.name):
            library = self._knowledge.type(ancestor)
            if library and library.executes:
                return library.executes
        return None

    def text(self, draft: Draft, value: Value | None) -> str:
        """The literal text of a value, as far as it is written down: through `text(...)` and f-strings."""
        if isinstance(value, Literal):
            return value.value if isinstance(value.value, str) else ""
        if isinstance(value, Text):
            return "".join(self.text(draft, part) or "?" for part in value.parts)
        if isinstance(value, Result):
            call = draft.body.statements[value.call]
            return self.text(draft, call.arguments[0]) if isinstance(call, Call) and call.arguments else ""
        if isinstance(value, Name) and "." not in value.path:
            variable = self._calls.names.variables.get(self._calls.names.lookup(draft, value.path) or "")
            return self.text(variable[0], variable[1]) if variable and variable[1] is not value else ""
        return ""

    # --- edges --------------------------------------------------------------------------------------

    def edges(self, draft: Draft, call: Call, target: Target | None) -> tuple[Edge, ...]:
        """The project functions that run because of the call, and how."""
        found: list[Edge] = []
        functions = self._calls.names.functions
        if target is not None:
            name = target.name
            if name in self._calls.names.classes:
                name = self._calls.classes.methods(name).get("__init__", "")
            if name in functions:
                found.append(Edge(name, self._how(draft, call, functions[name])))
            if target.library and target.library.runs:
                found += self._run(draft, call, target.library)
            elif target.library is None and name in functions:
                found += self._handed_in(draft, call, functions[name])
        return tuple(found)

    def _how(self, draft: Draft, call: Call, callee: Draft) -> str:
        """How a call of a project's function runs it."""
        if not callee.body.is_async or callee.body.is_generator or call.awaited:
            return "call"
        if call.fate in (
            Fate.RETURNED,
            Fate.STORED,
            Fate.ITERATED,
            Fate.ENTERED,
            Fate.YIELDED,
            Fate.COMBINED,
        ):
            return "call"
        return "coroutine"

    def _run(self, draft: Draft, call: Call, library: Callable) -> list[Edge]:
        assert library.runs is not None
        value = given(call, library.runs.at)
        values = call.arguments if library.runs.how == "gather" else (value,) if value is not None else ()
        return [Edge(name, library.runs.how) for value in values for name in self._callees(draft, value)]

    def _callees(self, draft: Draft, value: Value) -> list[str]:
        """The functions that a value given to run stands for: a function, a lambda, a coroutine, many."""
        if isinstance(value, Operation) and value.operator == "*" and value.operands:
            return self._callees(draft, value.operands[0])
        if isinstance(value, Result):
            target = draft.targets.get(value.call)
            if target is None:
                return []
            if target.name == "functools.partial":
                inner = draft.body.statements[value.call]
                return (
                    self._callees(draft, inner.arguments[0])
                    if isinstance(inner, Call) and inner.arguments
                    else []
                )
            return [target.name] if target.name in self._calls.names.functions else []
        if isinstance(value, Display):
            return [name for item in value.items for name in self._callees(draft, item)]
        if isinstance(value, Each):
            return self._callees(draft, value.element)
        if isinstance(value, Name | Attribute | Code):
            known = self._calls.known(draft, value)
            return [known] if isinstance(known, str) and known in self._calls.names.functions else []
        return []

    def _handed_in(self, draft: Draft, call: Call, callee: Draft) -> list[Edge]:
        """Functions handed to a project's function that calls them; a lambda is assumed to be called."""
        called = self._called.get(callee.name)
        if called is None:
            called = self._called[callee.name] = called_parameters(callee)
        if not called and not any(isinstance(value, Code) for value in call.arguments):
            return []
        found = []
        for parameter, value in arguments_of(call, callee):
            if not isinstance(value, Name | Attribute | Code):
                continue
            how = called.get(parameter) or ("call" if isinstance(value, Code) else "")
            if how:
                found += [Edge(name, how) for name in self._callees(draft, value)]
        return found


def arguments_of(call: Call, callee: Draft) -> list[tuple[str, Value]]:
    """The arguments of a call with the names of the parameters that receive them."""
    names = [p.name for p in callee.body.parameters if p.kind == "positional"]
    if names and callee.owner and names[0] in ("self", "cls"):
        names = names[1:]
    found = list(zip(names, call.arguments, strict=False))
    return found + [(keyword.name, keyword.value) for keyword in call.keywords]


def called_parameters(callee: Draft) -> dict[str, str]:
    """The parameters that a function calls, and how: `call`, or `retry` when in a retry loop."""
    found: dict[str, str] = {}
    names = {parameter.name for parameter in callee.body.parameters}
    for at, statement in enumerate(callee.body.statements):
        if (
            isinstance(statement, Call)
            and isinstance(statement.callee, Name)
            and statement.callee.path in names
        ):
            retried = any(e.kind is EnclosureKind.RETRY and e.holds(at) for e in callee.enclosures)
            if retried or statement.callee.path not in found:
                found[statement.callee.path] = "retry" if retried else "call"
    return found


def short(dotted: str) -> str:
    """The class's own name: what people call the table."""
    return dotted.rpartition(".")[2]


def mentions(body: Body, call: Call, key: str) -> bool:
    """Whether a keyword, or a header in a dict that is passed or built here, has that name."""
    if call.keyword(key) is not None:
        return True
    for keyword in call.keywords:
        value = keyword.value
        if isinstance(value, Name):
            if sets_item(body, value, key):
                return True
            before = body.statements.index(call)
            value = (definition(body, value.path, before) or (0, value))[1]
        if (
            isinstance(value, Display)
            and value.kind == "dict"
            and any(same(item, key) for item in value.keys)
        ):
            return True
    return False


def sets_item(body: Body, name: Name, key: str) -> bool:
    """Whether the body says `name[key] = ...`."""
    return any(
        isinstance(target, Operation)
        and target.operator == "[]"
        and target.operands[0] == name
        and same(target.operands[-1], key)
        for statement in body.statements
        if isinstance(statement, Assign)
        for target in statement.targets
    )


def same(item: Value, key: str) -> bool:
    """Whether a literal is that key, however it is spelt: `Idempotency-Key` or `idempotency_key`."""
    return isinstance(item, Literal) and str(item.value).lower().replace("_", "-") == key.lower().replace(
        "_", "-"
    )
