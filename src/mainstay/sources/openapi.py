"""Reads OpenAPI 3.0, 3.1 and 2.0 documents, as JSON or YAML, into `mainstay.model.api`.

Only references within the document are followed.  What the document says is believed as far as it is well
formed; the first thing that is not ends the reading with one sentence that says where.
"""

import json
import math
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mainstay.model.api import Answer, Api, ApiOperation, Body, Media, Parameter, Schema
from mainstay.sources.yaml_text import YamlError
from mainstay.sources.yaml_text import parse as parse_yaml

LARGEST = 16 << 20  # bytes of a document
_NODES = 400_000  # schemas and parts of examples that are read; aliases make few bytes many
_DEEPEST = 100  # schemas within one another, without a reference between them
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_WHERE = ("path", "query", "header", "cookie")
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null", "file")
_FORM = "application/x-www-form-urlencoded"

Node = dict[str, Any]


class OpenApiError(Exception):
    """The document cannot be read; the message says what is wrong and `place` where, as a JSON pointer."""

    def __init__(self, name: str, place: str, why: str) -> None:
        self.place = _printable(place)
        super().__init__(_printable(f"{name}: {why}" + (f", at {self.place}" if place else "")))


def read_file(path: Path) -> Api:
    """The API that a file describes; raises OpenApiError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OpenApiError(str(path), "", f"it cannot be read: {why}") from error
    return read(content, str(path))


def read(content: bytes, name: str) -> Api:
    """The API that a document describes; `name` is what messages call it.  Raises OpenApiError."""
    if len(content) > LARGEST:
        raise OpenApiError(name, "", f"it is larger than {LARGEST >> 20} MiB")
    try:
        return _Reader(name, _parsed(content, name)).api()
    except RecursionError as error:
        raise OpenApiError(name, "", "it is nested too deeply") from error


def _parsed(content: bytes, name: str) -> Any:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OpenApiError(name, "", f"it is no UTF-8 text: {error.reason} at byte {error.start}") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        as_json = str(error)
    try:
        return parse_yaml(text)
    except YamlError as error:
        why = f"JSON: {as_json}" if text.lstrip()[:1] in ("{", "[") else f"YAML: {error}"
        raise OpenApiError(name, "", f"it is no {why}") from error


class _Reader:
    """Walks a document once."""

    def __init__(self, name: str, document: Any) -> None:
        self._name = name
        self._document = self._node(document, "")
        self._nodes = 0
        self._schemas: dict[str, Schema] = {}
        self._wanted: deque[str] = deque()  # references to schemas that are still to be read
        self._two = "swagger" in self._document
        self._base = ""

    def api(self) -> Api:
        version = self._version()
        info = self._node(self._document.get("info") or {}, "/info")
        self._base = self._server()
        paths = self._node(self._document.get("paths") or {}, "/paths")
        operations = [
            operation
            for path, item in paths.items()
            if path.startswith("/")
            for operation in self._path(path, item, "/paths/" + _escaped(path))
        ]
        if not operations:
            raise self._wrong("/paths", "it describes no operation")
        while self._wanted:
            self._named_schema(self._wanted.popleft())
        return Api(str(info.get("title") or ""), version, tuple(operations), self._schemas)

    def _version(self) -> str:
        version = self._document.get("swagger" if self._two else "openapi")
        if version is None:
            raise self._wrong("", "it is no OpenAPI document: it has neither `openapi` nor `swagger`")
        if not re.match(r"2\.|3\.[0-9]" if not self._two else r"2\.0", str(version)):
            raise self._wrong("/openapi", f"version {str(version)[:20]!r} is none of 2.0, 3.0 and 3.1")
        return str(version)

    def _server(self) -> str:
        """The path that comes before all others, when the servers agree on one."""
        if self._two:
            return self._text(self._document.get("basePath", ""), "/basePath").rstrip("/")
        found = set()
        for at, server in enumerate(self._list(self._document.get("servers") or [], "/servers")):
            place = f"/servers/{at}"
            url = self._text(self._node(server, place).get("url", ""), place + "/url")
            try:
                found.add(urlsplit(re.sub(r"^[^/]*\{[^{}]*\}", "", url)).path.rstrip("/"))
            except ValueError as error:
                raise self._wrong(place + "/url", f"{url!r} is no address") from error
        base = found.pop() if len(found) == 1 else ""
        return base if base.startswith("/") and "{" not in base else ""

    # Operations

    def _path(self, path: str, item: Any, place: str) -> Iterator[ApiOperation]:
        item, place = self._followed(item, place)
        shared = self._parameters(item.get("parameters"), place + "/parameters")
        for method in _METHODS:
            if method in item:
                yield self._operation(method, path, item[method], f"{place}/{method}", shared)

    def _operation(
        self, method: str, path: str, value: Any, place: str, shared: dict[tuple[str, str], Node]
    ) -> ApiOperation:
        node = self._node(value, place)
        given = shared | self._parameters(node.get("parameters"), place + "/parameters")
        responses = self._node(node.get("responses") or {}, place + "/responses")
        tags = self._list(node.get("tags") or [], place + "/tags")
        return ApiOperation(
            method.upper(),
            self._base + path,
            id=self._text(node.get("operationId") or "", place + "/operationId"),
            tags=tuple(self._text(tag, f"{place}/tags/{at}") for at, tag in enumerate(tags)),
            security=self._security(node, place),
            parameters=tuple(self._given_parameters(path, given, place)),
            body=self._body(node, given, place),
            answers=tuple(
                self._answer(status, answer, f"{place}/responses/{_escaped(status)}", node)
                for status, answer in responses.items()
                if not status.startswith("x-")
            ),
            deprecated=node.get("deprecated") is True,
        )

    def _security(self, node: Node, place: str) -> tuple[str, ...]:
        """The schemes of which one is needed; none when nothing is, or when it is a choice."""
        if "security" in node:
            value, place = node["security"], place + "/security"
        else:
            value, place = self._document.get("security") or [], "/security"
        needs = [self._node(each, f"{place}/{at}") for at, each in enumerate(self._list(value or [], place))]
        return () if {} in needs else tuple(dict.fromkeys(name for each in needs for name in each))

    # Parameters

    def _parameters(self, value: Any, place: str) -> dict[tuple[str, str], Node]:
        found: dict[tuple[str, str], Node] = {}
        for at, each in enumerate(self._list(value or [], place)):
            node, where = self._followed(each, f"{place}/{at}")
            name = self._text(node.get("name"), where + "/name")
            kind = self._text(node.get("in"), where + "/in")
            known = (*_WHERE, "body", "formData") if self._two else _WHERE
            if kind not in known:
                raise self._wrong(where + "/in", f"{kind[:40]!r} is no place of a parameter")
            found[kind, name] = {**node, "": where}
        return found

    def _given_parameters(
        self, path: str, given: dict[tuple[str, str], Node], place: str
    ) -> Iterator[Parameter]:
        for (kind, name), node in given.items():
            if kind in _WHERE:
                yield self._parameter(kind, name, node)
        for name in re.findall(r"\{([^{}]+)\}", path):
            if ("path", name) not in given:
                raise self._wrong(place, f"the path holds {{{name}}}, but no parameter says what it is")

    def _parameter(self, kind: str, name: str, node: Node) -> Parameter:
        place = node[""]
        schema, examples = Schema(), self._examples(node, place)
        if self._two:
            schema = self._schema({key: value for key, value in node.items() if key != "required"}, place)
        elif "schema" in node:
            schema = self._schema(node["schema"], place + "/schema")
        elif "content" in node:
            media = self._content(node["content"], place + "/content")
            schema = media[0].schema if media else schema
        required = kind == "path" or node.get("required") is True
        return Parameter(name, kind, required, schema, examples)

    # Bodies and answers

    def _body(self, node: Node, given: dict[tuple[str, str], Node], place: str) -> Body | None:
        if self._two:
            return self._old_body(node, given, place)
        if node.get("requestBody") is None:
            return None
        body, place = self._followed(node["requestBody"], place + "/requestBody")
        content = self._content(body.get("content") or {}, place + "/content")
        return Body(content, body.get("required") is True)

    def _old_body(self, node: Node, given: dict[tuple[str, str], Node], place: str) -> Body | None:
        fields = {name: each for (kind, name), each in given.items() if kind == "formData"}
        for (kind, _), each in given.items():
            if kind == "body":
                schema = self._schema(each.get("schema") or {}, each[""] + "/schema")
                types = self._types(node, "consumes", place)
                return Body(tuple(Media(media, schema) for media in types), each.get("required") is True)
        if not fields:
            return None
        properties = {name: self._parameter("formData", name, each).schema for name, each in fields.items()}
        required = tuple(name for name, each in fields.items() if each.get("required") is True)
        types = tuple(media for media in self._types(node, "consumes", place) if "json" not in media) or (
            _FORM,
        )
        schema = Schema(types=("object",), properties=properties, required=required)
        return Body(tuple(Media(media, schema) for media in types), bool(required))

    def _types(self, node: Node, key: str, place: str) -> tuple[str, ...]:
        value = node.get(key) or self._document.get(key) or ["application/json"]
        return tuple(self._text(each, f"{place}/{key}") for each in self._list(value, f"{place}/{key}"))

    def _answer(self, status: str, value: Any, place: str, operation: Node) -> Answer:
        if not re.fullmatch(r"[1-5](?:[0-9][0-9]|XX)|default", status, re.IGNORECASE):
            raise self._wrong(place, f"{status[:40]!r} is no status")
        node, place = self._followed(value, place)
        headers = tuple(self._node(node.get("headers") or {}, place + "/headers"))
        if not self._two:
            content = self._content(node.get("content") or {}, place + "/content")
            return Answer(status.upper() if status != "default" else status, content, headers)
        if node.get("schema") is None:
            return Answer(status, (), headers)
        schema = self._schema(node["schema"], place + "/schema")
        given = self._node(node.get("examples") or {}, place + "/examples")
        types = self._types(operation, "produces", place)
        return Answer(
            status,
            tuple(
                Media(media, schema, (self._plain(given[media], place, 0),) if media in given else ())
                for media in types
            ),
            headers,
        )

    def _content(self, value: Any, place: str) -> tuple[Media, ...]:
        found = []
        for media, each in self._node(value, place).items():
            where = f"{place}/{_escaped(media)}"
            node = self._node(each, where)
            schema = self._schema(node["schema"], where + "/schema") if "schema" in node else Schema()
            found.append(Media(media, schema, self._examples(node, where)))
        return tuple(found)

    def _examples(self, node: Node, place: str) -> tuple[Any, ...]:
        """The examples of a body or a parameter: `example`, or `examples` by name."""
        found = []
        if "example" in node:
            found.append(self._plain(node["example"], place + "/example", 0))
        given = node.get("examples")
        if isinstance(given, dict) and not self._two:
            for name, each in given.items():
                example, where = self._followed(each, f"{place}/examples/{_escaped(name)}")
                if "value" in example:
                    found.append(self._plain(example["value"], where + "/value", 0))
        return tuple(found)

    # Schemas

    def _named_schema(self, reference: str) -> None:
        value = self._target(reference, reference)
        self._schemas[reference] = self._schema(value, reference.removeprefix("#"))

    def _schema(self, value: Any, place: str, depth: int = 0) -> Schema:
        self._count(place, 8)  # it costs as much to read
        if isinstance(value, bool):  # from 3.1 on: anything, or nothing
            return Schema() if value else Schema(enum=())
        node = self._node(value, place)
        if depth > _DEEPEST:
            raise self._wrong(place, "schemas are nested too deeply")
        if "$ref" in node:
            return self._reference(self._text(node["$ref"], place + "/$ref"), place)

        def inner(key: str) -> Schema | None:
            given = node.get(key)
            return None if given is None else self._schema(given, f"{place}/{key}", depth + 1)

        def several(key: str) -> tuple[Schema, ...]:
            given = self._list(node.get(key) or [], f"{place}/{key}")
            return tuple(
                self._schema(each, f"{place}/{key}/{at}", depth + 1) for at, each in enumerate(given)
            )

        properties = self._node(node.get("properties") or {}, place + "/properties")
        low, low_open = self._bound(node, "minimum", "exclusiveMinimum", place)
        high, high_open = self._bound(node, "maximum", "exclusiveMaximum", place)
        return Schema(
            types=self._schema_types(node, place),
            format=self._text(node.get("format") or "", place + "/format"),
            enum=self._enum(node, place),
            examples=self._schema_examples(node, place),
            properties={
                name: self._schema(each, f"{place}/properties/{_escaped(name)}", depth + 1)
                for name, each in properties.items()
            },
            required=self._required(node, place),
            closed=node.get("additionalProperties") is False,
            additional=inner("additionalProperties")
            if isinstance(node.get("additionalProperties"), dict)
            else None,
            items=inner("items"),
            any_of=several("anyOf") + several("oneOf"),
            all_of=several("allOf"),
            minimum=low,
            maximum=high,
            exclusive_minimum=low_open,
            exclusive_maximum=high_open,
            multiple_of=self._number(node.get("multipleOf"), place + "/multipleOf"),
            min_length=self._size(node, "minLength", place) or 0,
            max_length=self._size(node, "maxLength", place),
            pattern=self._text(node.get("pattern") or "", place + "/pattern"),
            min_items=self._size(node, "minItems", place) or 0,
            max_items=self._size(node, "maxItems", place),
            read_only=node.get("readOnly") is True,
            write_only=node.get("writeOnly") is True,
        )

    def _reference(self, reference: str, place: str) -> Schema:
        if reference not in self._schemas:
            self._target(reference, place)
            self._schemas[reference] = Schema()  # until its turn comes
            self._wanted.append(reference)
        return Schema(ref=reference)

    def _schema_types(self, node: Node, place: str) -> tuple[str, ...]:
        given = node.get("type")
        types = [] if given is None else given if isinstance(given, list) else [given]
        for each in types:
            if not isinstance(each, str) or each not in _TYPES:
                raise self._wrong(place + "/type", f"{str(each)[:40]!r} is no type")
        if node.get("nullable") is True or node.get("x-nullable") is True:
            types = [*types, "null"] if types else []
        return tuple("string" if each == "file" else each for each in dict.fromkeys(types))

    def _enum(self, node: Node, place: str) -> tuple[Any, ...] | None:
        if "const" in node:
            return (self._plain(node["const"], place + "/const", 0),)
        if node.get("enum") is None:
            return None
        values = self._list(node["enum"], place + "/enum")
        return tuple(self._plain(each, f"{place}/enum/{at}", 0) for at, each in enumerate(values))

    def _schema_examples(self, node: Node, place: str) -> tuple[Any, ...]:
        found = [node["example"]] if "example" in node else []
        if isinstance(node.get("examples"), list):
            found += node["examples"]
        if node.get("default") is not None:
            found.append(node["default"])
        return tuple(self._plain(each, place + "/examples", 0) for each in found)

    def _required(self, node: Node, place: str) -> tuple[str, ...]:
        given = node.get("required")
        if given is None or isinstance(given, bool):  # before JSON Schema 4, and in many a document since
            return ()
        place += "/required"
        return tuple(self._text(each, f"{place}/{at}") for at, each in enumerate(self._list(given, place)))

    def _bound(self, node: Node, key: str, exclusive: str, place: str) -> tuple[float | None, float | None]:
        """The bound that belongs to the range and the one that does not: 3.0 says the latter with a flag."""
        value = self._number(node.get(key), f"{place}/{key}")
        open_one = node.get(exclusive)
        if isinstance(open_one, bool):
            return (None, value) if open_one else (value, None)
        return value, self._number(open_one, f"{place}/{exclusive}")

    def _size(self, node: Node, key: str, place: str) -> int | None:
        value = self._number(node.get(key), f"{place}/{key}")
        if value is None:
            return None
        if value < 0 or value != int(value):
            raise self._wrong(f"{place}/{key}", f"{value:g} is no number of things")
        return int(value)

    # References

    def _followed(self, value: Any, place: str) -> tuple[Node, str]:
        """What an object is, through references, and where that stands."""
        for _ in range(20):
            node = self._node(value, place)
            if "$ref" not in node:
                return node, place
            reference = self._text(node["$ref"], place + "/$ref")
            value = self._target(reference, place)
            place = reference.removeprefix("#")
        raise self._wrong(place, "references lead round in a circle")

    def _target(self, reference: str, place: str) -> Any:
        if not reference.startswith("#"):
            raise self._wrong(place, f"{reference[:80]!r} refers to another document, which is not read")
        found: Any = self._document
        for raw in reference.removeprefix("#").split("/")[1:]:
            step = unquote(raw).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and step in found:
                found = found[step]
            elif isinstance(found, list) and re.fullmatch(r"[0-9]{1,6}", step) and int(step) < len(found):
                found = found[int(step)]
            else:
                raise self._wrong(place, f"{reference[:200]!r} refers to what is not there")
        return found

    # Values

    def _plain(self, value: Any, place: str, depth: int) -> Any:
        """A value as JSON can hold it."""
        self._count(place)
        if depth > _DEEPEST:
            raise self._wrong(place, "an example is nested too deeply")
        match value:
            case dict():
                return {str(key): self._plain(each, place, depth + 1) for key, each in value.items()}
            case list() | tuple():
                return [self._plain(each, place, depth + 1) for each in value]
            case float() if not math.isfinite(value):
                return None
            case None | bool() | int() | float() | str():
                return value
            case _:  # what YAML has and JSON has not
                return str(value)

    def _count(self, place: str, weight: int = 1) -> None:
        self._nodes += weight
        if self._nodes > _NODES:
            raise self._wrong(place, f"it has more than {_NODES:,} parts")

    def _node(self, value: Any, place: str) -> Node:
        if not isinstance(value, dict):
            raise self._wrong(place, f"there should be an object, not {_kind(value)}")
        if all(isinstance(key, str) for key in value):
            return value
        return {str(key): each for key, each in value.items()}  # YAML: `200:`

    def _list(self, value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(place, f"there should be a list, not {_kind(value)}")
        return value

    def _text(self, value: Any, place: str) -> str:
        if not isinstance(value, str):
            raise self._wrong(place, f"there should be a text, not {_kind(value)}")
        return value

    def _number(self, value: Any, place: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(place, f"there should be a number, not {_kind(value)}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            return None  # a bound that no number meets is none
        return number

    def _wrong(self, place: str, why: str) -> OpenApiError:
        return OpenApiError(self._name, place, why)


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"
