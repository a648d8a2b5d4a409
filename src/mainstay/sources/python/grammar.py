"""The tree-sitter grammar of Python: kinds of nodes by number, and a parse that cannot run away."""

from collections.abc import Iterable, Iterator
from time import thread_time

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Point, Tree

LANGUAGE = Language(tree_sitter_python.language())

PARSE_SECONDS = 5.0
"""CPU time a parse may take.  The largest files worth reading take well under one second."""

UNTIMED_BYTES = 1_000_000
"""Files up to this size are parsed without watching the time.

The worst text we found costs 5 us a byte, so they are done within `PARSE_SECONDS` or nearly so.  And
py-tree-sitter 0.26 never frees what a read callback gave it, so it is worth calling only for few files.
"""

_CHUNK = 1 << 16
_CROWD = 20_000  # children a node may have before they are visited one at a time, to save memory


class ParseStopped(Exception):
    """The parse took longer than `PARSE_SECONDS`."""


def kind(name: str, named: bool = True) -> int:
    """The number of a kind of node.  Fails at import when the grammar no longer has it."""
    number = LANGUAGE.id_for_node_kind(name, named)
    if not number:
        raise LookupError(f"tree-sitter-python has no node {name!r}")
    return number


ERROR = 0xFFFF
IDENTIFIER = kind("identifier")
ATTRIBUTE = kind("attribute")
CALL = kind("call")
SUBSCRIPT = kind("subscript")
PARENTHESES = kind("parenthesized_expression")
AWAIT = kind("await")
BLOCK = kind("block")
COMMENT = kind("comment")

ALL_KINDS = (*range(LANGUAGE.node_kind_count), ERROR)

WORDS = {number: LANGUAGE.node_kind_for_id(number) or "" for number in ALL_KINDS if number != ERROR}
"""What each kind is called; for keywords and punctuation, their text."""

NOISE = frozenset(
    number for number in ALL_KINDS if number == ERROR or not LANGUAGE.node_kind_is_named(number)
) | {COMMENT, kind("line_continuation")}
"""Kinds that carry no meaning of their own: punctuation, keywords, comments, what was not understood."""


def meat(node: Node) -> list[Node]:
    """The children that carry meaning."""
    return [child for child in node.children if child.kind_id not in NOISE]


def children(node: Node) -> Iterable[Node]:
    """All children, without holding them all in memory when they are very many."""
    return node.children if node.child_count < _CROWD else _one_by_one(node)


def _one_by_one(node: Node) -> Iterator[Node]:
    cursor = node.walk()
    more = cursor.goto_first_child()
    while more:
        if cursor.node is not None:
            yield cursor.node
        more = cursor.goto_next_sibling()


def parse(data: bytes) -> Tree:
    """The syntax tree of UTF-8 `data`; raises `ParseStopped` when it takes too long."""
    if len(data) <= UNTIMED_BYTES:
        return Parser(LANGUAGE).parse(data)
    deadline = thread_time() + PARSE_SECONDS

    def chunk(offset: int, _: Point) -> bytes:
        return data[offset : offset + _CHUNK]

    def late(_: int, __: bool) -> bool:
        return thread_time() > deadline

    try:
        return Parser(LANGUAGE).parse(chunk, progress_callback=late)
    except ValueError as error:
        raise ParseStopped from error
