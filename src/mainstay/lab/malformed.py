"""Broken requests for an operation: none of them may end in a 500 or show how the service is built."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import UNSET, Struct

from mainstay.lab.values import NoExample, Values, flat, kind_of
from mainstay.model.api import Api, ApiOperation, Media, Parameter, Schema

_PROPERTIES = 12  # of one body that are broken one by one
_LONG = 100_000  # characters
_DEEP = 20_000  # lists within one another
_HUGE = 10**400  # no machine number holds it
_UNKNOWN = "0f8fad5b-d9cb-469f-a165-70867728950e"
_FORM = "application/x-www-form-urlencoded"
_LONE = "\ud800"  # half of a pair: JSON can say it, UTF-8 cannot


class Malformed(Struct, frozen=True):
    """A request that is wrong in one way."""

    operation: str  # "POST /orders"
    what: str  # "`amount` is a number of 401 digits"
    method: str
    path: str  # with its query, ready to be sent
    headers: dict[str, str] = {}  # beside those of the actor
    body: bytes | None = None


def malformed(
    api: Api, operation: ApiOperation, known: Mapping[str, str] | None = None
) -> Iterator[Malformed]:
    """The catalogue for one operation.

    `known` has right values for parameters and fields ("order_id"), with which the service gets as far as
    the one that is broken; without them, there are ids that nobody has.
    """
    return iter(_Catalogue(api, operation, known or {}).all())


def well_formed(api: Api, operation: ApiOperation, known: Mapping[str, str] | None = None) -> Malformed:
    """The request that the catalogue breaks: nothing is wrong with it, as far as the description tells."""
    return _Catalogue(api, operation, known or {}).right()


class _Catalogue:
    """One operation's request, and the ways to break it."""

    def __init__(self, api: Api, operation: ApiOperation, known: Mapping[str, str]) -> None:
        self._api = api
        self._operation = operation
        self._known = known
        self._values = Values(api, lambda name, _: known.get(name, UNSET))
        self._path = {each.name: self._right(each) for each in operation.parameters if each.where == "path"}
        self._query = {each.name: self._right(each) for each in self._required("query")}
        self._headers = {each.name: self._right(each) for each in self._required("header")}

    def right(self) -> Malformed:
        return self._sent("nothing is wrong")

    def all(self) -> Iterator[Malformed]:
        yield from self._in_path()
        yield from self._in_query()
        yield from self._in_headers()
        for media in self._operation.body.content if self._operation.body is not None else ():
            if "json" in media.type:
                yield from self._in_json(media)
                return
            if media.type.startswith(_FORM):
                yield from self._in_form(media)
                return
        if self._operation.writes:  # it may well read a body that nobody has described
            for what, content in _no_json():
                yield self._sent(what, body=content, kind="application/json")

    # Beside the body

    def _in_path(self) -> Iterator[Malformed]:
        for each in self._operation.parameters:
            if each.where == "path":
                for what, raw in _broken_texts(flat(self._api, each.schema)):
                    if raw:  # without it, it is another path
                        yield self._sent(f"`{each.name}` {what}", path={each.name: raw})

    def _in_query(self) -> Iterator[Malformed]:
        for each in self._operation.parameters:
            if each.where == "query":
                for what, raw in _broken_texts(flat(self._api, each.schema)):
                    yield self._sent(f"`{each.name}` {what}", query={each.name: raw})
                if each.required:
                    yield self._sent(f"`{each.name}` is missing", without=each.name)
        yield self._sent("a query that cannot be decoded", query={"%ff": "%", "a%00": "[]"})

    def _in_headers(self) -> Iterator[Malformed]:
        for each in self._operation.parameters:
            if each.where == "header" and each.name.lower() != "authorization":
                for what, value in (
                    ("is empty", ""),
                    ("is far too long", "x" * 5000),
                    ("is no ASCII", "\u00e9\U0001f600"),
                ):
                    yield self._sent(f"`{each.name}` {what}", headers={each.name: value})
                if each.required:
                    yield self._sent(f"`{each.name}` is missing", without=each.name)

    # Bodies

    def _in_json(self, media: Media) -> Iterator[Malformed]:
        schema = flat(self._api, media.schema)
        try:
            right = self._values.value(media.schema, "the body", *media.examples[:1])
        except NoExample:
            right = {}
        content = _json(right)
        for what, raw in _no_json():
            yield self._sent(what, body=raw, kind=media.type)
        for what, kind in (
            ("the body is said to be XML", "application/xml"),
            ("the body is said to be a form", _FORM),
            ("the body is said to be of no known charset", "application/json; charset=none"),
            ("the body has no readable type", "json"),
        ):
            yield self._sent(what, body=content, kind=kind)
        yield self._sent(
            "the body is said to be packed",
            body=content,
            kind=media.type,
            headers={"Content-Encoding": "gzip"},
        )
        for what, value in (("null", None), ("a list", [right]), ("a text", "x"), ("a number", 1)):
            yield self._sent(f"the body is {what}", body=_json(value), kind=media.type)
        if isinstance(right, dict):
            yield self._sent(
                "the body has an unknown field", body=_json({**right, "\x00": {}}), kind=media.type
            )
            yield from self._in_properties(schema, right, media.type)

    def _in_properties(self, schema: Schema, right: dict[str, Any], kind: str) -> Iterator[Malformed]:
        names = sorted(schema.properties, key=lambda name: name not in schema.required)[:_PROPERTIES]
        for name in names:
            inner = flat(self._api, schema.properties[name])
            for what, value in _broken_values(self._api, inner):
                yield self._sent(f"`{name}` {what}", body=_json({**right, name: value}), kind=kind)
            if name in schema.required:
                rest = {key: value for key, value in right.items() if key != name}
                yield self._sent(f"`{name}` is missing", body=_json(rest), kind=kind)

    def _in_form(self, media: Media) -> Iterator[Malformed]:
        schema = flat(self._api, media.schema)
        try:
            made = self._values.value(media.schema, "the body", *media.examples[:1])
        except NoExample:
            made = {}
        right = {name: str(value) for name, value in made.items()} if isinstance(made, dict) else {}
        yield self._sent("the form is empty", body=b"", kind=media.type)
        yield self._sent("the form is JSON", body=_json(right), kind="application/json")
        yield self._sent("the form cannot be decoded", body=b"%ff=%zz&\xff&=&&a", kind=media.type)
        for name in list(schema.properties)[:_PROPERTIES]:
            for what, raw in _broken_texts(flat(self._api, schema.properties[name])):
                others = urlencode({key: value for key, value in right.items() if key != name})
                content = f"{quote(name)}={raw}&{others}".encode()
                yield self._sent(f"`{name}` {what}", body=content, kind=media.type)

    # A request

    def _sent(
        self,
        what: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        kind: str = "",
        without: str = "",
    ) -> Malformed:
        """`path` and `query` hold what is encoded already."""
        encoded = {name: quote(value, safe="") for name, value in self._path.items()} | dict(path or {})
        target = re.sub(r"\{([^{}]+)\}", lambda found: encoded.get(found[1], "1"), self._operation.path)
        asked = {quote(name): quote(value, safe="") for name, value in self._query.items() if name != without}
        asked |= {(name if "%" in name else quote(name)): raw for name, raw in (query or {}).items()}
        if asked:
            target += "?" + "&".join(f"{name}={raw}" for name, raw in asked.items())
        sent = {name: value for name, value in self._headers.items() if name != without} | dict(headers or {})
        if kind:
            sent["Content-Type"] = kind
        elif body is None and (right := self._right_body()) is not None:
            body = right[0]
            sent["Content-Type"] = right[1]
        return Malformed(self._operation.name, what, self._operation.method, target, sent, body)

    def _right_body(self) -> tuple[bytes, str] | None:
        for media in self._operation.body.content if self._operation.body is not None else ():
            if "json" in media.type:
                try:
                    right = self._values.value(media.schema, "the body", *media.examples[:1])
                except NoExample:
                    right = {}
                return _json(right), media.type
        return None

    def _required(self, where: str) -> list[Parameter]:
        return [each for each in self._operation.parameters if each.where == where and each.required]

    def _right(self, parameter: Parameter) -> str:
        if parameter.name in self._known:
            return self._known[parameter.name]
        if flat(self._api, parameter.schema).format == "uuid":
            return _UNKNOWN
        try:
            value = self._values.value(parameter.schema, parameter.name, *parameter.examples[:1])
        except NoExample:
            return "1"
        return value if isinstance(value, str) else json.dumps(value)


