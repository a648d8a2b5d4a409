"""Comments that suppress a rule: `# mainstay: ignore[rule, rule] reason`."""

import re

from tree_sitter import Node, Query, QueryCursor

from mainstay.model.code import Suppression
from mainstay.sources.python.grammar import LANGUAGE
from mainstay.sources.python.source import Source, spoken

_COMMENTS = Query(LANGUAGE, "(comment) @comment")
_SUPPRESSION = re.compile(r"#\s*mainstay:\s*ignore\b\s*(?:\[([^\]]*)\])?\s*(.*)")


def suppressions_in(source: Source, root: Node) -> tuple[Suppression, ...]:
    """The suppressions of a file, in order.  Whether they are any good is for others to say."""
    if b"mainstay:" not in source.data:
        return ()
    found = []
    for node in QueryCursor(_COMMENTS).captures(root).get("comment", ()):
        suppression = _SUPPRESSION.search(spoken(source.text[node.start_byte : node.end_byte]))
        if suppression:
            found.append(_suppression(source, node, suppression))
    return tuple(sorted(found, key=lambda each: (each.line, each.column)))


def _suppression(source: Source, node: Node, found: re.Match[str]) -> Suppression:
    line, column = source.place(node)
    rules = tuple(rule for each in (found[1] or "").split(",") if (rule := each.strip()))
    before = source.text[node.start_byte - node.start_point[1] : node.start_byte]
    return Suppression(line, column, rules, found[2].strip(), not before.strip())
