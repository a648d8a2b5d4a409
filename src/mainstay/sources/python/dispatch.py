"""Who lowers which kind of node.

A lowering function is registered by its decorator: `@lowers("call")` for an expression, which gives
its value, and `@performs("return_statement")` for a statement.  Being imported is being registered.
"""

from collections.abc import Callable

from tree_sitter import Node

from mainstay.model.code import Fate, Value
from mainstay.sources.python.grammar import ALL_KINDS, NOISE, PARENTHESES, children, kind, meat
from mainstay.sources.python.lowering import OPAQUE, Lowering

ValueLowering = Callable[[Lowering, Node, Fate], Value]
StatementLowering = Callable[[Lowering, Node], None]

VALUES: dict[int, ValueLowering] = {}
STATEMENTS: dict[int, StatementLowering] = {}


def lowers(*names: str) -> Callable[[ValueLowering], ValueLowering]:
    """Register a function as the one that lowers these kinds of expressions."""

    def register(function: ValueLowering) -> ValueLowering:
        VALUES.update((kind(name), function) for name in names)
        return function

    return register


def performs(*names: str) -> Callable[[StatementLowering], StatementLowering]:
    """Register a function as the one that lowers these kinds of statements."""

    def register(function: StatementLowering) -> StatementLowering:
        STATEMENTS.update((kind(name), function) for name in names)
        return function

    return register


def bare(node: Node) -> Node:
    """`node` without the parentheses around it."""
    while node.kind_id == PARENTHESES:
        inner = meat(node)
        if len(inner) != 1:
            break
        node = inner[0]
    return node


def value(body: Lowering, node: Node, fate: Fate) -> Value:
    """Lower an expression whose result meets `fate`: its calls become statements."""
    return VALUES[node.kind_id](body, node, fate)


def values(body: Lowering, nodes: list[Node], fate: Fate) -> tuple[Value, ...]:
    """Lower expressions from left to right."""
    return tuple([VALUES[node.kind_id](body, node, fate) for node in nodes])


@lowers("parenthesized_expression")
def parentheses(body: Lowering, node: Node, fate: Fate) -> Value:
    """What stands inside of them."""
    inner = bare(node)
    return unknown(body, inner, fate) if inner.kind_id == PARENTHESES else value(body, inner, fate)


def unknown(body: Lowering, node: Node, _: Fate) -> Value:
    """An expression of a kind we do not know: its calls are kept, its value is not."""
    if body.enter(node):
        for child in children(node):
            if child.kind_id in NOISE:
                continue
            perform = STATEMENTS[child.kind_id]
            if perform is nothing:
                VALUES[child.kind_id](body, child, Fate.COMBINED)
            else:
                perform(body, child)
        body.depth -= 1
    return OPAQUE


def nothing(_: Lowering, __: Node) -> None:
    """A node that says nothing where a statement is expected: a semicolon, a comment, `pass`."""


def complete_tables() -> None:
    """Give every kind that nobody lowers its default."""
    for number in ALL_KINDS:
        VALUES.setdefault(number, unknown)
        STATEMENTS.setdefault(number, nothing)
