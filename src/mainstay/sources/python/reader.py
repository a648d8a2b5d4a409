"""Reading one Python file: text, tree, bodies."""

import gc
from typing import cast

from tree_sitter import Tree

from mainstay.model.code import Body, Module, Scope, ScopeKind, Unread
from mainstay.sources.python import (  # noqa: F401  being imported is being registered
    compound,
    conditions,
    displays,
    imports,
    names,
    operators,
    statements,
    strings,
    types,
)
from mainstay.sources.python.definitions import perform
from mainstay.sources.python.dispatch import complete_tables
from mainstay.sources.python.grammar import PARSE_SECONDS, ParseStopped, parse
from mainstay.sources.python.lowering import File, Lowering, Pending
from mainstay.sources.python.recovery import recover
from mainstay.sources.python.source import NotText, Source, text_of
from mainstay.sources.python.suppressions import suppressions_in

READER_VERSION = 1
"""Changes whenever the same source would be read differently."""

MAX_UNREAD = 200
"""Unread parts of one file that are listed."""

complete_tables()


def read_python(source: bytes) -> Module:
    """What a Python file says.  Never raises: what cannot be read is `Unread`, the rest is kept."""
    collecting = gc.isenabled()
    gc.disable()  # many small objects and hardly any garbage: collecting costs a third of the time
    try:
        return _read(source)
    except Exception as error:  # noqa: BLE001  the promise is the caller's peace; the file says why
        return _empty(source.count(b"\n") + 1, f"the reader failed ({type(error).__name__})")
    finally:
        if collecting:
            gc.enable()


def _read(source: bytes) -> Module:
    try:
        text = text_of(source)
    except NotText as reason:
        return _empty(0, str(reason))
    try:
        tree = parse(text.data)
    except ParseStopped:
        return _empty(text.lines, f"took longer than {PARSE_SECONDS:.0f} s to parse")
    if tree.root_node.has_error:
        found = recover(text.data, tree)
        text.unread.extend(found.unread)
        text.data, text.text, tree = found.data, found.data.decode("latin-1"), found.tree
    return _module(text, tree)


def _empty(lines: int, why: str) -> Module:
    last = max(lines, 1)
    scope = Scope(ScopeKind.BODY, -1, 1, last, 0, 0)
    body = Body("module", "<module>", "", -1, 1, 1, last, False, False, (), (), None, (scope,), ())
    return Module((body,), (), (), (), (Unread(1, why, last),), lines)


def _module(source: Source, tree: Tree) -> Module:
    root = tree.root_node
    file = File(source, root.descendant_count)
    file.bodies.append(None)
    file.pending.append(Pending(0, "module", "<module>", "", -1, root, root, 0))
    while file.pending:
        pending = file.pending.popleft()
        file.bodies[pending.index] = _body(file, pending)
    return Module(
        tuple(cast(list[Body], file.bodies)),
        tuple(file.classes),
        tuple(file.imports),
        suppressions_in(source, root),
        _listed(file.unread),
        source.lines,
    )


def _listed(unread: list[Unread]) -> tuple[Unread, ...]:
    """The unread parts from top to bottom; beyond `MAX_UNREAD` of them, as one."""
    unread.sort(key=lambda each: (each.line, each.end_line))
    rest = unread[MAX_UNREAD:]
    if rest:
        why = f"{len(rest)} more parts that could not be read"
        unread[MAX_UNREAD:] = [Unread(rest[0].line, why, max(each.end_line for each in rest))]
    return tuple(unread)


def _body(file: File, pending: Pending) -> Body:
    """Lower one body; should that fail, once more with care, statement by statement."""
    before = file.mark()
    if not file.capped:
        try:
            return _finish(_lowered(file, pending, False), pending)
        except Exception:  # noqa: BLE001  what failed is found and named by the careful attempt
            file.reset(before)
    try:
        return _finish(_lowered(file, pending, True), pending)
    except Exception as error:  # noqa: BLE001  other bodies are worth having
        file.reset(before)
        file.miss(pending.code, f"the reader failed on this body ({type(error).__name__})")
        return _finish(Lowering(file, pending, True), pending)


def _lowered(file: File, pending: Pending, careful: bool) -> Lowering:
    body = Lowering(file, pending, careful)
    perform(body, pending)
    return body


def _finish(body: Lowering, pending: Pending) -> Body:
    body.close()
    line, column = (1, 1) if pending.kind == "module" else body.place(pending.start)
    end_line = max(min(body.scopes[0].end_line, body.file.source.lines), line)
    return Body(
        pending.kind,
        pending.name,
        pending.qualname,
        pending.parent,
        line,
        column,
        end_line,
        pending.is_async,
        body.is_generator,
        pending.parameters,
        pending.decorators,
        pending.returns,
        tuple(body.scopes),
        tuple(body.statements),
    )
