"""Statements that hold blocks: each block is a scope."""

from msgspec.structs import force_setattr
from tree_sitter import Node

from mainstay.model.code import Display, Fate, ScopeKind, Value
from mainstay.sources.python.blocks import block
from mainstay.sources.python.conditions import loop_variables
from mainstay.sources.python.dispatch import performs, value
from mainstay.sources.python.grammar import BLOCK, NOISE, kind, meat
from mainstay.sources.python.lowering import OPAQUE, Lowering

_ELIF = kind("elif_clause")
_ELSE = kind("else_clause")
_EXCEPT = kind("except_clause")
_FINALLY = kind("finally_clause")
_AS = kind("as_pattern")
_WITH_ITEM = kind("with_item")
_TUPLE = kind("tuple")
_ASYNC = kind("async", named=False)
_CASE = kind("case_clause")
_CASE_PATTERN = kind("case_pattern")
_GUARD = kind("if_clause")
_CAPTURES = frozenset(kind(name) for name in ("dotted_name", "identifier"))
_NAMED_FIRST = frozenset((kind("keyword_pattern"), kind("class_pattern")))
_DEEPEST_PATTERN = 30


@performs("if_statement")
def if_statement(body: Lowering, node: Node) -> None:
    """`if`, `elif`, `else`: tests in the scope around, blocks in one each."""
    scope = -1
    test: Value = OPAQUE
    for child in node.children:
        kind_id = child.kind_id
        if kind_id in NOISE:
            continue
        if kind_id == BLOCK:
            scope = _block(body, ScopeKind.IF, node, child, head=(test,))
        elif kind_id == _ELIF:
            scope = _elif(body, child, scope)
        elif kind_id == _ELSE:
            _clause(body, ScopeKind.ELSE, child, scope)
        else:
            test = value(body, child, Fate.TESTED)


def _elif(body: Lowering, node: Node, of: int) -> int:
    test: Value = OPAQUE
    for child in meat(node):
        if child.kind_id == BLOCK:
            return _block(body, ScopeKind.IF, node, child, of, (test,))
        test = value(body, child, Fate.TESTED)
    return of


def _block(
    body: Lowering,
    kind: ScopeKind,
    start: Node,
    code: Node,
    of: int = -1,
    head: tuple[Value, ...] = (),
    targets: tuple[Value, ...] = (),
    is_async: bool = False,
) -> int:
    """A block in a scope of its own; gives the scope."""
    scope = body.open(kind, start, code, of, is_async, head, targets)
    block(body, code)
    body.close()
    return scope


def _clause(body: Lowering, kind: ScopeKind, node: Node, of: int) -> None:
    """The block of an `else` or `finally`."""
    for child in node.children:
        if child.kind_id == BLOCK:
            _block(body, kind, node, child, of)


@performs("for_statement")
def for_statement(body: Lowering, node: Node) -> None:
    """`for targets in head`: the head is evaluated before the scope, the targets inside."""
    inner = meat(node)
    blocks = [child for child in inner if child.kind_id == BLOCK]
    if len(inner) < 3 or not blocks:
        return
    head = value(body, inner[1], Fate.ITERATED)
    is_async = node.children[0].kind_id == _ASYNC
    scope = body.open(ScopeKind.FOR, node, blocks[0], is_async=is_async, head=(head,))
    force_setattr(body.scopes[scope], "targets", loop_variables(body, inner[0]))
    block(body, blocks[0])
    body.close()
    if inner[-1].kind_id == _ELSE:
        _clause(body, ScopeKind.LOOP_ELSE, inner[-1], scope)


@performs("while_statement")
def while_statement(body: Lowering, node: Node) -> None:
    """`while test`: the test is evaluated inside."""
    inner = meat(node)
    blocks = [child for child in inner if child.kind_id == BLOCK]
    if len(inner) < 2 or not blocks:
        return
    scope = body.open(ScopeKind.WHILE, node, blocks[0])
    force_setattr(body.scopes[scope], "head", (value(body, inner[0], Fate.TESTED),))
    block(body, blocks[0])
    body.close()
    if inner[-1].kind_id == _ELSE:
        _clause(body, ScopeKind.LOOP_ELSE, inner[-1], scope)


