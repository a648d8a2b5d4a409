"""JSON that is the same every time and harmless to print."""

import json
from typing import Any

import msgspec

from mainstay.model.location import Location
from mainstay.reports.visible import readable


def encode(value: Any) -> str:
    """`value` as indented JSON in ASCII, so that no character of a reviewed file reaches a terminal raw."""
    packed = json.dumps(_clean(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    indented = msgspec.json.format(packed, indent=2)
    return indented.replace("\x7f", "\\u007f") + "\n"


def place(location: Location) -> dict[str, Any]:
    """A location; the end is left out where it is not known."""
    found: dict[str, Any] = {"path": location.path, "line": location.line, "column": location.column}
    if location.end_line:
        found |= {"end_line": location.end_line, "end_column": location.end_column}
    return found


def _clean(value: Any) -> Any:
    """`value` without lone surrogates, which strict readers of JSON refuse."""
    if isinstance(value, str):
        return value if value.isascii() else readable(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_clean(held) for held in value]
    return value
