"""What the grammar did not understand."""

from tree_sitter import Node, Tree

from mainstay.model.code import Unread
from mainstay.sources.python.grammar import children

NOT_UNDERSTOOD = "syntax not understood"


def broken_in(tree: Tree) -> list[Unread]:
    """The parts of a file that are not Python as the grammar knows it, in order."""
    found: list[Unread] = []
    pending = [tree.root_node] if tree.root_node.has_error else []
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            _add(found, node)
        else:
            pending.extend([child for child in children(node) if child.has_error or child.is_missing][::-1])
    return found


def _add(found: list[Unread], node: Node) -> None:
    """Note a part, together with the one before where they share a line."""
    first, last = node.start_point[0] + 1, node.end_point[0] + 1
    if found and found[-1].end_line >= first:
        first = found[-1].line
        last = max(last, found.pop().end_line)
    found.append(Unread(first, NOT_UNDERSTOOD, last))
