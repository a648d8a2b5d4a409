"""Calls, and the chains they stand in: `a.b(c).d[e](f)`.

A chain leans to the left, so it is walked down to its first link and lowered on the way back,
without recursion: chains of thousands of links are common in generated code.
"""

from msgspec import Struct
from tree_sitter import Node

from mainstay.model.code import Attribute, Call, Display, Fate, Keyword, Name, Operation, Result, Value
from mainstay.sources.python.dispatch import VALUES, bare, lowers, unknown, value
from mainstay.sources.python.grammar import (
    ATTRIBUTE,
    CALL,
    IDENTIFIER,
    NOISE,
    SUBSCRIPT,
    children,
    kind,
    meat,
)
from mainstay.sources.python.lowering import MAX_DEPTH, MAX_ITEMS, OPAQUE, Lowering
from mainstay.sources.python.names import dotted
from mainstay.sources.python.source import spoken

_SHORT = 120  # bytes within which a dotted name is looked for in the text rather than in the tree
_LONGEST_CHAIN = 40  # links after the last call that are kept

_KEYWORD = kind("keyword_argument")
_SPREAD = kind("dictionary_splat")
_GENERATOR = kind("generator_expression")
_LINKS = frozenset((CALL, ATTRIBUTE, SUBSCRIPT))
_NAMES = frozenset((IDENTIFIER, ATTRIBUTE))

PASSED, CHAINED, COMBINED = Fate.PASSED, Fate.CHAINED, Fate.COMBINED


class Link(Struct, gc=False):
    """One step of a chain, `above` steps from where its value is used or called."""

    node: Node
    base: Node
    rest: list[Node]
    above: int


@lowers("call")
def call(body: Lowering, node: Node, fate: Fate) -> Value:
    """A call; of a plain name, mostly."""
    return call_in(body, node, fate, False)


def call_in(body: Lowering, node: Node, fate: Fate, awaited: bool) -> Value:
    """A call that is awaited or not."""
    function = node.children[0]
    if function.kind_id in _NAMES:
        start, end = function.start_byte, function.end_byte
        if end - start < _SHORT and node.child_count == 2:
            callee = dotted(body, body.text[start:end])
            if callee is not None:
                return _called(body, node, callee, node.children[1], fate, awaited)
    return _chain(body, node, fate, awaited)


@lowers("attribute", "member_type")
def attribute(body: Lowering, node: Node, fate: Fate) -> Value:
    """A dotted name, mostly."""
    start, end = node.start_byte, node.end_byte
    if end - start < _SHORT:
        known = dotted(body, body.text[start:end])
        if known is not None:
            return known
    return _chain(body, node, fate, False)


@lowers("subscript")
def subscript(body: Lowering, node: Node, fate: Fate) -> Value:
    """`a[b]`."""
    return _chain(body, node, fate, False)


def _chain(body: Lowering, node: Node, fate: Fate, awaited: bool) -> Value:
    links = _links(body, node)
    if not links:
        return unknown(body, node, fate)
    base = links[-1].base
    given = _base(body, base)
    path: list[str] = []
    for link in reversed(links):
        kind_id = link.node.kind_id
        if kind_id == CALL:
            callee = _read(given, path)
            is_last = link is links[0]
            given = _called(
                body,
                link.node,
                callee,
                link.rest[0],
                fate if is_last else CHAINED,
                awaited and is_last,
            )
        elif kind_id == SUBSCRIPT:
            given = _subscripted(body, _read(given, path), link)
        else:
            path.append(spoken(body.slice(link.rest[0])))
    return _read(given, path)


def _base(body: Lowering, node: Node) -> Value:
    if node.kind_id in _NAMES and node.end_byte - node.start_byte < _SHORT:
        known = dotted(body, body.slice(node))
        if known is not None:
            return known
    if node.kind_id in _LINKS or not body.enter(node):
        return OPAQUE
    given = value(body, node, CHAINED)
    body.depth -= 1
    return given


def _links(body: Lowering, node: Node) -> list[Link]:
    """The steps of a chain, from the last to the first.  The base of the first is no such step."""
    links: list[Link] = []
    above = 0
    while True:
        kind_id = node.kind_id
        if kind_id not in _LINKS:
            return links
        start, end = node.start_byte, node.end_byte
        if kind_id == ATTRIBUTE and links and end - start < _SHORT and dotted(body, body.text[start:end]):
            return links
        base, *rest = meat(node)
        if not rest and kind_id != SUBSCRIPT:
            return links
        above = 0 if kind_id == CALL else above + (kind_id == SUBSCRIPT)
        base = bare(base)
        links.append(Link(node, base, rest, above))
        node = base


def _read(given: Value, path: list[str]) -> Value:
    """`given.path`; empties `path`."""
    if not path:
        return given
    dotted_path = ".".join(path)
    path.clear()
    if type(given) is Name:
        return Name(f"{given.path}.{dotted_path}")
    return Attribute(given, dotted_path)


def _subscripted(body: Lowering, given: Value, link: Link) -> Value:
    if not body.enter(link.node):
        return OPAQUE
    before = body.depth
    body.depth = min(before + link.above, MAX_DEPTH)
    keys = tuple([value(body, key, COMBINED) for key in link.rest[:MAX_ITEMS]])
    body.depth = before - 1
    if link.above > _LONGEST_CHAIN or not keys:
        return OPAQUE
    return Operation("[]", (given, keys[0] if len(keys) == 1 else Display("tuple", keys)))


def _called(body: Lowering, node: Node, callee: Value, arguments: Node, fate: Fate, awaited: bool) -> Value:
    if body.depth >= MAX_DEPTH:
        body.enter(node)
        return OPAQUE
    body.depth += 1
    positional: list[Value] = []
    keywords: list[Keyword] = []
    if arguments.kind_id == _GENERATOR:
        positional.append(value(body, arguments, PASSED))
    else:
        for child in children(arguments):
            kind_id = child.kind_id
            if kind_id in NOISE:
                continue
            if kind_id == _KEYWORD:
                keywords.append(_keyword(body, child))
            elif kind_id == _SPREAD:
                keywords.append(Keyword("", value(body, meat(child)[0], PASSED)))
            else:
                positional.append(VALUES[kind_id](body, child, PASSED))
    body.depth -= 1
    line, column = body.place(node)
    end_line, end_column = body.end_place(node)
    statements = body.statements
    statements.append(
        Call(
            body.scope,
            line,
            column,
            end_line,
            end_column,
            callee,
            tuple(positional),
            tuple(keywords),
            fate,
            awaited,
        )
    )
    return Result(len(statements) - 1)


def _keyword(body: Lowering, node: Node) -> Keyword:
    inner = node.children if node.child_count == 3 else meat(node)
    name, given = inner[0], inner[-1]
    return Keyword(spoken(body.slice(name)), VALUES[given.kind_id](body, given, PASSED))


def keywords_of(
    body: Lowering, nodes: list[Node], fate: Fate
) -> tuple[tuple[Value, ...], tuple[Keyword, ...]]:
    """The positional and the keyword arguments among `nodes`, as a class's bases are."""
    positional: list[Value] = []
    keywords: list[Keyword] = []
    for node in nodes:
        if node.kind_id in (_KEYWORD, _SPREAD):
            inner = meat(node)
            name = spoken(body.slice(inner[0])) if node.kind_id == _KEYWORD else ""
            keywords.append(Keyword(name, value(body, inner[-1], fate)))
        else:
            positional.append(value(body, node, fate))
    return tuple(positional), tuple(keywords)
