"""Where a value was made: the variable it is named by, the call that built it, the parts of a list."""

from collections.abc import Iterator

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft
from mainstay.link.names import join
from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Literal,
    Name,
    Operation,
    Result,
    ScopeKind,
    Text,
    Value,
)
from mainstay.model.library import Callable
from mainstay.model.location import Location
from mainstay.model.system import Target, Type

Placed = tuple[Draft, Value]
"""A value, and the body it is read in."""

_DEEPEST = 6  # variables followed from one to the next


class Lookup:
    """Answers about values that types do not give: names of variables, and how they came to be."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.names = calls.names
        self._overridden: dict[tuple[str, str], Callable | None] = {}
        self._locals: dict[str, dict[str, Value]] = {}

    def identity(self, draft: Draft, value: Value | None) -> str:
        """The dotted name of the variable, function or class that a value names; "" when it has none.

        Unlike `Calls.known`, a variable stays itself: two routers are told apart.
        """
        if isinstance(value, Name):
            return self._identity_of_path(draft, value.path)
        if isinstance(value, Result):
            known = self.calls.known(draft, value)
            target = draft.targets.get(value.call)
            return known if isinstance(known, str) else target.name if target else ""
        if isinstance(value, Attribute):
            base = self.identity(draft, value.base)
            return join(base, value.path) if base else ""
        known = self.calls.known(draft, value)
        return known if isinstance(known, str) else ""

    def _identity_of_path(self, draft: Draft, path: str) -> str:
        head, _, rest = path.partition(".")
        if head in ("self", "cls") and draft.owner:
            return join(draft.owner, rest)
        scope: Draft | None = draft
        while scope is not None and scope.index:
            if head in scope.locals:
                break
            if head in self.assigned(scope) or any(p.name == head for p in scope.body.parameters):
                return join(scope.name, path)
            scope = scope.parent
        bound = self.names.lookup(draft, head)
        if bound is None:
            return path
        return self._through_classes(self.names.canonical(join(bound, rest)))

    def _through_classes(self, dotted: str) -> str:
        """`views.Orders.list`, inherited, becomes the name of the method's own definition."""
        owner, _, last = dotted.rpartition(".")
        if dotted not in self.names.functions and owner in self.names.classes:
            return self.calls.classes.methods(owner).get(last, dotted)
        return dotted

    def assigned(self, draft: Draft) -> dict[str, Value]:
        """The local variables of a body and the value last assigned to each."""
        found = self._locals.get(draft.name)
        if found is None:
            found = {}
            for statement in draft.body.statements:
                if isinstance(statement, Assign) and statement.value is not None and not statement.operator:
                    for target in statement.targets:
                        if isinstance(target, Name):
                            found[target.path] = statement.value
            self._locals[draft.name] = found
        return found

    def value_of(self, identity: str) -> Placed | None:
        """The value assigned to the variable of that dotted name."""
        variable = self.names.variables.get(identity)
        if variable is not None:
            return (variable[0], variable[1]) if variable[1] is not None else None
        home, _, last = identity.rpartition(".")
        draft = self.names.functions.get(home)
        if draft is None:
            return None
        value = self.assigned(draft).get(last)
        if value is None and draft.body.kind == "class":
            return self._set_by_method(home, last)
        return (draft, value) if value is not None else None

    def _set_by_method(self, owner: str, attribute: str) -> Placed | None:
        for method in self.calls.classes.methods(owner).values():
            draft = self.names.functions[method]
            value = self.assigned(draft).get(f"self.{attribute}")
            if value is not None:
                return draft, value
        return None

    def call_of(self, draft: Draft, value: Value | None) -> tuple[Draft, int, Call] | None:
        """The call that made a value, through the variables that hold it."""
        placed: Placed | None = (draft, value) if value is not None else None
        for _ in range(_DEEPEST):
            if placed is None:
                return None
            home, value = placed
            if isinstance(value, Result):
                call = home.body.statements[value.call]
                return (home, value.call, call) if isinstance(call, Call) else None
            identity = self.identity(home, value)
            placed = self.value_of(identity) if identity else None
        return None

    def items(self, draft: Draft, value: Value | None, depth: int = 0) -> Iterator[Placed]:
        """The elements of a list or tuple, through variables, `+` and spreads."""
        if value is None or depth > _DEEPEST:
            return
        if isinstance(value, Display) and value.kind != "dict":
            for item in value.items:
                if isinstance(item, Operation) and item.operator == "*" and len(item.operands) == 1:
                    yield from self.items(draft, item.operands[0], depth + 1)
                else:
                    yield draft, item
        elif isinstance(value, Operation) and value.operator in ("+", "if", "or"):
            for operand in value.operands:
                yield from self.items(draft, operand, depth + 1)
        elif isinstance(value, Name):
            placed = self.value_of(self.identity(draft, value))
            if placed is not None and placed[1] is not value:
                yield from self.items(*placed, depth + 1)

    def strings(self, draft: Draft, value: Value | None) -> list[str]:
        """The text in a list of strings; a single string is a list of one."""
        if isinstance(value, Literal):
            return [value.value] if isinstance(value.value, str) else []
        found = []
        for _, item in self.items(draft, value):
            if isinstance(item, Literal) and isinstance(item.value, str):
                found.append(item.value)
            elif isinstance(item, Name):  # HTTPMethod.GET
                found.append(item.path.rpartition(".")[2])
        return found

    def text(self, draft: Draft, value: Value | None, depth: int = 0) -> str:
        """The text of a value, through constants of the project; `{}` stands for what cannot be told."""
        if value is None or depth > _DEEPEST:
            return ""
        if isinstance(value, Literal):
            return value.value if isinstance(value.value, str) else ""
        if isinstance(value, Text):
            return "".join(self._part(draft, part, depth + 1) for part in value.parts)
        if isinstance(value, Operation) and value.operator == "+":
            return "".join(self._part(draft, part, depth + 1) for part in value.operands)
        if isinstance(value, Name):
            placed = self.value_of(self.identity(draft, value))
            if placed is not None and isinstance(placed[1], Literal | Text | Name):
                return self.text(*placed, depth + 1) or "{}"
        return "{}"

    def _part(self, draft: Draft, value: Value, depth: int) -> str:
        return (
            self.text(draft, value, depth)
            if isinstance(value, Literal)
            else self.text(draft, value, depth) or "{}"
        )

    def each(self, draft: Draft, value: Value) -> Iterator[Placed]:
        """The value itself, or what it is in turn when it hangs off the variable of a loop over a display."""
        head, _, rest = value.path.partition(".") if isinstance(value, Name) else ("", "", "")
        found = False
        for scope in draft.body.scopes if head else ():
            if scope.kind is ScopeKind.FOR and scope.head and scope.targets == (Name(head),):
                for home, item in self.items(draft, scope.head[0]):
                    if isinstance(item, Name):
                        found = True
                        yield home, Name(join(item.path, rest))
        if not found:
            yield draft, value

    def notable(self, draft: Draft) -> tuple[tuple[int, Target, Callable], ...]:
        """The calls that publish, mount, register or start something, and what is known of them."""
        if draft.notable is None:
            draft.notable = tuple(
                (index, target, library)
                for index, target in draft.targets.items()
                if (library := self.knowledge_of(target)) is not None
                and (library.route or library.mounts is not None or library.job or library.runs)
            )
        return draft.notable

    def knowledge_of(self, target: Target | None) -> Callable | None:
        """What a library says of a callable, also where a method of the project overrides it."""
        if target is None or target.library is not None:
            return target.library if target else None
        key = (target.name, target.receiver.name if target.receiver else "")
        if key not in self._overridden:
            self._overridden[key] = self._knowledge_above(target)
        return self._overridden[key]

    def _knowledge_above(self, target: Target) -> Callable | None:
        owner, _, method = target.name.rpartition(".")
        owners = [target.receiver.name] if target.receiver else []
        for name in (*owners, owner):
            if name in self.names.classes:
                for base in self.calls.classes.ancestry(name):
                    found = self.calls.knowledge.callable(join(base, method))
                    if found is not None and base not in self.names.classes:
                        return found
        return None

    def target_of(self, draft: Draft, value: Value | None) -> Target | None:
        """What a value used as a decorator, dependency or permission is: called or not."""
        if isinstance(value, Result):
            return draft.targets.get(value.call)
        known = self.calls.known(draft, value)
        if isinstance(known, Type):
            return Target(self.calls.callable_method(known), known, self.calls.knowledge.callable(known.name))
        return Target(known, None, self.calls.knowledge.callable(known)) if known else None


def at(draft: Draft, call: Call) -> Location:
    """Where a call stands."""
    return Location(draft.file.path, call.line, call.column, call.end_line, call.end_column)


def where(draft: Draft) -> Location:
    """Where a function or class is defined."""
    return Location(draft.file.path, draft.body.line, draft.body.column)