def _no_json() -> Iterator[tuple[str, bytes]]:
    yield "the body is empty", b""
    yield "the body is no JSON", b'{"a": '
    yield "the body is no text", b'{"a": "\xff\xfe"}'
    yield "the body is only NUL characters", b"\x00" * 64
    yield "the body is nested far too deeply", b"[" * _DEEP + b"]" * _DEEP
    yield "the body is an object nested far too deeply", b'{"a":' * _DEEP + b"1" + b"}" * _DEEP
    yield "the body is a number of 5,000 digits", b"9" * 5000
    yield "the body is far too long", b'{"a": "' + b"x" * (4 << 20) + b'"}'


def _broken_texts(schema: Schema) -> Iterator[tuple[str, str]]:
    """What a parameter may be instead of a right value, encoded for a URL or a form."""
    yield "is empty", ""
    yield "holds a NUL character", "a%00b"
    yield "is no UTF-8", "%ff%fe"
    yield "is badly encoded", "%zz%"
    yield "is far too long", "x" * 6000
    yield "leads out of its folder", "..%2f..%2f..%2fetc%2fpasswd"
    yield "holds quotes", quote("'\";--<script>{{7*7}}${7*7}", safe="")
    if kind_of(schema) in ("integer", "number"):
        yield "is no number", "abc"
        yield "is beyond 64 bits", str(2**63)
        yield "is negative", "-1"
        yield "is a number of 401 digits", str(_HUGE)
        yield "is not a number but NaN", "NaN"
    if schema.format == "uuid":
        yield "is an id that nobody has", _UNKNOWN
        yield "is nearly an id", _UNKNOWN[:-1] + "g"
    if schema.format in ("date", "date-time"):
        yield "is no day", "2026-02-30T25:61:61Z"
        yield "is before all time", quote("0001-01-01T00:00:00+23:59", safe="")
        yield "is after all time", quote("9999-12-31T23:59:59-23:59", safe="")


