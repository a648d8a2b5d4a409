"""What a requester can put into a parameter: text that may do harm, or a number that cannot."""

import re

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup
from mainstay.model.code import Assign, Call, Display, Literal, Name, Operation, Result, Value
from mainstay.model.system import Operation as Published

PLAIN = frozenset(
    """
    int float bool complex UUID UUID1 UUID3 UUID4 UUID5 datetime date time timedelta Decimal PositiveInt
    NegativeInt NonNegativeInt PositiveFloat NonNegativeFloat StrictInt StrictBool conint confloat Literal
    Enum StrEnum IntEnum AwareDatetime NaiveDatetime PastDate FutureDate EmailStr IPvAnyAddress ByteSize
    None NoneType ObjectId
    """.split()
)
TEXTUAL = frozenset(
    {"str", "Any", "object", "bytes", "AnyStr", "HttpUrl", "AnyUrl", "AnyHttpUrl", "dict", "Dict", "Mapping"}
)
WRAPPING = frozenset(
    {
        "Optional",
        "Union",
        "list",
        "List",
        "set",
        "Set",
        "tuple",
        "Sequence",
        "Iterable",
        "Mapped",
        "frozenset",
    }
)
_CONVERTERS = re.compile(
    r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>|{(\w+)(?::(\w+))?}|\(\?P<(\w+)>((?:[^()\\]|\\.)*)\)"
)
_HARMLESS_CONVERTERS = frozenset({"int", "float", "uuid", "slug", "id", "date"})


class Inputs:
    """Judges annotations as the project wrote them."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._names = lookup.names

    def may_be_text(self, draft: Draft, parameter: str, path: str) -> bool:
        """Whether a parameter, or its attribute `path`, may hold text of the requester's choice."""
        for each in draft.body.parameters:
            if each.name == parameter:
                home = draft.parent or draft
                if self._is_constrained(home, each.default):
                    return False
                return self._text(home, each.annotation, path)
        return False

    def is_plain(self, draft: Draft, parameter: str) -> bool:
        """Whether a parameter is annotated as something no text hides in."""
        for each in draft.body.parameters:
            if each.name == parameter:
                home = draft.parent or draft
                return each.annotation is not None and not self._text(home, each.annotation, "", unknown=True)
        return False

    def _text(
        self, home: Draft, annotation: Value | None, path: str, depth: int = 0, unknown: bool = False
    ) -> bool:
        if annotation is None or depth > 6:
            return True
        if isinstance(annotation, Literal):
            return annotation.value is not None and self._named(
                home, str(annotation.value).strip(), path, depth, unknown
            )
        if isinstance(annotation, Operation) and annotation.operator == "[]":
            return self._subscripted(home, annotation, path, depth, unknown)
        if isinstance(annotation, Operation):
            return any(self._text(home, each, path, depth + 1, unknown) for each in annotation.operands)
        if isinstance(annotation, Result):
            return not self._is_constrained(home, annotation)
        return (
            self._named(home, annotation.path, path, depth, unknown) if isinstance(annotation, Name) else True
        )

    def _subscripted(self, home: Draft, value: Operation, path: str, depth: int, unknown: bool) -> bool:
        base, key = value.operands[0], value.operands[-1]
        last = base.path.rpartition(".")[2] if isinstance(base, Name) else ""
        inner = key.items if isinstance(key, Display) else (key,)
        if last == "Annotated" and inner:
            constrained = any(self._is_constrained(home, each) for each in inner[1:])
            return not constrained and self._text(home, inner[0], path, depth + 1, unknown)
        if last == "Literal":
            return False
        if last in WRAPPING:
            return any(self._text(home, each, path, depth + 1, unknown) for each in inner)
        return self._text(home, base, path, depth + 1, unknown)

    def _named(self, home: Draft, text: str, path: str, depth: int, unknown: bool) -> bool:
        last = text.rpartition(".")[2].rpartition("[")[2].strip("]\"' ")
        if last in TEXTUAL:
            return not path or last not in ("str", "bytes")
        if last in PLAIN:
            return False
        name = self._lookup.identity(home, Name(text))
        if name in self._names.classes:
            return self._of_class(name, path, depth, unknown)
        placed = self._lookup.value_of(name)
        if placed is not None:
            return self._text(placed[0], placed[1], path, depth + 1, unknown)
        known = self._lookup.calls.knowledge.type(name)
        if known is not None and known.untrusted_attributes:
            return unknown or path.partition(".")[0] in known.untrusted_attributes
        return unknown

    def _of_class(self, name: str, path: str, depth: int, unknown: bool) -> bool:
        lineage = (name, *self._lookup.calls.classes.ancestry(name))
        if any(base.rpartition(".")[2] in ("Enum", "StrEnum", "IntEnum", "Flag") for base in lineage):
            return False
        if not path:
            return unknown
        head, _, rest = path.partition(".")
        for each in lineage:
            body = self._names.class_bodies.get(each)
            for statement in body.body.statements if body else ():
                if isinstance(statement, Assign) and statement.targets == (Name(head),) and body is not None:
                    if self._is_constrained(body, statement.value):
                        return False
                    return statement.annotation is not None and self._text(
                        body, statement.annotation, rest, depth + 1
                    )
        return False

    def _is_constrained(self, home: Draft, value: Value | None) -> bool:
        """`Query(pattern="^[a-z]+$")`, `Field(...)` and the like, where the pattern leaves no room."""
        call = home.body.statements[value.call] if isinstance(value, Result) else None
        if not isinstance(call, Call):
            return False
        for name in ("pattern", "regex"):
            pattern = call.keyword(name)
            if isinstance(pattern, Literal) and isinstance(pattern.value, str):
                text = pattern.value
                return text.startswith("^") and text.endswith("$") and not re.search(r"\.[*+]|\[\^", text)
        return False


def converters(published: Published) -> dict[str, str]:
    """The parameters in an operation's path, and what their converter or pattern lets through."""
    found = {}
    for match in _CONVERTERS.finditer(published.path):
        one, name, braced, other, group, pattern = match.groups()
        found[name or braced or group] = one or other or pattern or "str"
    return found


def harmless_in_path(converter: str) -> frozenset[str]:
    """The sinks for which a path parameter is harmless: one without a slash leads into no other folder."""
    every = frozenset({"sql", "url", "path", "redirect", "command", "html"})
    if converter in _HARMLESS_CONVERTERS or (
        converter and not re.search(r"[.^]", converter) and "\\" in converter
    ):
        return every
    if converter == "path" or ".*" in converter or ".+" in converter:
        return frozenset()
    return frozenset({"path", "redirect"})
