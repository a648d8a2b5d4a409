"""Statements that hold no block."""

from tree_sitter import Node

from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Fate,
    Keyword,
    Leave,
    Name,
    Opaque,
    Raise,
    Result,
    Return,
    Use,
    Value,
)
from mainstay.sources.python.dispatch import VALUES, performs, value, values
from mainstay.sources.python.displays import tuple_
from mainstay.sources.python.grammar import NOISE, WORDS, kind, meat
from mainstay.sources.python.lowering import OPAQUE, Lowering
from mainstay.sources.python.source import spoken

_ASSIGNMENT = kind("assignment")
_AUGMENTED = kind("augmented_assignment")
_COMMA = kind(",", named=False)
_FROM = kind("from", named=False)
_TYPE = kind("type")
_CHEVRON = kind("chevron")
_ARGUMENTS = frozenset((kind("parenthesized_expression"), kind("tuple")))
_LEANING = frozenset(kind(name) for name in ("type", "generic_type", "attribute", "subscript", "member_type"))

DISCARDED, STORED = Fate.DISCARDED, Fate.STORED


@performs("expression_statement")
def expression_statement(body: Lowering, node: Node) -> None:
    """An assignment, or an expression for its effect.

    A call needs no statement besides itself, and `...` and what was not understood say nothing.
    """
    parts = node.children
    if len(parts) == 1:
        only = parts[0]
        kind_id = only.kind_id
        if kind_id == _ASSIGNMENT:
            _assignment(body, only)
            return
        if kind_id == _AUGMENTED:
            _augmented(body, only)
            return
        given = VALUES[kind_id](body, only, DISCARDED)
    else:
        given = _several(body, node)
    if type(given) is not Result and type(given) is not Opaque:
        body.statements.append(Use(body.scope, *body.place(node), "", given))


def _several(body: Lowering, node: Node) -> Value:
    """An expression statement with comments in it, or with commas: a tuple."""
    if any(child.kind_id == _COMMA for child in node.children):
        return tuple_(body, node, DISCARDED)
    inner = meat(node)
    if len(inner) != 1:
        return VALUES[node.kind_id](body, node, DISCARDED)
    if inner[0].kind_id == _ASSIGNMENT:
        _assignment(body, inner[0])
    elif inner[0].kind_id == _AUGMENTED:
        _augmented(body, inner[0])
    else:
        return value(body, inner[0], DISCARDED)
    return OPAQUE


def _assignment(body: Lowering, node: Node) -> None:
    """`a = b = value`, `a: type = value` or `a: type`."""
    line, column = body.place(node)
    targets: list[Node] = []
    types: list[Node] = []
    given: Value | None = None
    while True:
        left, *rest = meat(node)
        targets.append(left)
        if rest and rest[0].kind_id == _TYPE:
            types.append(rest.pop(0))
        if not rest:
            break
        if rest[0].kind_id == _ASSIGNMENT:
            node = rest[0]
            continue
        given = VALUES[rest[0].kind_id](body, rest[0], STORED)
        break
    lowered = tuple([VALUES[target.kind_id](body, target, STORED) for target in targets])
    annotation = value(body, types[0], Fate.DECORATES) if types else None
    body.statements.append(Assign(body.scope, line, column, lowered, given, "", annotation))


def _augmented(body: Lowering, node: Node) -> None:
    """`a += value`."""
    inner = meat(node)
    sign = next((word for c in node.children if (word := WORDS.get(c.kind_id, "")).endswith("=")), "=")
    target, given = value(body, inner[0], STORED), value(body, inner[-1], STORED)
    body.statements.append(Assign(body.scope, *body.place(node), (target,), given, sign[:-1]))


@performs("type_alias_statement")
def type_alias(body: Lowering, node: Node) -> None:
    """`type X = value`, an assignment; the grammar takes `type(a).b = value` for one as well."""
    inner = meat(node)
    left = _innermost(inner[0])
    is_call = left.kind_id in _ARGUMENTS
    given = value(body, inner[-1], STORED if is_call else Fate.DECORATES)
    target = _type_of(body, node, inner[0], left) if is_call else value(body, left, STORED)
    body.statements.append(Assign(body.scope, *body.place(node), (target,), given))


def _innermost(node: Node) -> Node:
    """The leftmost part of the left side of a `type` statement: its name, or what is in parentheses."""
    while node.kind_id in _LEANING:
        node = meat(node)[0]
    return node


def _type_of(body: Lowering, node: Node, left: Node, argument: Node) -> Value:
    """`type(argument).path`, of which the grammar has seen `(argument).path`."""
    given = value(body, argument, Fate.PASSED)
    arguments = given.items if type(given) is Display else (given,)
    place = (*body.place(node), *body.end_place(argument))
    body.statements.append(Call(body.scope, *place, Name("type"), arguments, (), Fate.CHAINED, False))
    path = spoken(body.text[argument.end_byte : left.end_byte]).strip()
    result = Result(len(body.statements) - 1)
    return Attribute(result, path[1:]) if path[1:].replace(".", "").isidentifier() else OPAQUE


@performs("return_statement")
def return_statement(body: Lowering, node: Node) -> None:
    """`return value`."""
    given = None
    if node.child_count > 1:
        inner = meat(node)
        given = value(body, inner[0], Fate.RETURNED) if inner else None
    body.statements.append(Return(body.scope, *body.place(node), given))


@performs("raise_statement")
def raise_statement(body: Lowering, node: Node) -> None:
    """`raise value from cause`."""
    inner = meat(node)
    has_cause = len(inner) > 1 and any(child.kind_id == _FROM for child in node.children)
    given = value(body, inner[0], Fate.RAISED) if inner else None
    cause = value(body, inner[-1], Fate.RAISED) if has_cause else None
    body.statements.append(Raise(body.scope, *body.place(node), given, cause))


@performs("break_statement")
def break_statement(body: Lowering, node: Node) -> None:
    """`break`."""
    body.statements.append(Leave(body.scope, *body.place(node), "break"))


@performs("continue_statement")
def continue_statement(body: Lowering, node: Node) -> None:
    """`continue`."""
    body.statements.append(Leave(body.scope, *body.place(node), "continue"))


@performs("assert_statement")
def assert_statement(body: Lowering, node: Node) -> None:
    """`assert test, message`: what the message calls comes after the test."""
    inner = meat(node)
    if not inner:
        return
    test = value(body, inner[0], Fate.TESTED)
    body.statements.append(Use(body.scope, *body.place(node), "assert", test))
    values(body, inner[1:], Fate.RAISED)


@performs("delete_statement")
def delete_statement(body: Lowering, node: Node) -> None:
    """`del targets`; several are a tuple."""
    inner = meat(node)
    if inner:
        given = value(body, inner[0], Fate.COMBINED)
        body.statements.append(Use(body.scope, *body.place(node), "del", given))


@performs("print_statement", "exec_statement")
def python2_statement(body: Lowering, node: Node) -> None:
    """`print a, b` and `exec a in b` of Python 2, read as the calls they became."""
    positional: list[Value] = []
    keywords: list[Keyword] = []
    for child in node.children:
        if child.kind_id == _CHEVRON:
            keywords.append(Keyword("file", value(body, meat(child)[0], Fate.PASSED)))
        elif child.kind_id not in NOISE:
            positional.append(value(body, child, Fate.PASSED))
    callee = Name(WORDS[node.children[0].kind_id])
    place = (*body.place(node), *body.end_place(node))
    body.statements.append(
        Call(body.scope, *place, callee, tuple(positional), tuple(keywords), DISCARDED, False)
    )
