"""Names and constants: what most expressions end in.

The value of a name, number or short string depends on its text alone, so it is made once a file.
"""

import re

from tree_sitter import Node

from mainstay.model.code import Fate, Literal, Name, Value
from mainstay.sources.python.dispatch import lowers
from mainstay.sources.python.lowering import OPAQUE, Lowering
from mainstay.sources.python.source import spoken

_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_LONGEST_INTEGER = 30  # characters; more cannot fit 64 bit (but for leading zeros)

TRUE, FALSE, NONE = Literal(True), Literal(False), Literal(None)


@lowers("identifier")
def identifier(body: Lowering, node: Node, _: Fate) -> Value:
    """A name."""
    text = body.text[node.start_byte : node.end_byte]
    known = body.known.get(text)
    if known is None:
        known = body.known[text] = Name(spoken(text)) if text else OPAQUE
    return known


@lowers("dotted_name")
def dotted_name(body: Lowering, node: Node, _: Fate) -> Value:
    """A dotted name, wherever the grammar allows nothing else."""
    return Name("".join(spoken(body.slice(node)).split()))


def dotted(body: Lowering, text: str) -> Value | None:
    """The name that `text` (of the file, byte by byte) is, or None when it is anything else."""
    known = body.known.get(text)
    if known is None:
        path = spoken(text)
        if _DOTTED.fullmatch(path):
            known = body.known[text] = Name(path)
    return known


@lowers("true")
def true(_: Lowering, __: Node, ___: Fate) -> Value:
    """`True`."""
    return TRUE


@lowers("false")
def false(_: Lowering, __: Node, ___: Fate) -> Value:
    """`False`."""
    return FALSE


@lowers("none")
def none(_: Lowering, __: Node, ___: Fate) -> Value:
    """`None`."""
    return NONE


@lowers("ellipsis")
def ellipsis(_: Lowering, __: Node, ___: Fate) -> Value:
    """`...`."""
    return OPAQUE


@lowers("integer", "float")
def number(body: Lowering, node: Node, _: Fate) -> Value:
    """A number; one that is imaginary or does not fit 64 bit is opaque."""
    text = body.slice(node)
    known = body.known.get(text)
    if known is None:
        known = body.known[text] = _number(text)
    return known


def _number(text: str) -> Value:
    text = text.lower().rstrip("l")
    try:
        if text.isdigit() and text != "0" and text.startswith("0"):
            return integer(int(text, 8))
        if len(text) <= _LONGEST_INTEGER and (text.startswith("0x") or not set(text) & set(".ej")):
            return integer(int(text, 0))
        return Literal(float(text))
    except ValueError:
        return OPAQUE


def integer(given: int) -> Value:
    """An integer, where 64 bit can hold it."""
    return Literal(given) if -(2**63) <= given < 2**64 else OPAQUE
