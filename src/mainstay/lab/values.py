"""Example values for schemas: the same ones each time, as small as the schema allows."""

import math
import re
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct, structs

from mainstay.lab.matching import fits, matching
from mainstay.model.api import Api, Schema

_DEEPEST = 12
_LONGEST = 10_000  # characters of a text that a schema asks for
_FORMATS = {
    "uuid": "7f9c24e5-2f6a-4e0b-8a57-3b1d0c9e6f42",
    "date-time": "2026-01-15T12:00:00Z",
    "date": "2026-01-15",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uri-reference": "/example",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "ZXhhbXBsZQ==",
    "binary": "example",
    "decimal": "1.00",
}
_NAMED = {  # what a text of such a name usually has to be, whatever its schema leaves open
    "email": "someone@example.com",
    "password": "Example-Passw0rd-1",
    "currency": "EUR",
    "country": "DE",
    "language": "en",
    "locale": "en_GB",
    "timezone": "UTC",
    "phone": "+12025550123",
    "url": "https://example.com/",
    "uri": "https://example.com/",
    "zip": "10115",
    "postcode": "10115",
    "amount": "1.00",
    "price": "1.00",
}
_LATER = {"until", "to", "end", "ends", "before", "stop", "finish"}  # of two times, the second
_MUCH_LATER = {"expires", "expiry", "expiration", "due", "deadline"}
_WORDS = (
    "example",
    "a",
    "1",
    "EUR",
    "example-0001",
    "someone@example.com",
    "https://example.com/",
    "2026-01-15",
)


class NoExample(Exception):
    """No value can be thought of for a schema; the message says for which and why."""


def literally(value: Any) -> Any:
    """A value as it is."""
    return value


def nothing(name: str, schema: Schema) -> Any:
    """No wish for any property."""
    return UNSET


class Values(Struct, frozen=True):
    """Makes example values.

    `wish` is asked first for every named property, with its flat schema: what it answers is taken as it is,
    unless it is UNSET.  `quoted` is applied to every other text.  With `answers`, they are what a server
    says: all properties but the write-only ones; without, what it is told: the required but the read-only.
    """

    api: Api
    wish: Callable[[str, Schema], Any] = nothing
    quoted: Callable[[Any], Any] = literally
    answers: bool = False

    def value(self, schema: Schema, name: str = "the value", given: Any = UNSET, depth: int = 0) -> Any:
        """A value for a schema; `given` is its author's own example, if there is one.  Raises NoExample."""
        if depth > _DEEPEST:
            raise NoExample(f"{name} is nested in itself")
        schema = flat(self.api, schema)
        wished = self.wish(name, schema) if depth else UNSET
        if wished is not UNSET:
            return wished
        if schema.enum is not None:
            return self._listed(schema, name)
        if schema.any_of:
            return self._any(schema, name, given, depth)
        kind = kind_of(schema)
        known = (given, *schema.examples) if given is not UNSET else schema.examples
        if kind == "object" and (schema.properties or schema.required):
            return self._object(
                schema, name, next((each for each in known if isinstance(each, dict)), {}), depth
            )
        for each in known:
            if allowed(schema, each):
                return self.quoted(each)
        return self._made(schema, kind, name, depth)

    def _listed(self, schema: Schema, name: str) -> Any:
        for each in schema.enum or ():
            if each is not None:
                return self.quoted(each)
        if schema.enum:
            return None
        raise NoExample(f"{name} may have no value at all")

    def _any(self, schema: Schema, name: str, given: Any, depth: int) -> Any:
        problem = NoExample(f"{name} may be null only")
        rest = structs.replace(schema, any_of=())
        for each in schema.any_of:
            choice = flat(self.api, each)
            if choice.types != ("null",):
                try:
                    return self.value(together(rest, choice), name, given, depth + 1)
                except NoExample as error:
                    problem = error
        raise problem

    def _made(self, schema: Schema, kind: str, name: str, depth: int) -> Any:
        match kind:
            case "object":
                return {}
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number":
                return number(schema, kind == "integer", name)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self.quoted(text(schema, name))

    def _object(self, schema: Schema, name: str, given: dict[str, Any], depth: int) -> dict[str, Any]:
        made = {}
        for key in dict.fromkeys((*schema.required, *(schema.properties if self.answers else ()))):
            inner = schema.properties.get(key) or schema.additional or Schema()
            if self._left_out(inner):
                continue
            try:
                made[key] = self.value(inner, key, given.get(key, UNSET), depth + 1)
            except NoExample:
                if key in schema.required:
                    raise
        return made

    def _left_out(self, schema: Schema) -> bool:
        resolved = self.api.resolved(schema)
        return resolved.write_only if self.answers else resolved.read_only

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        least, most = schema.min_items, schema.max_items
        if (most is not None and most < least) or least > 1000:
            raise NoExample(f"{name} cannot hold {least} things")
        wanted = max(least, 1 if most is None or most >= 1 else 0)
        try:
            return [self.value(schema.items or Schema(), name, depth=depth + 1) for _ in range(wanted)]
        except NoExample:
            if least:
                raise
            return []


def flat(api: Api, schema: Schema, depth: int = 0) -> Schema:
    """The schema without a reference, and with all that it is made of in one."""
    schema = api.resolved(schema)
    if not schema.all_of or depth > _DEEPEST:
        return schema
    made = structs.replace(schema, all_of=())
    for each in schema.all_of:
        made = together(made, flat(api, each, depth + 1))
    return made


def choice(api: Api, schema: Schema) -> Schema:
    """The first thing but null that a schema offers, flat."""
    schema = flat(api, schema)
    for each in schema.any_of:
        offered = flat(api, each)
        if offered.types != ("null",):
            return offered
    return schema


