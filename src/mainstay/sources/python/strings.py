"""Strings: plain, joined, formatted, put together.

Escapes are decoded but for `N{...}` and surrogates, which stay as written, as unknown ones do.
"""

import re
import sys
from collections.abc import Iterable

from tree_sitter import Node

from mainstay.model.code import Fate, Literal, Text, Value
from mainstay.sources.python.dispatch import VALUES, lowers, value
from mainstay.sources.python.grammar import NOISE, children, kind, meat
from mainstay.sources.python.lowering import MAX_ITEMS, OPAQUE, Lowering
from mainstay.sources.python.source import spoken

MAX_TEXT = 4_000
"""Characters of a text that are kept."""

_MEMORABLE = 80  # bytes; longer strings seldom come twice
_OPENING = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\"|`)")
_ESCAPE = re.compile(
    r"\\(?:([\n\\'\"abfnrtv])|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))"
)
_SIMPLE = {"\n": "", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CONTENT = kind("string_content")
_INTERPOLATION = kind("interpolation")
_FORMAT = kind("format_specifier")


@lowers("string")
def string(body: Lowering, node: Node, _: Fate) -> Value:
    """A string literal, or the `Text` that an f-string is."""
    start, end = node.start_byte, node.end_byte
    text = body.text[start:end] if end - start <= _MEMORABLE else ""
    known = body.known.get(text)
    if known is not None:
        return known
    opening = _OPENING.match(body.text, start, end)
    if opening is None or opening[2] == "`":
        return OPAQUE
    prefix = opening[1].lower()
    if "f" in prefix or "t" in prefix:
        return _formatted(body, node, "r" in prefix)
    close = len(opening[2])
    inside = body.text[opening.end() : min(end - close, opening.end() + 4 * MAX_TEXT)]
    literal = Literal(_plain(inside, "r" in prefix))
    if text:
        body.known[text] = literal
    return literal


def _plain(inside: str, is_raw: bool) -> str:
    characters = spoken(inside)
    if not is_raw and "\\" in characters:
        characters = _ESCAPE.sub(_unescape, characters)
    return characters[:MAX_TEXT]


def _unescape(escape: re.Match[str]) -> str:
    simple, octal, *hexadecimal = escape.groups()
    if simple:
        return _SIMPLE.get(simple, simple)
    number = int(octal, 8) if octal else int("".join(filter(None, hexadecimal)), 16)
    is_character = number <= sys.maxunicode and not 0xD800 <= number <= 0xDFFF
    return chr(number) if is_character else escape[0]


def _formatted(body: Lowering, node: Node, is_raw: bool) -> Value:
    parts: list[Value] = []
    for child in children(node):
        if child.kind_id == _CONTENT:
            inside = body.text[child.start_byte : min(child.end_byte, child.start_byte + 4 * MAX_TEXT)]
            parts.append(Literal(_plain(inside, is_raw).replace("{{", "{").replace("}}", "}")))
        elif child.kind_id == _INTERPOLATION:
            parts.append(_interpolated(body, child))
    return text(parts) if parts else Literal("")


def _interpolated(body: Lowering, node: Node) -> Value:
    """The value between braces; what its format specifier calls is lowered too."""
    if not body.enter(node):
        return OPAQUE
    inner = meat(node)
    given = value(body, inner[0], Fate.COMBINED) if inner else OPAQUE
    for child in inner[1:]:
        if child.kind_id == _FORMAT:
            for nested in meat(child):
                value(body, nested, Fate.COMBINED)
    body.depth -= 1
    return given


@lowers("concatenated_string")
def concatenated(body: Lowering, node: Node, fate: Fate) -> Value:
    """Strings that stand side by side are one."""
    return text(
        VALUES[child.kind_id](body, child, fate) for child in children(node) if child.kind_id not in NOISE
    )


def is_text(given: Value) -> bool:
    """Whether a value is certainly a string."""
    return type(given) is Text or (type(given) is Literal and type(given.value) is str)


def text(parts: Iterable[Value]) -> Value:
    """The string these parts make in a row: neighbouring literals join, and alone are a literal."""
    out: list[Value] = []
    run: list[str] = []
    for part in parts:
        for piece in part.parts if type(part) is Text else (part,):
            if type(piece) is Literal and type(piece.value) is str:
                run.append(piece.value)
            else:
                _flush(run, out)
                out.append(piece)
    _flush(run, out)
    if len(out) == 1 and type(out[0]) is Literal and type(out[0].value) is str:
        return out[0]
    return Text(tuple(out[:MAX_ITEMS])) if out else Literal("")


def _flush(run: list[str], out: list[Value]) -> None:
    joined = "".join(run)[:MAX_TEXT]
    run.clear()
    if joined:
        out.append(Literal(joined))
