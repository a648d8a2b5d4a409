"""The texts of a stand-in's answers, with what they take over from the request.

`{n}` counts the answers, `{uuid}` is a new one, `{now}` is the time (RFC 3339, UTC); `{path.id}`,
`{query.page}`, `{header.x-request-id}` and `{body.order.lines.0}` are from the request; `{id}` is short for
`{path.id}`, and a new id where the path has none.  `{{` is a brace.  A text that is nothing but one of them
becomes its value: a number stays a number, and what the request lacks is null.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from msgspec import Struct

from mainstay.lab.error import LabError

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_INDEX = re.compile(r"[0-9]{1,9}")
_TAKEN = ("path.", "query.", "header.", "body.")


class TemplateError(LabError):
    """A text of an answer holds what it may not; the message says what."""


class Scene(Struct):
    """What texts may take over."""

    number: int
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class Slot(Struct, frozen=True):
    """The place of a value."""

    name: str


class Text(Struct, frozen=True):
    """A text in its parts."""

    parts: tuple["str | Slot", ...]


def compile_text(text: str) -> "str | Text":
    """The text in its parts, or as it is when nothing is to be filled in; raises TemplateError."""
    parts: list[str | Slot] = []
    for found in _PART.finditer(text):
        part = found[0]
        if part in ("{{", "}}"):
            parts.append(part[0])
        elif part in ("{", "}"):
            raise TemplateError(f"a brace in {text!r} is not closed; write {part * 2} for a brace")
        elif part.startswith("{"):
            parts.append(Slot(_known(found[1].strip(), text)))
        else:
            parts.append(part)
    if any(isinstance(part, Slot) for part in parts):
        return Text(tuple(parts))
    return "".join(part for part in parts if isinstance(part, str))


def compile_value(value: Any) -> Any:
    """A JSON value with each text in it compiled; raises TemplateError."""
    match value:
        case str():
            return compile_text(value)
        case Mapping():
            return {str(key): compile_value(item) for key, item in value.items()}
        case list() | tuple():
            return [compile_value(item) for item in value]
        case _:
            return value


def filled(value: Any, scene: Scene) -> Any:
    """A compiled value with everything filled in."""
    match value:
        case Text((Slot(name),)):
            return _value(name, scene)
        case Text(parts):
            return "".join(
                part if isinstance(part, str) else _text(_value(part.name, scene)) for part in parts
            )
        case dict():
            return {key: filled(item, scene) for key, item in value.items()}
        case list():
            return [filled(item, scene) for item in value]
        case _:
            return value


def filled_text(value: "str | Text", scene: Scene) -> str:
    """A compiled text as a text."""
    return _text(filled(value, scene))


def escaped(value: Any) -> Any:
    """A JSON value whose texts stand for themselves: each brace in them is doubled."""
    match value:
        case str():
            return value.replace("{", "{{").replace("}", "}}")
        case Mapping():
            return {key: escaped(item) for key, item in value.items()}
        case list() | tuple():
            return [escaped(item) for item in value]
        case _:
            return value


def _known(name: str, text: str) -> str:
    if name in ("n", "uuid", "now", "id"):
        return name
    if name.startswith(_TAKEN) and not name.endswith("."):
        return name.lower() if name.startswith("header.") else name
    raise TemplateError(
        f"{{{name}}} in {text!r} is none of {{n}}, {{uuid}}, {{now}}, {{id}}, {{path...}}, {{query...}}, "
        "{header...} and {body...}"
    )


def _value(name: str, scene: Scene) -> Any:
    source, _, rest = name.partition(".")
    match source:
        case "n":
            return scene.number
        case "uuid":
            return str(uuid4())
        case "now":
            return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "id":
            return scene.path.get("id") or uuid4().hex
        case "path":
            return scene.path.get(rest)
        case "query":
            return scene.query.get(rest)
        case "header":
            return scene.headers.get(rest)
        case _:
            return inside(scene.body, rest)


def inside(value: Any, place: str) -> Any:
    """What is at a dotted place, "order.lines.0"; None where there is nothing."""
    for step in place.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
