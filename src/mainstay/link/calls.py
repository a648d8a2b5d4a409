"""What each call resolves to, one pass over each body."""

from mainstay.link.annotations import PLAIN
from mainstay.link.classes import Classes
from mainstay.link.draft import Draft, Known
from mainstay.link.names import Names
from mainstay.link.values import Values, method_target
from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Literal,
    Name,
    Result,
    Return,
    Scope,
    ScopeKind,
    Value,
    Yield,
)
from mainstay.model.system import Target, Type

RESOLVING, RESOLVED = 1, 2
DEEPEST = 60  # functions whose result depends on the next one's, resolved within each other


class Calls(Values):
    """Values, with the calls they need resolved on demand."""

    def __init__(self, names: Names, classes: Classes) -> None:
        super().__init__(names, classes)
        self._depth = 0

    def resolve(self, draft: Draft) -> None:
        """Resolve every call of the body and learn the types of its variables, once."""
        if draft.state or self._depth > DEEPEST:
            return  # one that is too far down is resolved in its own turn; its type stays unknown here
        draft.state = RESOLVING
        self._depth += 1
        self._parameters(draft)
        scopes = sorted(draft.body.scopes, key=lambda scope: scope.first)
        following = 0
        for index, statement in enumerate(draft.body.statements):
            while following < len(scopes) and scopes[following].first <= index:
                self._enter(draft, scopes[following])
                following += 1
            if isinstance(statement, Call):
                self._call(draft, index, statement)
            elif isinstance(statement, Assign):
                self._assign(draft, statement)
            elif isinstance(statement, Return):
                if draft.returned is None:
                    draft.returned = self.known(draft, statement.value)
            elif isinstance(statement, Yield) and draft.yielded is None:
                draft.yielded = self.known(draft, statement.value)
        if isinstance(draft.returned, str) and not self._one_thing(draft):
            draft.returned = None
        self._depth -= 1
        draft.state = RESOLVED

    def _one_thing(self, draft: Draft) -> bool:
        """Whether every `return` of something gives the same function or class as the first."""
        returned = (s.value for s in draft.body.statements if isinstance(s, Return))
        given = (value for value in returned if value is not None and value != Literal(None))
        return all(self.known(draft, value) == draft.returned for value in given)

    def decorate(self, draft: Draft) -> None:
        """Resolve the decorators of a function; its enclosing body must be resolved."""
        if draft.parent is None or draft.decorators:
            return
        found = []
        for value in draft.body.decorators:
            target = self._decorator(draft.parent, value)
            if target:
                found.append(target)
        draft.decorators = tuple(found)

    def _decorator(self, home: Draft, value: Value) -> Target | None:
        if isinstance(value, Result):
            return home.targets.get(value.call)
        known = self.known(home, value)
        if isinstance(known, Type):
            method = self.callable_method(known)
            return Target(method, known, self.knowledge.callable(method), known.certain)
        return Target(known, None, self.knowledge.callable(known)) if known else None

    def _parameters(self, draft: Draft) -> None:
        for position, parameter in enumerate(draft.body.parameters):
            draft.bound.add(parameter.name)
            found = self.parameter(draft, position, parameter)
            if found is not None:
                draft.env[parameter.name] = found

    def _enter(self, draft: Draft, scope: Scope) -> None:
        if scope.kind in (ScopeKind.FOR, ScopeKind.COMPREHENSION):
            looped = self.known(draft, scope.head[0]) if scope.head else None
            single = len(scope.targets) == 1 and isinstance(looped, Type)
            for target in scope.targets:
                self._store(
                    draft, target, self.element(looped) if single and isinstance(looped, Type) else None
                )
        elif scope.kind is ScopeKind.WITH:
            for context, target in zip(scope.head, scope.targets, strict=False):
                self._store(draft, target, self.entered(draft, context))

    def entered(self, draft: Draft, context: Value) -> Known | None:
        """What `with context as x` gives x."""
        known = self.known(draft, context)
        if not isinstance(known, Type):
            return known
        if known.name in self.names.classes:
            methods = self.classes.methods(known.name)
            enter = methods.get("__aenter__") or methods.get("__enter__")
            return (self.returned(self.names.functions[enter]) if enter else None) or known
        for ancestor in self.knowledge.ancestry(known.name):
            library = self.knowledge.type(ancestor)
            if library and library.enters:
                return self.expression(library.enters, known, known.argument, None, None)
        return known

    def _assign(self, draft: Draft, statement: Assign) -> None:
        if statement.operator:
            return
        known = self.annotation(draft, statement.annotation) if statement.annotation is not None else None
        if known is None or known is PLAIN:
            known = self.known(draft, statement.value) or known
        for target in statement.targets:
            self._store(draft, target, known)

    def _store(self, draft: Draft, target: Value, known: Known | None) -> None:
        if not isinstance(target, Name):
            if isinstance(target, Display):
                for item in target.items:
                    self._store(draft, item, None)
            return
        if "." not in target.path:
            draft.bound.add(target.path)
            if known is not None:
                draft.env[target.path] = known
            elif draft.env.get(target.path) is PLAIN:
                del draft.env[target.path]
        elif (
            known is not None
            and draft.owner
            and target.path.startswith("self.")
            and target.path.count(".") == 1
        ):
            held = self.attributes.setdefault(draft.owner, {})
            if held.get(target.path[5:]) in (None, PLAIN):
                held[target.path[5:]] = known

    # --- calls --------------------------------------------------------------------------------------

    def _call(self, draft: Draft, index: int, call: Call) -> None:
        target = self._target(draft, call.callee)
        if target is None:
            return
        draft.targets[index] = target
        result = self._result(draft, call, target)
        if result is not None:
            draft.results[index] = result

    def _target(self, draft: Draft, callee: Value) -> Target | None:
        if isinstance(callee, Name):
            before, _, last = callee.path.rpartition(".")
            if not before:
                return self._plain_target(draft, callee.path)
            receiver = self.path(draft, before)
        elif isinstance(callee, Attribute):
            before, _, last = callee.path.rpartition(".")
            if not before and self._is_super(draft, callee.base):
                return self._inherited_target(draft, last)
            receiver = self.known(draft, callee.base)
            if before and receiver is not None:
                receiver = self.below(receiver, before)
        else:
            return self._instance_target(self.known(draft, callee))
        if receiver is None:
            return None
        if isinstance(receiver, str) and receiver in self.names.functions:
            if last in ("run", "__call__") and self.decorated_type(receiver):
                return Target(receiver)  # `task.run(...)` calls the function here and now
            receiver = self.decorated_type(receiver) or receiver  # `task.delay(...)`
        if isinstance(receiver, Type):
            return method_target(self, receiver, last)
        return self._instance_target(self.member(receiver, last), owner=receiver)

    def _is_super(self, draft: Draft, base: Value) -> bool:
        target = draft.targets.get(base.call) if isinstance(base, Result) else None
        return bool(draft.owner) and target is not None and target.name == "super"

    def _inherited_target(self, draft: Draft, method: str) -> Target | None:
        """What `super().method(...)` means: the first base, near to far, that has it."""
        for base in self.classes.ancestry(draft.owner):
            if base in self.names.classes:
                found = self.classes.own_methods(base).get(method)
                if found:
                    return Target(found, Type(draft.owner))
            elif self.knowledge.callable(f"{base}.{method}"):
                return Target(
                    f"{base}.{method}", Type(draft.owner), self.knowledge.callable(f"{base}.{method}")
                )
        return None

    def _plain_target(self, draft: Draft, name: str) -> Target | None:
        if name == "super" and draft.owner:
            return Target("super")
        return self._instance_target(self.path(draft, name))

    def _instance_target(self, known: Known | None, owner: str = "") -> Target | None:
        if known is None or known is PLAIN:
            return None
        if isinstance(known, Type):
            method = self.callable_method(known)
            return Target(method, known, self.knowledge.callable(method), known.certain)
        receiver = Type(owner) if owner in self.names.classes else None
        if known in self.names.functions:
            return Target(known, receiver)
        return Target(known, receiver, self.knowledge.callable(known))

    def _result(self, draft: Draft, call: Call, target: Target) -> Known | None:
        name = target.name
        if name == "super":
            return None
        if name in self.names.classes:
            return Type(name, fresh=True)
        function = self.names.functions.get(name)
        if function is not None:
            return self._function_result(function, target)
        library = target.library
        if library is None:
            return Type(name) if self.knowledge.type(name) else None
        if library.returns_for:
            for argument in (*call.arguments, *(keyword.value for keyword in call.keywords)):
                given = self.known(draft, argument)
                if isinstance(given, str) and given in library.returns_for:
                    return Type(library.returns_for[given])
        if library.returns_class:
            return library.returns_class
        if library.returns:
            receiver = target.receiver
            owner = receiver.argument or receiver.name if receiver else ""
            found = self.expression(library.returns, receiver, owner, draft, call)
            if isinstance(found, Type) and not target.certain:
                found = Type(found.name, found.argument, found.fresh, certain=False)
            return found
        return Type(name) if self.knowledge.type(name) else None

    def _function_result(self, function: Draft, target: Target) -> Known | None:
        if function.state == RESOLVING and function.body.returns is None:
            return function.returned
        found = self.returned(function)
        if isinstance(found, Type) and function.body.name == "__new__" and target.receiver:
            return target.receiver
        return found
