"""Expressions of which a part may not run: `a if b else c`, `a and b`, comprehensions.

The part that may not run gets a scope, where it does anything at all.
"""

from typing import Literal as Choice

from msgspec.structs import force_setattr
from tree_sitter import Node

from mainstay.model.code import Display, Each, Fate, Operation, ScopeKind, Value
from mainstay.sources.python.dispatch import bare, lowers, unknown, value
from mainstay.sources.python.grammar import WORDS, kind, meat
from mainstay.sources.python.lowering import MAX_ITEMS, OPAQUE, Lowering

_BOOLEAN = kind("boolean_operator")
_FOR = kind("for_in_clause")
_IF = kind("if_clause")
_PAIR = kind("pair")
_ASYNC = kind("async", named=False)
_MOST_OPEN = 20  # scopes that one expression opens inside each other


@lowers("conditional_expression")
def conditional(body: Lowering, node: Node, fate: Fate) -> Value:
    """`then if test else other`."""
    parts = meat(node)
    if len(parts) != 3:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    then, test, other = parts
    tested = value(body, test, Fate.TESTED)
    if body.is_quiet(then) and body.is_quiet(other):
        given = (tested, value(body, then, fate), value(body, other, fate))
    else:
        given = (tested, *_branches(body, tested, then, other, fate))
    body.depth -= 1
    return Operation("if", given)


def _branches(body: Lowering, test: Value, then: Node, other: Node, fate: Fate) -> tuple[Value, Value]:
    yes = body.open(ScopeKind.IF, then, then, head=(test,))
    if_true = value(body, then, fate)
    body.close()
    no = body.open(ScopeKind.ELSE, other, other, of=yes)
    if_false = value(body, other, fate)
    if not body.is_empty(no):
        body.close()
        return if_true, if_false
    body.drop()
    if body.is_empty(yes):
        body.scopes.pop()
    return if_true, if_false


@lowers("boolean_operator")
def boolean(body: Lowering, node: Node, fate: Fate) -> Value:
    """`a and b and c`: what runs only after a test stands in a scope, and the next one inside of it."""
    operator, operands = _spine(node)
    if len(operands) < 2:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    before = body.scope
    given = [value(body, operands[0], fate)]
    tested = 0
    opened = 0
    for operand in operands[1:]:
        if opened < _MOST_OPEN and not body.is_quiet(operand):
            scope = body.open(ScopeKind.IF, operand, operands[-1])
            given.append(value(body, operand, fate))
            if body.is_empty(scope):
                body.drop()
            else:
                force_setattr(body.scopes[scope], "head", (_test(operator, given[tested:-1]),))
                tested = len(given) - 1
                opened += 1
        else:
            given.append(value(body, operand, fate))
    while body.scope != before:
        body.close()
    body.depth -= 1
    return Operation(operator, tuple(given[:MAX_ITEMS]))


def _test(operator: str, given: list[Value]) -> Value:
    """What must hold for the next operand to run."""
    test = given[0] if len(given) == 1 else Operation(operator, tuple(given[:MAX_ITEMS]))
    return Operation("not", (test,)) if operator == "or" else test


def _spine(node: Node) -> tuple[str, list[Node]]:
    """The operator and all operands of a chain that leans to the left."""
    operator = ""
    operands: list[Node] = []
    while node.kind_id == _BOOLEAN:
        word = next((WORDS[c.kind_id] for c in node.children if WORDS.get(c.kind_id) in ("and", "or")), "")
        parts = meat(node)
        if len(parts) != 2 or operator not in ("", word):
            break
        operator = word
        operands.append(parts[1])
        node = bare(parts[0])
    operands.append(node)
    operands.reverse()
    return operator, operands


@lowers("list_comprehension")
def list_comprehension(body: Lowering, node: Node, fate: Fate) -> Value:
    """`[a for b in c]`."""
    return _comprehension(body, node, fate, "list")


@lowers("set_comprehension")
def set_comprehension(body: Lowering, node: Node, fate: Fate) -> Value:
    """`{a for b in c}`."""
    return _comprehension(body, node, fate, "set")


@lowers("dictionary_comprehension")
def dict_comprehension(body: Lowering, node: Node, fate: Fate) -> Value:
    """`{a: b for c in d}`."""
    return _comprehension(body, node, fate, "dict")


@lowers("generator_expression")
def generator_expression(body: Lowering, node: Node, fate: Fate) -> Value:
    """`(a for b in c)`; read as if it ran where it stands."""
    return _comprehension(body, node, fate, "generator")


def _comprehension(
    body: Lowering,
    node: Node,
    fate: Fate,
    kind: Choice["list", "set", "dict", "generator"],
) -> Value:
    element, *clauses = meat(node)
    if not clauses or clauses[0].kind_id != _FOR:
        return unknown(body, node, fate)
    if not body.enter(node):
        return OPAQUE
    before = scope = body.scope
    for nesting, clause in enumerate(clauses, 1):
        if clause.kind_id == _IF:
            _filter(body, clause, node, nesting)
        elif clause.kind_id == _FOR:
            scope = _loop(body, clause, node, nesting, scope)
    key, item = None, element
    if element.kind_id == _PAIR and len(meat(element)) == 2:
        key_node, item = meat(element)
        key = value(body, key_node, fate)
    given = value(body, item, fate)
    _close_down_to(body, before)
    body.depth -= 1
    return Each(kind, given, scope, key)


def _filter(body: Lowering, clause: Node, whole: Node, nesting: int) -> None:
    inner = meat(clause)
    if inner:
        test = value(body, inner[0], Fate.TESTED)
        if nesting <= _MOST_OPEN and not body.is_quiet(whole):
            body.open(ScopeKind.IF, clause, whole, head=(test,))


def _loop(body: Lowering, clause: Node, whole: Node, nesting: int, scope: int) -> int:
    """Lower a `for` clause; gives its scope, or the last one's when too many are open."""
    inner = meat(clause)
    if len(inner) < 2:
        raise ValueError("a for clause without an iterable")
    head = tuple([value(body, part, Fate.ITERATED) for part in inner[1:]])
    if nesting > _MOST_OPEN:
        return scope
    is_async = clause.children[0].kind_id == _ASYNC
    scope = body.open(ScopeKind.COMPREHENSION, clause, whole, is_async=is_async, head=head)
    force_setattr(body.scopes[scope], "targets", loop_variables(body, inner[0]))
    return scope


def loop_variables(body: Lowering, node: Node) -> tuple[Value, ...]:
    """The targets of a loop: `a, b` are two."""
    given = value(body, node, Fate.STORED)
    return given.items if type(given) is Display and given.items else (given,)


def _close_down_to(body: Lowering, before: int) -> None:
    """Close the scopes a comprehension opened, leaving out filters under which nothing happens."""
    while body.scope != before:
        if body.scopes[body.scope].kind == ScopeKind.IF and body.is_empty(body.scope):
            body.drop()
        else:
            body.close()
