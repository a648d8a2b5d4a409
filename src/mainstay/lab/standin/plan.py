"""What a stand-in will answer: what is declared, and for the rest what the dependency's OpenAPI says."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import UNSET

from mainstay.lab.standin.template import escaped
from mainstay.lab.values import NoExample, Values, flat
from mainstay.model.api import Answer, Api, ApiOperation, Media, Schema
from mainstay.model.service import Dependency, StandInAnswer
from mainstay.sources.openapi import read_file

_PLAIN = re.compile(r"[\w$@-]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def planned(dependency: Dependency, root: Path) -> tuple[StandInAnswer, ...]:
    """All answers, the declared ones first; raises OpenApiError."""
    if not dependency.openapi:
        return dependency.answers
    api = read_file(root / dependency.openapi)
    declared = {_shape(answer.on) for answer in dependency.answers}
    found = (answer for answer in described(api) if _shape(answer.on) not in declared)
    return (*dependency.answers, *found)


def described(api: Api) -> Iterator[StandInAnswer]:
    """An answer for each operation: the first success that it describes.

    What an answer has in common with the request is taken over from it, and every thing made has an id of its
    own.  An operation that shows one thing shows what was made, when its path has a POST too.
    """
    made = {operation.path for operation in api.operations if operation.method == "POST"}
    for operation in api.operations:
        answer = _success(operation)
        media = _media(answer) if answer is not None else None
        status = int(answer.status) if answer is not None and answer.status.isdigit() else 200
        yield StandInAnswer(
            operation.name,
            status,
            None if media is None or _shows(operation, made) else _body(api, operation, media),
            _type(media),
        )


def _success(operation: ApiOperation) -> Answer | None:
    found = sorted((each for each in operation.answers if each.succeeds), key=lambda each: each.status)
    return found[0] if found else next((each for each in operation.answers if each.status == "default"), None)


def _media(answer: Answer) -> Media | None:
    return next((each for each in answer.content if "json" in each.type), next(iter(answer.content), None))


def _type(media: Media | None) -> dict[str, str]:
    if media is None or "json" in media.type:
        return {}
    return {"Content-Type": "text/plain" if "*" in media.type else escaped(media.type)}


def _shows(operation: ApiOperation, made: set[str]) -> bool:
    collection, _, last = operation.path.rpartition("/")
    return operation.method == "GET" and last.startswith("{") and last.endswith("}") and collection in made


def _body(api: Api, operation: ApiOperation, media: Media) -> Any:
    """The body as a template."""
    said = _said(api, operation)

    def wish(name: str, schema: Schema) -> Any:
        if name in said:
            return f"{{body.{name}}}"
        if name == "id":
            return _id(operation, schema)
        return UNSET

    if media.examples and not isinstance(media.examples[0], Mapping):
        return escaped(media.examples[0])
    given = dict(media.examples[0]) if media.examples else {}
    over = {
        key: f"{{body.{key}}}" if key in said else _id_like(value)
        for key, value in given.items()
        if key in said or (key == "id" and operation.method == "POST")
    }
    if given:
        return {**escaped(given), **over}
    try:
        return Values(api, wish, escaped, answers=True).value(media.schema, "the answer")
    except NoExample:
        return {}


def _said(api: Api, operation: ApiOperation) -> frozenset[str]:
    """What every request says."""
    if operation.body is None or not operation.body.content:
        return frozenset()
    schema = flat(api, operation.body.content[0].schema)
    return frozenset(name for name in schema.required if name != "id" and _PLAIN.fullmatch(name))


def _id(operation: ApiOperation, schema: Schema) -> Any:
    parameter = re.search(r"\{([^{}]+)\}[^{}]*$", operation.path)
    if "integer" in schema.types or "number" in schema.types:
        return "{n}"
    if operation.method != "POST" and parameter is not None:
        return f"{{path.{parameter[1]}}}"
    return "{uuid}" if schema.format == "uuid" else "{id}" if parameter is None else "{uuid}"


def _id_like(value: Any) -> Any:
    """A new id in the manner of an example."""
    if isinstance(value, str) and not _UUID.fullmatch(value):
        return escaped(value) + "{n}"
    return "{uuid}" if isinstance(value, str) else "{n}"


def _shape(on: str) -> str:
    """The request without the names of its parameters."""
    method, _, path = on.strip().partition(" ")
    return f"{method.upper()} {re.sub(r'{[^{}]*}', '{}', path.strip())}"
