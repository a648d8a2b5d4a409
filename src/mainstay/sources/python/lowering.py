"""The state of reading: one `File`, and one `Lowering` for each body in it."""

from collections import deque
from typing import Literal as Choice

from msgspec import Struct
from msgspec.structs import force_setattr
from tree_sitter import Node

from mainstay.model.code import (
    Body,
    Class,
    Import,
    Opaque,
    Parameter,
    Scope,
    ScopeKind,
    Statement,
    Unread,
    Value,
)
from mainstay.sources.python.source import Source

MAX_DEPTH = 80
"""Expressions nested deeper than this are not looked into."""

MAX_BLOCKS = 50
"""Blocks (or functions) nested deeper than this are not looked into."""

MAX_ITEMS = 64
"""Items of a display, operands and parts of a text that are kept."""

MAX_NODES = 3_000_000
"""Nodes of one file that are visited."""

OPAQUE = Opaque()

_QUIET = 200  # characters an expression may have to be looked through for parentheses


class Pending(Struct, gc=False):
    """A body that has been met and not been lowered yet: everything but its statements."""

    index: int
    kind: Choice["module", "class", "function", "lambda"]
    name: str
    qualname: str
    parent: int
    start: Node
    code: Node
    nesting: int
    is_async: bool = False
    parameters: tuple[Parameter, ...] = ()
    decorators: tuple[Value, ...] = ()
    returns: Value | None = None


class File:
    """One file: its text, and what has been found in it so far."""

    __slots__ = ("bodies", "capped", "classes", "imports", "known", "nodes", "pending", "source", "unread")

    def __init__(self, source: Source, nodes: int) -> None:
        self.source = source
        self.nodes = MAX_NODES
        self.capped = nodes > MAX_NODES
        self.known: dict[str, Value] = {}
        self.bodies: list[Body | None] = []
        self.classes: list[Class] = []
        self.imports: list[Import] = []
        self.unread: list[Unread] = source.unread
        self.pending: deque[Pending] = deque()

    def miss(self, node: Node, why: str) -> None:
        """Note that `node` is not read."""
        self.unread.append(Unread(node.start_point[0] + 1, why, node.end_point[0] + 1))

    def mark(self) -> tuple[int, ...]:
        """How much has been found, to come back to with `reset`."""
        return (
            len(self.bodies),
            len(self.classes),
            len(self.imports),
            len(self.unread),
            len(self.pending),
        )

    def reset(self, mark: tuple[int, ...]) -> None:
        """Forget what has been found since `mark`."""
        for found, length in zip((self.bodies, self.classes, self.imports, self.unread), mark, strict=False):
            del found[length:]  # type: ignore[attr-defined]
        while len(self.pending) > mark[-1]:
            self.pending.pop()


class Lowering:
    """One body being lowered: its statements and scopes so far, and where we are in it."""

    __slots__ = (
        "blocks",
        "careful",
        "depth",
        "end_place",
        "file",
        "index",
        "is_generator",
        "known",
        "nesting",
        "place",
        "qualname",
        "scope",
        "scopes",
        "statements",
        "text",
    )

    def __init__(self, file: File, body: Pending, careful: bool) -> None:
        self.file = file
        self.text = file.source.text
        self.known = file.known
        self.place = file.source.place
        self.end_place = file.source.end_place
        self.index = body.index
        self.qualname = body.qualname
        self.nesting = body.nesting
        self.careful = careful
        self.is_generator = False
        self.statements: list[Statement] = []
        self.scopes: list[Scope] = []
        self.scope = -1
        self.depth = 0
        self.blocks = 0
        self.open(ScopeKind.BODY, body.start, body.code)

    def slice(self, node: Node) -> str:
        """The text of `node`, one character a byte."""
        return self.text[node.start_byte : node.end_byte]

    def enter(self, node: Node) -> bool:
        """Go one level down into an expression, or note that it is too deep.  Undone by `depth -= 1`."""
        if self.depth >= MAX_DEPTH:
            self.file.miss(node, f"an expression nested more than {MAX_DEPTH} deep")
            return False
        self.depth += 1
        return True

    def is_quiet(self, node: Node) -> bool:
        """Whether `node` is short and certainly calls nothing."""
        start, end = node.start_byte, node.end_byte
        return end - start < _QUIET and "(" not in self.text[start:end]

    def open(
        self,
        kind: ScopeKind,
        start: Node,
        end: Node,
        of: int = -1,
        is_async: bool = False,
        head: tuple[Value, ...] = (),
        targets: tuple[Value, ...] = (),
    ) -> int:
        """Begin a scope inside the present one; what is added from here on stands in it."""
        first = len(self.statements)
        scope = Scope(
            kind,
            self.scope,
            start.start_point[0] + 1,
            end.end_point[0] + 1,
            first,
            first,
            of,
            is_async,
            head,
            targets,
        )
        self.scope = len(self.scopes)
        self.scopes.append(scope)
        return self.scope

    def close(self) -> None:
        """End the present scope."""
        scope = self.scopes[self.scope]
        force_setattr(scope, "last", len(self.statements))
        self.scope = scope.parent

    def is_empty(self, scope: int) -> bool:
        """Whether nothing has been added since `scope` was opened."""
        return len(self.scopes) == scope + 1 and self.scopes[scope].first == len(self.statements)

    def drop(self) -> None:
        """Undo opening the present scope, which must be empty."""
        self.scope = self.scopes.pop().parent
