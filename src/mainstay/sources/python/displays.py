"""Lists, tuples, sets and dicts written out, and what is spread into them.

Of a long display the first `MAX_ITEMS` items are kept; what the others call is lowered all the same.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal as Choice

from tree_sitter import Node

from mainstay.model.code import Display, Fate, Operation, Value
from mainstay.sources.python.dispatch import VALUES, lowers, unknown, value
from mainstay.sources.python.grammar import NOISE, children, kind, meat
from mainstay.sources.python.lowering import MAX_ITEMS, OPAQUE, Lowering

_PAIR = kind("pair")


@lowers("list", "list_pattern")
def list_(body: Lowering, node: Node, fate: Fate) -> Value:
    """`[a, b]`."""
    return _display(body, node, fate, "list")


@lowers("tuple", "tuple_pattern", "expression_list", "pattern_list")
def tuple_(body: Lowering, node: Node, fate: Fate) -> Value:
    """`(a, b)`, with or without its parentheses."""
    return _display(body, node, fate, "tuple")


@lowers("set")
def set_(body: Lowering, node: Node, fate: Fate) -> Value:
    """`{a, b}`."""
    return _display(body, node, fate, "set")


def _display(body: Lowering, node: Node, fate: Fate, kind: Choice["list", "tuple", "set"]) -> Value:
    if not body.enter(node):
        return OPAQUE
    if node.child_count < 2 * MAX_ITEMS:
        items = [VALUES[c.kind_id](body, c, fate) for c in node.children if c.kind_id not in NOISE]
    else:
        nodes = _meat_of_many(node)
        items = [value(body, item, fate) for item in islice(nodes, MAX_ITEMS)]
        _perform_rest(body, node, nodes, fate)
    body.depth -= 1
    return Display(kind, tuple(items))


@lowers("dictionary")
def dictionary(body: Lowering, node: Node, fate: Fate) -> Value:
    """`{a: b, **c}`; the key of something spread is opaque."""
    if not body.enter(node):
        return OPAQUE
    nodes = _meat_of_many(node)
    keys: list[Value] = []
    items: list[Value] = []
    for child in islice(nodes, MAX_ITEMS):
        key, item = _pair(body, child, fate)
        keys.append(key)
        items.append(item)
    _perform_rest(body, node, nodes, fate)
    body.depth -= 1
    return Display("dict", tuple(items), tuple(keys))


def _pair(body: Lowering, node: Node, fate: Fate) -> tuple[Value, Value]:
    inner = meat(node) if node.kind_id == _PAIR else []
    if len(inner) != 2:
        return OPAQUE, value(body, node, fate)
    key, item = inner
    return VALUES[key.kind_id](body, key, fate), VALUES[item.kind_id](body, item, fate)


def _meat_of_many(node: Node) -> Iterator[Node]:
    return (child for child in children(node) if child.kind_id not in NOISE)


def _perform_rest(body: Lowering, node: Node, rest: Iterable[Node], fate: Fate) -> None:
    """Lower those of the remaining items that may call something, for the sake of those calls."""
    text, end = body.text, node.end_byte
    checked = False
    for item in rest:
        start = item.start_byte
        if not checked and text.find("(", start, end) < 0:
            return
        checked = True
        if text.find("(", start, item.end_byte) >= 0:
            _pair(body, item, fate)


@lowers("list_splat", "list_splat_pattern", "parenthesized_list_splat", "splat_type")
def spread(body: Lowering, node: Node, fate: Fate) -> Value:
    """`*a`."""
    return _spread(body, node, fate, "*")


@lowers("dictionary_splat", "dictionary_splat_pattern")
def dict_spread(body: Lowering, node: Node, fate: Fate) -> Value:
    """`**a`."""
    return _spread(body, node, fate, "**")


def _spread(body: Lowering, node: Node, fate: Fate, operator: str) -> Value:
    inner = meat(node)
    if len(inner) != 1:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    given = value(body, inner[0], fate)
    body.depth -= 1
    if type(given) is Operation and given.operator == operator and len(given.operands) == 1:
        return given
    return Operation(operator, (given,))
