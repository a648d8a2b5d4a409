"""Imports, wherever they stand."""

from tree_sitter import Node

from mainstay.model.code import Import
from mainstay.sources.python.dispatch import performs
from mainstay.sources.python.grammar import children, kind, meat
from mainstay.sources.python.lowering import Lowering
from mainstay.sources.python.source import spoken

_ALIASED = kind("aliased_import")
_DOTTED = kind("dotted_name")
_RELATIVE = kind("relative_import")
_STAR = kind("wildcard_import")


@performs("import_statement")
def import_statement(body: Lowering, node: Node) -> None:
    """`import a.b as c, d.e`."""
    for child in children(node):
        name = _name(body, child)
        if name is None:
            continue
        path, alias = name
        root, _, rest = path.partition(".")
        if alias:
            _add(body, child, alias, path, "", 0)
        else:
            _add(body, child, root, root, "", 0, path if rest else "")


@performs("import_from_statement", "future_import_statement")
def import_from_statement(body: Lowering, node: Node) -> None:
    """`from ..a import b as c, d` and `from a import *`."""
    module, level = "__future__", 0
    is_first = not node.type.startswith("future")
    for child in children(node):
        if is_first and child.kind_id in (_DOTTED, _RELATIVE):
            path = _path(body, child)
            module = path.lstrip(".")
            level = len(path) - len(module)
            is_first = False
        elif child.kind_id == _STAR:
            _add(body, child, "*", module, "*", level)
        elif name := _name(body, child):
            _add(body, child, name[1] or name[0], module, name[0], level)


def _name(body: Lowering, node: Node) -> tuple[str, str] | None:
    """What is imported and the name it is given, if any."""
    if node.kind_id == _DOTTED:
        return _path(body, node), ""
    if node.kind_id == _ALIASED:
        inner = meat(node)
        return _path(body, inner[0]), _path(body, inner[-1])
    return None


def _path(body: Lowering, node: Node) -> str:
    return "".join(spoken(body.slice(node)).replace("\\", " ").split())


def _add(
    body: Lowering, node: Node, name: str, module: str, attribute: str, level: int, loads: str = ""
) -> None:
    line = node.start_point[0] + 1
    body.file.imports.append(Import(name, module, attribute, level, line, body.index, loads))