@performs("with_statement")
def with_statement(body: Lowering, node: Node) -> None:
    """`with head as targets`."""
    inner = meat(node)
    if len(inner) < 2 or inner[-1].kind_id != BLOCK:
        return
    head: list[Value] = []
    targets: list[Value] = []
    for item in _contexts(inner[0]):
        context, name = _as(item)
        head.append(value(body, context, Fate.ENTERED))
        targets.append(OPAQUE if name is None else value(body, name, Fate.STORED))
    is_async = node.children[0].kind_id == _ASYNC
    _block(body, ScopeKind.WITH, node, inner[-1], -1, tuple(head), tuple(targets), is_async)


def _contexts(clause: Node) -> list[Node]:
    """The contexts of a with clause; the grammar reads `with (a as b, c)` as one tuple at times."""
    items = [meat(item)[0] for item in meat(clause) if item.kind_id == _WITH_ITEM]
    if len(items) == 1 and items[0].kind_id == _TUPLE and any(c.kind_id == _AS for c in items[0].children):
        return meat(items[0])
    return items


def _as(node: Node) -> tuple[Node, Node | None]:
    """Both sides of `a as b`."""
    if node.kind_id == _AS:
        inner = meat(node)
        if len(inner) == 2:
            return inner[0], inner[1].named_child(0) or inner[1]
    return node, None


@performs("try_statement")
def try_statement(body: Lowering, node: Node) -> None:
    """`try`, and the handlers and blocks that belong to it."""
    scope = -1
    for child in node.children:
        kind_id = child.kind_id
        if kind_id == BLOCK:
            scope = _block(body, ScopeKind.TRY, node, child)
        elif kind_id == _EXCEPT:
            _handler(body, child, scope)
        elif kind_id == _ELSE:
            _clause(body, ScopeKind.TRY_ELSE, child, scope)
        elif kind_id == _FINALLY:
            _clause(body, ScopeKind.FINALLY, child, scope)


def _handler(body: Lowering, node: Node, of: int) -> None:
    """`except head as targets`, also `except head, targets` of Python 2."""
    inner = meat(node)
    if not inner or inner[-1].kind_id != BLOCK:
        return
    head: tuple[Value, ...] = ()
    targets: tuple[Value, ...] = ()
    if len(inner) > 1:
        caught, name = _as(inner[0])
        if name is None and len(inner) == 3:
            name = inner[1]
        exceptions = value(body, caught, Fate.COMBINED)
        head = exceptions.items if type(exceptions) is Display else (exceptions,)
        targets = () if name is None else (value(body, name, Fate.STORED),)
    _block(body, ScopeKind.HANDLER, node, inner[-1], of, head, targets)


@performs("match_statement")
def match_statement(body: Lowering, node: Node) -> None:
    """`match head`: a scope for each case, with the names it captures."""
    subjects: list[Value] = []
    for child in meat(node):
        if child.kind_id == BLOCK:
            head = (subjects[0] if len(subjects) == 1 else Display("tuple", tuple(subjects)),)
            for case in meat(child):
                if case.kind_id == _CASE:
                    _case(body, case, head)
        elif child.kind_id == _CASE:
            _case(body, child, tuple(subjects[:1]))
        else:
            subjects.append(value(body, child, Fate.TESTED))


def _case(body: Lowering, node: Node, head: tuple[Value, ...]) -> None:
    """One case; what stands behind its guard stands in a scope inside."""
    inner = meat(node)
    code = inner[-1]
    captures: list[Value] = []
    for child in inner:
        if child.kind_id == _CASE_PATTERN:
            _capture(body, child, captures, _DEEPEST_PATTERN)
    body.open(ScopeKind.CASE, node, code, head=head, targets=tuple(dict.fromkeys(captures)))
    guards = [child for child in inner if child.kind_id == _GUARD]
    if guards and meat(guards[0]):
        test = value(body, meat(guards[0])[0], Fate.TESTED)
        _block(body, ScopeKind.IF, guards[0], code, head=(test,))
    elif code.kind_id == BLOCK:
        block(body, code)
    body.close()


def _capture(body: Lowering, node: Node, captures: list[Value], depth: int) -> None:
    """Collect the names a pattern binds."""
    kind_id = node.kind_id
    if kind_id in _CAPTURES:
        if "." not in body.slice(node):
            captures.append(value(body, node, Fate.STORED))
        return
    inner = meat(node)
    if kind_id in _NAMED_FIRST:
        inner = inner[1:]
    if depth:
        for child in inner:
            _capture(body, child, captures, depth - 1)
