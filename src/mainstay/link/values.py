"""What a value is: the type of an instance, or the thing a dotted name means."""

import builtins

from mainstay.link.annotations import CONTAINERS, PLAIN, Annotations
from mainstay.link.classes import Classes
from mainstay.link.draft import Draft, Known
from mainstay.link.hints import Hints
from mainstay.link.names import Names, join
from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Code,
    Display,
    Literal,
    Name,
    Operation,
    Parameter,
    Result,
    Text,
    Value,
)
from mainstay.model.library import Callable, Place
from mainstay.model.system import Target, Type

PROPERTIES = ("property", "cached_property")
FURTHEST = 40  # variables that hold each other, followed
BUILTINS = frozenset(dir(builtins))


class Values(Annotations):
    """Evaluates the values of drafts.  Calls must have been resolved in order before (`Calls`)."""

    def __init__(self, names: Names, classes: Classes) -> None:
        super().__init__(names)
        self.classes = classes
        classes.path = self.path
        self.attributes: dict[str, dict[str, Known]] = {}  # class -> attribute -> what it holds
        self._assigners = self._find_assigners()
        self._variables: dict[str, Known | None] = {}
        self._hops = 0
        self._members: dict[tuple[Known, str], Known | None] = {}
        self._hints = Hints(names)

    def resolve(self, draft: Draft) -> None:
        """Resolve the calls of a body; set by `Calls`, which needs the values in turn."""
        raise NotImplementedError

    def decorate(self, draft: Draft) -> None:
        """Resolve the decorators of a function; set by `Calls` too."""
        raise NotImplementedError

    def _find_assigners(self) -> dict[tuple[str, str], list[Draft]]:
        """Class and attribute -> the methods that assign `self.attribute`."""
        found: dict[tuple[str, str], list[Draft]] = {}
        for draft in self.names.functions.values():
            if not draft.owner or draft.body.kind != "function":
                continue
            for statement in draft.body.statements:
                if isinstance(statement, Assign):
                    for target in statement.targets:
                        if isinstance(target, Name) and target.path.startswith("self."):
                            drafts = found.setdefault((draft.owner, target.path[5:]), [])
                            if draft not in drafts:
                                drafts.append(draft)
        return found

    # --- values -----------------------------------------------------------------------------------

    def known(self, draft: Draft, value: Value | None) -> Known | None:
        """What `value` is, as read in that body; None when nothing tells."""
        if isinstance(value, Name):
            return self.path(draft, value.path)
        if isinstance(value, Result):
            return draft.results.get(value.call)
        if isinstance(value, Attribute):
            return self.below(self.known(draft, value.base), value.path)
        if isinstance(value, Code):
            return self._lambda(draft, value)
        if isinstance(value, Operation):
            return self._operation(draft, value)
        if isinstance(value, Display | Text | Literal):
            return self._display(draft, value)
        return None

    def _display(self, draft: Draft, value: Display | Text | Literal) -> Known | None:
        if isinstance(value, Literal) and value.value is None:
            return None
        if isinstance(value, Display) and value.kind != "dict" and value.items:
            item = self.known(draft, value.items[0])
            if isinstance(item, Type):
                return Type("list", item.name)
        return PLAIN

    def _operation(self, draft: Draft, value: Operation) -> Known | None:
        if value.operator in ("or", "and", "if"):
            for operand in value.operands[1:] if value.operator == "if" else value.operands:
                found = self.known(draft, operand)
                if found is not None and found is not PLAIN:
                    return found
            return None
        if value.operator == "await":
            return self.known(draft, value.operands[-1])
        if value.operator == "/" and value.operands:  # `folder / name`
            base = self.known(draft, value.operands[0])
            return base if isinstance(base, Type) and base.name.startswith("pathlib.") else None
        if value.operator == "[]" and value.operands:
            base = self.known(draft, value.operands[0])
            key = value.operands[-1]
            if isinstance(base, Type):
                sliced = isinstance(key, Operation) and key.operator == ":"
                return base if sliced else self.element(base)
        return None

    def _lambda(self, draft: Draft, value: Code) -> str:
        body = draft.file.module.bodies[value.body]
        name = join(draft.file.name, body.qualname)
        at_line = f"{name}@{body.line}"
        return at_line if at_line in self.names.functions else name

    def path(self, draft: Draft, path: str) -> Known | None:
        """What a dotted path read in that body is."""
        head, _, rest = path.partition(".")
        found = self._head(draft, head)
        if found is None:
            found = self._hints.of(head, draft.file.name)
        return self.below(found, rest) if rest else found

    def _head(self, draft: Draft, head: str) -> Known | None:
        scope: Draft | None = draft
        while scope is not None and scope.index:  # the module's own variables come last
            if head in scope.env and (scope is draft or scope.body.kind != "class"):
                return scope.env[head]
            if (head in scope.locals or head in scope.bound) and (
                scope is draft or scope.body.kind != "class"
            ):
                break
            scope = scope.parent
        if scope is not None and scope.index and head in scope.bound and head not in scope.locals:
            return None  # a local of unknown type hides whatever has its name outside
        bound = self.names.lookup(draft, head)
        if bound is None:
            return head if head in BUILTINS else None
        return self.held(bound)

    def held(self, dotted: str) -> Known | None:
        """What a global name holds: a variable's value, or the named thing itself."""
        if dotted not in self.names.variables:
            return self._of_module(dotted)
        if dotted not in self._variables:
            if self._hops > FURTHEST:
                return None
            self._hops += 1
            self._variables[dotted] = None  # a variable defined by itself ends here
            draft, value, annotation = self.names.variables[dotted]
            self.resolve(draft)
            found = self.annotation(draft, annotation) if annotation is not None else None
            if found is None:
                found = self.known(draft, value)
            self._variables[dotted] = found
            self._hops -= 1
        return self._variables[dotted]

    def _of_module(self, dotted: str) -> Known:
        """What a library's module holds under a name: an object of a known type, or the thing itself."""
        module, _, name = dotted.rpartition(".")
        known = self.knowledge.type(module) if module else None
        return Type(known.attributes[name]) if known and name in known.attributes else dotted

    # --- attributes -------------------------------------------------------------------------------

    def below(self, base: Known | None, path: str) -> Known | None:
        """What the dotted attributes `path` of `base` are."""
        for name in path.split("."):
            if base is None:
                return None
            base = self.member(base, name)
        return base

    def member(self, base: Known, name: str) -> Known | None:
        """What the attribute `name` of `base` is; a method is its dotted name."""
        key = (base, name)
        if key not in self._members:
            self._members[key] = None
            found = self._class_member(base, name) if isinstance(base, str) else self._member(base, name)
            if found is None:
                found = self._hinted(base, name)
            self._members[key] = found
        return self._members[key]

    def _hinted(self, base: Known, name: str) -> Type | None:
        """What an attribute likely is by its name; on a class, it is about that class."""
        home = self.names.classes.get(base.name if isinstance(base, Type) else base)
        hint = self._hints.of(name, home[0].name if home else "")
        if isinstance(base, Type) or hint is None:
            return hint
        return Type(hint.name, base, certain=False) if base in self.names.classes else None

    def _class_member(self, base: str, name: str) -> Known | None:
        if base in self.names.classes:
            method = self.classes.methods(base).get(name)
            if method:
                return method
            return self._attribute(base, name) or self._inherited(base, name, owner=base)
        if base in self.names.functions and base not in self.names.files:
            becomes = self.decorated_type(base)
            return self.member(becomes, name) if becomes else None
        known = self.knowledge.type(base)
        if known:
            found = self._library_attribute(base, name, Type(base), owner=base)
            if found is not None:
                return found
        dotted = self.names.canonical(f"{base}.{name}")
        return self.held(dotted)

    def decorated_type(self, function: str) -> Type | None:
        """The type that a decorator gives a function: a task's, a command's."""
        draft = self.names.functions[function]
        if not draft.body.decorators or draft.parent is None:
            return None
        self.resolve(draft.parent)
        self.decorate(draft)
        for target in draft.decorators:
            if target.library and target.library.job and target.library.job.becomes:
                return Type(target.library.job.becomes, function)
        return None

    def _member(self, base: Type, name: str) -> Known | None:
        if base.name in self.names.classes:
            method = self.classes.methods(base.name).get(name)
            if method:
                return self._property(method) or method
            return self._attribute(base.name, name) or self._inherited(base.name, name, owner=base.name)
        return self._library_attribute(base.name, name, base, owner=base.argument or base.name)

    def _property(self, method: str) -> Known | None:
        draft = self.names.functions[method]
        for decorator in draft.body.decorators:
            if isinstance(decorator, Name) and decorator.path.rpartition(".")[2] in (
                "property",
                "cached_property",
            ):
                return self.returned(draft) or PLAIN
        return None

    def _attribute(self, owner: str, name: str) -> Known | None:
        """What `self.name` of a class holds, by its class body, then by the methods that assign it."""
        for each in (owner, *self.classes.ancestry(owner)):
            if each not in self.names.classes:
                continue
            self.resolve(self.names.class_bodies[each])
            found = self.attributes.get(each, {}).get(name) or self.names.class_bodies[each].env.get(name)
            if found is None:
                for draft in self._assigners.get((each, name), ()):
                    self.resolve(draft)
                found = self.attributes.get(each, {}).get(name)
            if found is not None:
                if isinstance(found, Type) and not found.argument and self._is_manager(found):
                    return Type(found.name, owner)
                return found
        return None

    def _is_manager(self, found: Type) -> bool:
        """Whether an attribute's type queries the table it is declared on (a custom manager)."""
        ancestors = self.classes.ancestry(found.name) if found.name in self.names.classes else (found.name,)
        known = (self.knowledge.type(name) for name in ancestors)
        return any(each and (each.loads or each.iterates == "item") for each in known)

    def _inherited(self, name: str, attribute: str, owner: str) -> Known | None:
        """What a library's base gives a class; for a mixin, a base of the classes it is mixed into."""
        for each in (name, *self.classes.heirs(name)):
            for base in self.classes.ancestry(each):
                if base not in self.names.classes:
                    found = self._library_attribute(base, attribute, Type(name), owner)
                    if found is not None:
                        return found
        return None

    def _library_attribute(self, base: str, name: str, receiver: Type, owner: str) -> Known | None:
        for ancestor in self.knowledge.ancestry(base):
            known = self.knowledge.type(ancestor)
            if known and name in known.attributes:
                return self.expression(known.attributes[name], receiver, owner, None, None)
        dotted = f"{base}.{name}"
        return dotted if self.knowledge.callable(dotted) else None

    # --- type expressions of knowledge files --------------------------------------------------------

    def expression(
        self, text: str, receiver: Type | None, owner: str, draft: Draft | None, call: Call | None
    ) -> Known | None:
        """The type that an expression of a knowledge file means at a call (see `model.library`)."""
        head, _, argument = text.partition("[")
        if argument:
            inner = self._expression_name(argument.removesuffix("]"), receiver, owner, draft, call)
            held = inner.argument or inner.name if isinstance(inner, Type) else inner or ""
            return Type(head, held)
        return self._expression_name(head, receiver, owner, draft, call)

    def _expression_name(
        self, text: str, receiver: Type | None, owner: str, draft: Draft | None, call: Call | None
    ) -> Known | None:
        if text == "self":
            return receiver
        if text == "item":
            return Type(receiver.argument) if receiver and receiver.argument else None
        if text == "owner":
            return Type(owner)
        word, _, place = text.partition(":")
        if place:
            if draft is None or call is None:
                return None
            value = call.argument(*_place(int(place) if place.isdigit() else place))
            if word == "new":
                return self._made_of(draft, value)
            found = self.known(draft, value)
            if word == "item":
                return Type(found.argument) if isinstance(found, Type) and found.argument else None
            return found
        return Type(text)

    def _made_of(self, draft: Draft, value: Value | None, depth: int = 0) -> Known | None:
        """The class that a value names, as type: `Order`, `Order.id`, or `func.max(Order.number)`."""
        if isinstance(value, Name) and "." in value.path:
            holder = self.path(draft, value.path.rpartition(".")[0])
            if isinstance(holder, str) and holder in self.names.classes:
                return Type(holder)
        if isinstance(value, Result) and depth < 4:
            call = draft.body.statements[value.call]
            for argument in call.arguments if isinstance(call, Call) else ():
                found = self._made_of(draft, argument, depth + 1)
                if isinstance(found, Type) and found.name in self.names.classes:
                    return found
        found = self.known(draft, value)
        return Type(found) if isinstance(found, str) else found

    def ancestry(self, name: str) -> tuple[str, ...]:
        """The bases of a class of the project; of any other none."""
        return self.classes.ancestry(name) if name in self.names.classes else ()

    def element(self, base: Type) -> Known | None:
        """What a loop over an instance of `base` gives."""
        if base.name.rpartition(".")[2] in CONTAINERS:
            return Type(base.argument) if base.argument else None
        names = (
            [base.name, *self.classes.ancestry(base.name)] if base.name in self.names.classes else [base.name]
        )
        for name in names:
            for ancestor in self.knowledge.ancestry(name):
                known = self.knowledge.type(ancestor)
                if known and known.iterates:
                    return self.expression(known.iterates, base, base.argument, None, None)
        return None

    # --- parameters, returns and injection ------------------------------------------------------------

    def parameter(self, draft: Draft, position: int, parameter: Parameter) -> Known | None:
        """What a parameter of the function holds: by annotation, injection, or being `self`."""
        home = draft.parent or draft
        if (
            position == 0
            and draft.owner
            and parameter.name in ("self", "cls", "mcs")
            and home.body.kind == "class"
        ):
            return Type(draft.owner) if parameter.name == "self" else draft.owner
        found = self.annotation(home, parameter.annotation)
        if found is not None and found is not PLAIN and parameter.kind in ("args", "kwargs"):
            return PLAIN
        if found is None and parameter.default is not None:
            found = self.injected(home, (parameter.default,))
        return found

    def injected(self, draft: Draft, values: tuple[Value, ...]) -> Known | None:
        for provider in self.providers(draft, values):
            if provider in self.names.classes:
                return Type(provider)
            function = self.names.functions.get(provider)
            if function:
                return self.returned(function)
        return None

    def providers(self, draft: Draft, values: tuple[Value, ...]) -> list[str]:
        """The dotted names of what a framework calls to fill a parameter (`Depends(get_db)`)."""
        found = []
        self.resolve(draft)
        for value in values:
            target = draft.targets.get(value.call) if isinstance(value, Result) else None
            if target and target.library and target.library.injects is not None and isinstance(value, Result):
                call = draft.body.statements[value.call]
                given = call.argument(*_place(target.library.injects)) if isinstance(call, Call) else None
                provider = self.known(draft, given)
                if isinstance(provider, str):
                    found.append(provider)
                elif isinstance(provider, Type):
                    found.append(self.callable_method(provider))
        return found

    def callable_method(self, instance: Type) -> str:
        """The dotted name of what runs when an instance is called."""
        if instance.name in self.names.classes:
            return self.classes.methods(instance.name).get("__call__", instance.name)
        return f"{instance.name}.__call__"

    def returned(self, draft: Draft) -> Known | None:
        """What calling the function gives (for a generator: what it yields)."""
        found = self.annotation(draft.parent or draft, draft.body.returns)
        if draft.body.is_generator:
            if isinstance(found, Type) and found.name == "list" and found.argument:
                return Type(found.argument)
            self.resolve(draft)
            return draft.yielded
        if found is None:
            self.resolve(draft)
            found = draft.returned
        return found


def _place(place: Place) -> tuple[int | None, str]:
    if isinstance(place, int):
        return place, ""
    if isinstance(place, str):
        return None, place
    return place


def given(call: Call, place: Place) -> Value | None:
    """The value of a call at a place of a knowledge file."""
    return call.argument(*_place(place))


def method_target(values: Values, receiver: Type, name: str) -> Target | None:
    """What calling `receiver.name(...)` means."""
    found = values.member(receiver, name)
    if isinstance(found, str):
        library: Callable | None = None
        if found not in values.names.functions:
            library = values.knowledge.callable(found)
        return Target(found, receiver, library, receiver.certain)
    if isinstance(found, Type):
        method = values.callable_method(found)
        return Target(method, found, values.knowledge.callable(method), receiver.certain and found.certain)
    return None
