"""Lowering the statements of a block, in a hurry or carefully."""

from tree_sitter import Node

from mainstay.model.code import Unread
from mainstay.sources.python.dispatch import STATEMENTS, nothing
from mainstay.sources.python.grammar import ERROR, children, kind
from mainstay.sources.python.lowering import MAX_BLOCKS, MAX_NODES, Lowering


def block(body: Lowering, node: Node) -> None:
    """Lower the statements of a block, in order."""
    if body.careful:
        careful_block(body, node)
        return
    if body.blocks >= MAX_BLOCKS:
        body.file.miss(node, f"blocks nested more than {MAX_BLOCKS} deep")
        return
    body.blocks += 1
    for child in children(node):
        STATEMENTS[child.kind_id](body, child)
    body.blocks -= 1


def careful_block(body: Lowering, node: Node) -> None:
    """Like `block`, but a statement that fails or is too large becomes an `Unread` of its own."""
    if body.blocks >= MAX_BLOCKS:
        body.file.miss(node, f"blocks nested more than {MAX_BLOCKS} deep")
        return
    body.blocks += 1
    for child in children(node):
        if STATEMENTS[child.kind_id] is not nothing and not _afford(body, child):
            break
        _attempt(body, child)
    body.blocks -= 1


def _afford(body: Lowering, node: Node) -> bool:
    """Pay for the nodes of a statement, blocks inside it excepted; False when there are too many."""
    cost = node.descendant_count - sum(c.descendant_count for c in _blocks(node))
    body.file.nodes -= cost
    if body.file.nodes >= 0:
        return True
    row = node.start_point[0]
    known = body.file.unread[-1] if body.file.unread else None
    if known is None or known.why != _TOO_MUCH or known.line > row + 1:
        body.file.unread.append(Unread(row + 1, _TOO_MUCH, body.file.source.lines))
    return False


_TOO_MUCH = f"more code than the {MAX_NODES} nodes that are read of one file"


def _blocks(node: Node) -> list[Node]:
    if node.child_count > 1000:
        return []
    inner = [child for child in node.children if child.kind_id in _HOLDERS]
    return [block for child in inner for block in (_blocks(child) if child.kind_id != _BLOCK else [child])]


_BLOCK = kind("block")
_HOLDERS = {_BLOCK} | {
    kind(name)
    for name in (
        "elif_clause",
        "else_clause",
        "except_clause",
        "finally_clause",
        "case_clause",
        "function_definition",
        "class_definition",
    )
}


def _attempt(body: Lowering, node: Node) -> None:
    """Lower one statement; when that fails, leave everything as it was and note it."""
    before = body.file.mark()
    state = (len(body.statements), len(body.scopes), body.scope, body.depth, body.blocks)
    try:
        STATEMENTS[node.kind_id](body, node)
    except Exception as error:  # noqa: BLE001  whatever it is, the rest of the file is worth having
        body.file.reset(before)
        del body.statements[state[0] :]
        del body.scopes[state[1] :]
        body.scope, body.depth, body.blocks = state[2:]
        body.file.miss(node, f"the reader failed on this statement ({type(error).__name__})")


def broken(body: Lowering, node: Node) -> None:
    """Keep the whole statements inside a part that was not understood."""
    block(body, node)


STATEMENTS[ERROR] = broken
