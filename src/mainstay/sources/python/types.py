"""Annotations: the grammar has its own kinds of nodes for them; they are read as expressions."""

from tree_sitter import Node

from mainstay.model.code import Display, Fate, Operation, Value
from mainstay.sources.python.dispatch import lowers, unknown, value, values
from mainstay.sources.python.grammar import meat
from mainstay.sources.python.lowering import MAX_ITEMS, OPAQUE, Lowering


@lowers("type")
def annotation(body: Lowering, node: Node, fate: Fate) -> Value:
    """What an annotation says."""
    inner = meat(node)
    if len(inner) != 1:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    given = value(body, inner[0], fate)
    body.depth -= 1
    return given


@lowers("generic_type")
def generic(body: Lowering, node: Node, fate: Fate) -> Value:
    """`list[int]`, as the subscript it is."""
    inner = meat(node)
    if len(inner) != 2:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    base = value(body, inner[0], fate)
    keys = values(body, meat(inner[1]), fate)[:MAX_ITEMS]
    body.depth -= 1
    return Operation("[]", (base, keys[0] if len(keys) == 1 else Display("tuple", keys)))