def _broken_values(api: Api, schema: Schema) -> Iterator[tuple[str, Any]]:
    """What a property may be instead of a right value."""
    for each in schema.any_of:
        choice = flat(api, each)
        if choice.types != ("null",) and not choice.any_of:
            schema = choice
            break
    kind = kind_of(schema)
    yield "is null", None
    yield "is an object", {"a": {"$gt": ""}}
    yield "is a list of lists", [[[]]]
    yield "is true", True
    match kind:
        case "string":
            yield from _broken_strings(schema)
        case "integer" | "number":
            yield from _broken_numbers()
        case _:
            yield "is a text", "x"
            yield "is a number", 0
    if kind == "array":
        yield "has 20,000 items", [None] * 20_000


def _broken_strings(schema: Schema) -> Iterator[tuple[str, Any]]:
    yield "is a number", 1
    yield "is empty", ""
    yield "is blank", " \t\r\n"
    yield "holds a NUL character", "a\x00b"
    yield "holds half a character", _LONE
    yield "is far too long", "x" * _LONG
    yield "holds quotes", "'\";--<script>{{7*7}}${7*7}%s%n"
    if schema.max_length is not None:
        yield "is one character too long", "x" * min(schema.max_length + 1, _LONG)
    if schema.enum is not None or schema.pattern or schema.format:
        yield "is none of those allowed", "nothing of the kind"
    if schema.format == "uuid":
        yield "is an id that nobody has", _UNKNOWN
    if schema.format in ("date", "date-time"):
        yield "is no day", "2026-02-30T25:61:61Z"
        yield "is before all time", "0001-01-01T00:00:00+23:59"
        yield "is after all time", "9999-12-31T23:59:59-23:59"
    if "uri" in schema.format or "url" in schema.format:
        yield "is another scheme", "file:///etc/passwd"
        yield "is no address", "http://[::1"


def _broken_numbers() -> Iterator[tuple[str, Any]]:
    yield "is a text", "1"
    yield "is a text of digits no one means", "\u0661\u00b2"
    yield "is negative", -1
    yield "is 0", 0
    yield "has a fraction", 0.1
    yield "is beyond 32 bits", 2**31
    yield "is beyond 64 bits", 2**63
    yield "is a number of 401 digits", _HUGE
    yield "is the largest number and more", float("inf")
    yield "is not a number but NaN", float("nan")
    yield "is nearly the largest float", 1.7e308


def _json(value: Any) -> bytes:
    """JSON, with `NaN` and half characters, as some clients send them."""
    return json.dumps(value).encode()
