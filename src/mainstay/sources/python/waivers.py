"""Comments that waive a rule: `# mainstay: ignore[rule, rule] reason`."""

import re

from tree_sitter import Node, Query, QueryCursor

from mainstay.model.code import Waiver
from mainstay.sources.python.grammar import LANGUAGE
from mainstay.sources.python.source import Source, spoken

_COMMENTS = Query(LANGUAGE, "(comment) @comment")
_WAIVER = re.compile(r"#\s*mainstay:\s*ignore\b\s*(?:\[([^\]]*)\])?\s*(.*)")


def waivers_in(source: Source, root: Node) -> tuple[Waiver, ...]:
    """The waivers of a file, in order.  Whether they are any good is for others to say."""
    if b"mainstay:" not in source.data:
        return ()
    found = []
    for node in QueryCursor(_COMMENTS).captures(root).get("comment", ()):
        waiver = _WAIVER.search(spoken(source.text[node.start_byte : node.end_byte]))
        if waiver:
            found.append(_waiver(source, node, waiver))
    return tuple(sorted(found, key=lambda each: (each.line, each.column)))


def _waiver(source: Source, node: Node, found: re.Match[str]) -> Waiver:
    line, column = source.place(node)
    rules = tuple(rule for each in (found[1] or "").split(",") if (rule := each.strip()))
    before = source.text[node.start_byte - node.start_point[1] : node.start_byte]
    return Waiver(line, column, rules, found[2].strip(), not before.strip())
