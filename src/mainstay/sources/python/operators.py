"""Operators.  Chains of one operator that lean to the left (`a + b + c`) become one operation."""

from tree_sitter import Node

from mainstay.model.code import Assign, Display, Fate, Literal, Operation, Text, Value, Yield
from mainstay.sources.python.calls import call_in
from mainstay.sources.python.dispatch import VALUES, bare, lowers, unknown, value, values
from mainstay.sources.python.grammar import CALL, NOISE, WORDS, kind, meat
from mainstay.sources.python.lowering import MAX_ITEMS, OPAQUE, Lowering
from mainstay.sources.python.names import integer
from mainstay.sources.python.strings import is_text, text

_BINARY = kind("binary_operator")
_FROM = kind("from", named=False)
_NOT_FLAT = frozenset(("%", "**"))
_LONGEST_CHAIN = 40  # changes of operator in a chain that are kept
_COLON = kind(":", named=False)


@lowers("binary_operator", "union_type")
def binary(body: Lowering, node: Node, fate: Fate) -> Value:
    """Arithmetic, or a `Text` where the operands say so."""
    first, steps = _spine(node)
    if not steps:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    given = value(body, first, Fate.COMBINED)
    group: list[Value] = [given]
    for number, (operator, right, above) in enumerate(steps):
        group.append(value(body, right, Fate.COMBINED))
        is_last = number + 1 == len(steps)
        if is_last or operator in _NOT_FLAT or steps[number + 1][0] != operator:
            group = [_operation(operator, group) if above <= _LONGEST_CHAIN else OPAQUE]
    body.depth -= 1
    return group[0]


def _spine(node: Node) -> tuple[Node, list[tuple[str, Node, int]]]:
    """The leftmost operand, and then operator, right operand and changes of operator above, in order."""
    steps: list[tuple[str, Node, int]] = []
    above = 0
    while node.kind_id == _BINARY or not steps:
        parts = node.children if node.child_count == 3 else _without_comments(node)
        if len(parts) != 3:
            break
        left, sign, right = parts
        operator = WORDS.get(sign.kind_id, "")
        if steps and (operator != steps[-1][0] or operator in _NOT_FLAT):
            above += 1
        steps.append((operator, right, above))
        node = bare(left)
    steps.reverse()
    return node, steps


def _without_comments(node: Node) -> list[Node]:
    return [child for child in node.children if not child.is_extra]


def _operation(operator: str, operands: list[Value]) -> Value:
    if operator == "+" and any(is_text(operand) for operand in operands):
        return text(operands)
    if operator == "%" and is_text(operands[0]):
        given = operands[1]
        extra = given.items if type(given) is Display and given.kind == "tuple" else (given,)
        first = operands[0].parts if type(operands[0]) is Text else (operands[0],)
        return Text((*first, *extra)[:MAX_ITEMS])
    return Operation(operator, tuple(operands[:MAX_ITEMS]))


@lowers("unary_operator")
def unary(body: Lowering, node: Node, fate: Fate) -> Value:
    """`-a`, `+a`, `~a`; a negative number is a constant."""
    inner = meat(node)
    if len(inner) != 1:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    operator = WORDS.get(node.children[0].kind_id, "")
    given = value(body, inner[0], Fate.COMBINED)
    body.depth -= 1
    if operator == "-" and type(given) is Literal:
        if type(given.value) is int:
            return integer(-given.value)
        if type(given.value) is float:
            return Literal(-given.value)
    return Operation(operator, (given,))


@lowers("not_operator")
def not_(body: Lowering, node: Node, fate: Fate) -> Value:
    """`not a`."""
    inner = meat(node)
    if len(inner) != 1:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    given = value(body, inner[0], Fate.TESTED)
    body.depth -= 1
    return Operation("not", (given,))


@lowers("comparison_operator")
def comparison(body: Lowering, node: Node, fate: Fate) -> Value:
    """`a < b`; `a < b < c` is what it stands for, `a < b and b < c`."""
    parts = _without_comments(node)
    if len(parts) < 3 or len(parts) % 2 == 0:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    operands = values(body, parts[::2], Fate.TESTED)
    body.depth -= 1
    words = [WORDS.get(part.kind_id, "") for part in parts[1::2]]
    if len(words) == 1:
        return Operation(words[0], operands)
    pairs = zip(words[:MAX_ITEMS], operands, operands[1:], strict=False)
    return Operation("and", tuple(Operation(word, (left, right)) for word, left, right in pairs))


@lowers("await")
def await_(body: Lowering, node: Node, fate: Fate) -> Value:
    """Awaiting a call marks the call; anything else awaited is an operation."""
    inner = meat(node)
    if len(inner) != 1:
        return unknown(body, node, fate)
    awaited = bare(inner[0])
    if awaited.kind_id == CALL:
        return call_in(body, awaited, fate, True)
    if not body.enter(node):
        return OPAQUE
    given = value(body, awaited, Fate.COMBINED)
    body.depth -= 1
    return Operation("await", (given,))


@lowers("named_expression")
def walrus(body: Lowering, node: Node, fate: Fate) -> Value:
    """`a := b`: an assignment that has a value."""
    inner = meat(node)
    if len(inner) != 2:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    given = value(body, inner[1], Fate.STORED)
    target = value(body, inner[0], Fate.STORED)
    body.depth -= 1
    body.statements.append(Assign(body.scope, *body.place(node), (target,), given))
    return given


@lowers("yield")
def yield_(body: Lowering, node: Node, _: Fate) -> Value:
    """`yield a`, or `yield from a` as `*a`.  What is sent back is unknown."""
    if not body.enter(node):
        return OPAQUE
    inner = meat(node)
    given = value(body, inner[0], Fate.YIELDED) if inner else None
    body.depth -= 1
    if given is not None and any(child.kind_id == _FROM for child in node.children):
        given = Operation("*", (given,))
    body.is_generator = True
    body.statements.append(Yield(body.scope, *body.place(node), given))
    return OPAQUE


@lowers("slice")
def slice_(body: Lowering, node: Node, _: Fate) -> Value:
    """`a:b:c`; what is left out is None."""
    if not body.enter(node):
        return OPAQUE
    operands: list[Value] = [Literal(None)]
    for child in node.children:
        if child.kind_id == _COLON:
            operands.append(Literal(None))
        elif child.kind_id not in NOISE:
            operands[-1] = VALUES[child.kind_id](body, child, Fate.COMBINED)
    body.depth -= 1
    return Operation(":", tuple(operands))
