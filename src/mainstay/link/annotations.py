"""What an annotation says about the type of a value."""

from collections.abc import Iterable

from mainstay.link.draft import Draft, Known
from mainstay.link.names import Names, join
from mainstay.model.code import Display, Literal, Name, Operation, Value
from mainstay.model.system import Type

PLAIN = Type("object")
CONTAINERS = frozenset(
    "list set tuple frozenset deque Sequence Iterable Iterator List Set Tuple Collection AsyncIterator "
    "Generator AsyncGenerator AsyncIterable".split()
)
WRAPPERS = frozenset(
    "Optional Annotated Final ClassVar Awaitable Coroutine Mapped Required NotRequired".split()
)


class Annotations:
    """Evaluates annotations, in the body that evaluates them at run time."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.knowledge = names.knowledge

    def injected(self, draft: Draft, values: tuple[Value, ...]) -> Known | None:
        """What a framework puts in for `Depends(...)`; told by `Values`, which knows the providers."""
        raise NotImplementedError

    def annotation(self, draft: Draft, value: Value | None, depth: int = 0) -> Known | None:
        """The type an annotation means, in the body that evaluates it."""
        if value is None or depth > 8:
            return None
        if isinstance(value, Literal) and isinstance(value.value, str):
            return self._annotation_text(draft, value.value, depth)
        if isinstance(value, Name):
            return self._annotation_name(draft, value.path, depth)
        if isinstance(value, Operation) and value.operator == "[]":
            return self._subscripted(draft, value, depth)
        if isinstance(value, Operation) and value.operator == "|":
            return self._either(draft, value.operands, depth)
        return None

    def _either(self, draft: Draft, options: Iterable[Value], depth: int) -> Known | None:
        """The first of several types; uncertain when another one is as likely."""
        found = [
            known for option in options if (known := self.annotation(draft, option, depth + 1)) is not None
        ]
        types = {known.name for known in found if isinstance(known, Type) and known is not PLAIN}
        first = found[0] if found else None
        if isinstance(first, Type) and len(types) > 1:
            return Type(first.name, first.argument, certain=False)
        return first

    def _annotation_text(self, draft: Draft, text: str, depth: int) -> Known | None:
        for part in text.split("|"):
            name = part.strip().removeprefix("Optional[").removesuffix("]")
            if name.replace(".", "").replace("_", "").isalnum() and name != "None":
                return self._annotation_name(draft, name, depth)
        return None

    def _annotation_name(self, draft: Draft, path: str, depth: int) -> Known | None:
        head, _, rest = path.partition(".")
        if head == "Self" and draft.owner:
            return Type(draft.owner)
        bound = self.names.lookup(draft, head)
        if bound is None:
            return PLAIN if head in ("str", "int", "float", "bool", "bytes", "dict") else None
        dotted = self.names.canonical(join(bound, rest))
        if dotted in self.names.variables:
            home, value, _ = self.names.variables[dotted]
            return self.annotation(home, value, depth + 1) if value is not None else None
        if dotted in self.names.classes or self.knowledge.type(dotted):
            return Type(dotted)
        last = dotted.rpartition(".")[2]
        return Type(dotted) if last[:1].isupper() and last not in ("Any", "None", "Callable") else None

    def _subscripted(self, draft: Draft, value: Operation, depth: int) -> Known | None:
        base, key = value.operands[0], value.operands[-1]
        inner = key.items if isinstance(key, Display) else (key,)
        last = base.path.rpartition(".")[2] if isinstance(base, Name) else ""
        if last == "Annotated" and inner:
            return self.annotation(draft, inner[0], depth + 1) or self.injected(draft, inner[1:])
        if last in WRAPPERS or last == "Union":
            return self._either(draft, reversed(inner) if last == "Coroutine" else inner, depth)
        if last in CONTAINERS and inner:
            item = self.annotation(draft, inner[0], depth + 1)
            return Type("list", item.name) if isinstance(item, Type) else Type("list")
        if last in ("type", "Type") and inner:
            item = self.annotation(draft, inner[0], depth + 1)
            return item.name if isinstance(item, Type) else None
        found = self.annotation(draft, base, depth + 1)
        if isinstance(found, Type) and inner and not found.argument:
            item = self.annotation(draft, inner[0], depth + 1)
            return Type(found.name, item.name) if isinstance(item, Type) else found
        return found