def together(one: Schema, other: Schema) -> Schema:
    """A schema of values that both allow, nearly: of two patterns or formats the first counts."""
    changed: dict[str, Any] = {
        "properties": {**other.properties, **one.properties},
        "required": tuple(dict.fromkeys((*one.required, *other.required))),
        "types": tuple(kind for kind in one.types if kind in other.types) or other.types or one.types,
        "examples": (*one.examples, *other.examples),
        "closed": one.closed or other.closed,
        "min_length": max(one.min_length, other.min_length),
        "min_items": max(one.min_items, other.min_items),
        "any_of": one.any_of or other.any_of,
        "all_of": (*one.all_of, *other.all_of),
        "read_only": one.read_only or other.read_only,
        "write_only": one.write_only or other.write_only,
    }
    for field, better in (
        ("minimum", max),
        ("exclusive_minimum", max),
        ("maximum", min),
        ("exclusive_maximum", min),
        ("max_length", min),
        ("max_items", min),
    ):
        bounds = [bound for bound in (getattr(one, field), getattr(other, field)) if bound is not None]
        changed[field] = better(bounds) if bounds else None
    for field in ("format", "enum", "additional", "items", "multiple_of", "pattern"):
        mine = getattr(one, field)
        changed[field] = getattr(other, field) if mine is None or mine == "" else mine
    return structs.replace(one, **changed)


def kind_of(schema: Schema) -> str:
    """The type of a value, guessed from what else is said where none is."""
    for kind in schema.types:
        if kind != "null":
            return kind
    if schema.types:
        return "null"
    if schema.properties or schema.additional or schema.required:
        return "object"
    if schema.items or schema.min_items or schema.max_items is not None:
        return "array"
    bounds = (schema.minimum, schema.maximum, schema.exclusive_minimum, schema.exclusive_maximum)
    if schema.multiple_of is not None or any(bound is not None for bound in bounds):
        return "number"
    return "string"


def allowed(schema: Schema, value: Any) -> bool:
    """Whether a value is what a flat schema asks for, as far as is told from the value itself."""
    match value:
        case None:
            return "null" in schema.types
        case bool():
            return kind_of(schema) == "boolean" or not schema.types
        case int() | float():
            return not schema.types or any(
                kind == "number" or (kind == "integer" and value == int(value)) for kind in schema.types
            )
        case str():
            shortest, longest = schema.min_length, schema.max_length
            right_length = shortest <= len(value) and (longest is None or len(value) <= longest)
            return (
                (not schema.types or "string" in schema.types)
                and right_length
                and fits(value, schema.pattern)
            )
        case list():
            return not schema.types or "array" in schema.types
        case _:
            return not schema.types or "object" in schema.types


def number(schema: Schema, whole: bool, name: str) -> int | float:
    """The smallest number from 1 on that the schema allows, or the one nearest to it; raises NoExample."""
    step = schema.multiple_of or (1 if whole else 0)
    low, high = -math.inf, math.inf
    for bound in (schema.minimum, schema.exclusive_minimum):
        low = low if bound is None else max(low, bound)
    for bound in (schema.maximum, schema.exclusive_maximum):
        high = high if bound is None else min(high, bound)
    wanted = min(max(1.0, low), high)
    if step > 0:
        rounded = [edge * step for edge in (math.ceil(wanted / step), math.floor(wanted / step))]
        tried = [*rounded, rounded[0] + step, rounded[1] - step]
    else:
        tried = [wanted, (low + high) / 2, wanted + 1, wanted - 1]
    for each in tried:
        if math.isfinite(each) and _within(schema, each):
            return int(each) if whole or each == int(each) else each
    raise NoExample(f"no number is allowed for {name}")


def _within(schema: Schema, value: float) -> bool:
    return (
        (schema.minimum is None or value >= schema.minimum)
        and (schema.maximum is None or value <= schema.maximum)
        and (schema.exclusive_minimum is None or value > schema.exclusive_minimum)
        and (schema.exclusive_maximum is None or value < schema.exclusive_maximum)
    )


def text(schema: Schema, name: str) -> str:
    """A text of the schema's format, pattern and length; raises NoExample."""
    shortest, longest = schema.min_length, schema.max_length
    if shortest > _LONGEST or (longest is not None and longest < shortest):
        raise NoExample(f"no text is allowed for {name}")
    known = _of_format(schema.format, name)
    named = [word for key, word in _NAMED.items() if key in words(name)]
    for word in (known,) if known is not None else (*named, *_WORDS):
        fitted = word if known is not None else _fitted(word, shortest, longest)
        if allowed(Schema(min_length=shortest, max_length=longest, pattern=schema.pattern), fitted):
            return fitted
    made = matching(schema.pattern, shortest, longest) if schema.pattern and known is None else None
    if made is None:
        raise NoExample(f"no text for {name} is known that has its pattern or format")
    return made


def words(name: str) -> list[str]:
    """The words of a name in lower case: `orderId`, `order_id` and `Order-Id` are of the same two."""
    return re.findall(r"[a-z]+|[0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


def _of_format(form: str, name: str) -> str | None:
    known = _FORMATS.get(form)
    if known is not None and form in ("date-time", "date"):
        if _MUCH_LATER.intersection(words(name)):
            return known.replace("2026", "2099")
        if _LATER.intersection(words(name)):
            return known.replace("-15", "-16")
    return known


def _fitted(word: str, shortest: int, longest: int | None) -> str:
    longer = word if len(word) >= shortest else (word + "x" * (shortest - len(word)))
    return longer if longest is None else longer[:longest]
