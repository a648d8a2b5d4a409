"""`amount: money > 0`: what an entity's fields hold."""

import re
from collections.abc import Sequence

from mainstay.model.specification import Field, FieldKind, Limit
from mainstay.sources.specification.amounts import seconds
from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.nodes import Text
from mainstay.sources.specification.phrases import Phrase

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
SIGNS = ("<=", ">=", "<", ">", "=")
PLAIN = tuple(
    kind.value for kind in FieldKind if kind not in (FieldKind.ENUM, FieldKind.REFERENCE, FieldKind.TEXT)
)
TYPES = ("text(N)", *PLAIN, "enum(a, b)", "the name of an entity")
MARKS = ("unique", "optional", "secret", "hashed", "internal", "personal", "keep", "default", *SIGNS)
LONGEST = 10_000  # characters; what is longer is a document, and belongs elsewhere
NUMBERS = (FieldKind.INTEGER, FieldKind.MONEY)
RESERVED = ("created_at", "tenant_id")  # every row has them


def field(name: Text, phrase: Phrase, entities: Sequence[str], faults: Faults) -> Field | None:
    """The field that the phrase describes; None, and a fault, when it describes none."""
    if not NAME.fullmatch(name.value):
        said = f"`{name.value}` is no name for a field; write small letters, digits and `_`: `payer_email`."
        faults.add(name.location, said)
        return None
    if name.value in RESERVED:
        faults.add(
            name.location, f"every row has a `{name.value}` of its own; leave it out, or name it otherwise."
        )
        return None
    kind = _Kind(name, phrase, entities, faults)
    if kind.kind is None:
        return None
    found = Field(
        name.value,
        kind.kind,
        name.location,
        length=kind.length,
        values=kind.values,
        entity=kind.entity,
    )
    return _marked(found, phrase, faults)


class _Kind:
    """The type at the beginning of a field's phrase."""

    def __init__(self, name: Text, phrase: Phrase, entities: Sequence[str], faults: Faults) -> None:
        self.kind: FieldKind | None = None
        self.length: int | None = None
        self.values: tuple[str, ...] = ()
        self.entity = ""
        word = phrase.take()
        if not word.value:
            faults.add(name.location, f"`{name.value}` says nothing; write its type: {', '.join(TYPES)}.")
        elif word.value == FieldKind.TEXT:
            self._text(phrase, faults)
        elif word.value == FieldKind.ENUM:
            self._enum(phrase, faults)
        elif word.value in PLAIN:
            self.kind = FieldKind(word.value)
        elif word.value in entities:
            self.kind, self.entity = FieldKind.REFERENCE, word.value
        else:
            faults.unknown(word.location, "type", word.value, (*PLAIN, "text", "enum", *entities))

    def _text(self, phrase: Phrase, faults: Faults) -> None:
        place = phrase.place
        length = phrase.peek(1)
        if phrase.peek() != "(" or phrase.peek(2) != ")" or not length.isdecimal():
            faults.add(place, "a text needs its greatest length; write `text(200)`.")
            return
        for _ in range(3):
            phrase.take()
        if not 0 < int(length) <= LONGEST:
            faults.add(place, f"a text has 1 to {LONGEST} characters, not {length}; write `text(200)`.")
            return
        self.kind, self.length = FieldKind.TEXT, int(length)

    def _enum(self, phrase: Phrase, faults: Faults) -> None:
        place = phrase.place
        values: list[str] = []
        if phrase.took("("):
            while not phrase.over and phrase.peek() != ")":
                values.append(phrase.take().value)
                phrase.took(",")
        if not phrase.took(")") or not values or not all(NAME.fullmatch(value) for value in values):
            faults.add(place, "an enum names its values; write `enum(pending, done)`.")
            return
        if len(set(values)) < len(values):
            faults.add(place, "a value of this enum stands there twice; keep one.")
            return
        self.kind, self.values = FieldKind.ENUM, tuple(values)


def _marked(found: Field, phrase: Phrase, faults: Faults) -> Field | None:
    """The field with what is said behind its type."""
    flags = dict.fromkeys(("unique", "optional", "secret", "hashed", "internal", "personal"), False)
    limits: list[Limit] = []
    keep: float | None = None
    default: str | None = None
    while not phrase.over:
        word = phrase.take()
        if word.value in flags:
            flags[word.value] = True
        elif word.value in SIGNS:
            limit = _limit(found, word.value, phrase, faults)
            if limit is None:
                return None
            limits.append(limit)
        elif word.value == "keep":
            length = phrase.take()
            keep = seconds(Text(length.location, length.value), faults)
        elif word.value == "default":
            default = _default(found, phrase, faults)
        else:
            faults.unknown(word.location, "word behind a type", word.value, MARKS)
            return None
    return Field(
        found.name,
        found.kind,
        found.location,
        length=found.length,
        values=found.values,
        entity=found.entity,
        unique=flags["unique"],
        optional=flags["optional"],
        secret=flags["secret"],
        hashed=flags["hashed"],
        internal=flags["internal"],
        personal=flags["personal"],
        keep=keep,
        limits=tuple(limits),
        default=default,
    )


def _limit(found: Field, operator: str, phrase: Phrase, faults: Faults) -> Limit | None:
    value = phrase.take()
    if found.kind not in NUMBERS:
        said = (
            f"{found.kind.value} has no greater and smaller; compare fields with `rule: starts_at < ends_at`."
        )
        faults.add(value.location, said)
        return None
    if not re.fullmatch(r"-?\d+", value.value):
        faults.add(
            value.location, f"`{operator}` needs a whole number behind it: `{found.kind.value} {operator} 0`."
        )
        return None
    return Limit(operator, value.value)


DEFAULTS = {  # what a default looks like, by its kind
    FieldKind.INTEGER: (re.compile(r"-?\d+"), "0"),
    FieldKind.MONEY: (re.compile(r"-?\d+"), "0"),
    FieldKind.BOOLEAN: (re.compile(r"true|false"), "false"),
    FieldKind.TIME: (re.compile(r"now"), "now"),
    FieldKind.DATE: (re.compile(r"\d{4}-\d\d-\d\d"), "2026-01-31"),
}
NEVER = (FieldKind.UUID, FieldKind.REFERENCE, FieldKind.EMAIL, FieldKind.URL)


def _default(found: Field, phrase: Phrase, faults: Faults) -> str | None:
    value = phrase.take()
    if found.kind in NEVER:
        faults.add(value.location, f"a default makes no sense for {found.kind}; leave it out.")
        return None
    shape, example = DEFAULTS.get(found.kind, (None, ""))
    if shape is not None and not shape.fullmatch(value.value):
        faults.add(value.location, f"`{value.value}` is no {found.kind}; write `default {example}`.")
        return None
    if found.kind is FieldKind.ENUM and value.value not in found.values:
        faults.unknown(value.location, "value of this enum", value.value, found.values)
        return None
    if not value.value:
        faults.add(value.location, "`default` needs a value behind it.")
        return None
    return value.value
