"""Python code, lowered: what one file says, before anything is known about libraries.

A `Module` holds `Body` after `Body`: the module's own, one for each class, function and lambda.
A body is a flat list of statements in the order of execution, and a list of scopes (branches,
loops, `with`, `try`) that nest by parent index.  Expressions are flattened: every call is a
statement of its own, and later values refer to it as `Result(index)`.  So `f(g(x)).h` is
`[Call g(x), Call f(Result 0)]` and the value `Attribute(Result 1, "h")`.

These structs are what the reader's cache stores, so they hold no path: the same content gives
the same facts wherever it lies.
"""

from enum import IntEnum
from typing import Literal as Choice

from msgspec import Struct

# --- values: what an expression can be -----------------------------------------------------------


class Name(Struct, frozen=True, array_like=True, tag=0, gc=False):
    """A name or a dotted path that starts at a name: `self.client.post`."""

    path: str


class Literal(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A constant.  Text longer than `reader` keeps is cut; bytes are kept as text."""

    value: str | int | float | bool | None


class Result(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """What the call at `statements[call]` of the same body returned (or gave when awaited)."""

    call: int


class Attribute(Struct, frozen=True, array_like=True, tag=3):
    """`path` read off a value that is not a plain name: `f().json` or `rows[0].owner.id`."""

    base: "Value"
    path: str


class Text(Struct, frozen=True, array_like=True, tag=4):
    """A string put together from parts: an f-string, `%` formatting or `+` with a string."""

    parts: tuple["Value", ...]


class Display(Struct, frozen=True, array_like=True, tag=5):
    """A list, tuple, set or dict written out; `keys` runs parallel to `items` for a dict."""

    kind: Choice["list", "tuple", "set", "dict"]
    items: tuple["Value", ...]
    keys: tuple["Value", ...] = ()


class Operation(Struct, frozen=True, array_like=True, tag=6):
    """An operator on operands.

    `operator` is as written (`+`, `==`, `not in`, `and`), or one of: `[]` (subscript: base, key),
    `:` (slice), `if` (conditional expression: test, then, else), `*` with one operand (spread),
    `**` with one operand (dict spread), `await` (of something that is not a call).  `a := b` is an
    assignment and the value `b`.
    """

    operator: str
    operands: tuple["Value", ...]


class Each(Struct, frozen=True, array_like=True, tag=7):
    """A comprehension: `element` for each round of the COMPREHENSION scope at `scope`."""

    kind: Choice["list", "set", "dict", "generator"]
    element: "Value"
    scope: int
    key: "Value | None" = None


class Code(Struct, frozen=True, array_like=True, tag=8, gc=False):
    """A lambda, by its index in `Module.bodies`."""

    body: int


class Opaque(Struct, frozen=True, array_like=True, tag=9, gc=False):
    """Something the reader does not look into."""


Value = Name | Literal | Result | Attribute | Text | Display | Operation | Each | Code | Opaque


# --- statements ----------------------------------------------------------------------------------


class Fate(IntEnum):
    """What becomes of the result of a call."""

    DISCARDED = 0  # an expression statement
    STORED = 1  # assigned, alone or inside a display
    RETURNED = 2
    PASSED = 3  # an argument of another call
    TESTED = 4  # the test of a branch, or an operand of a comparison or `not`
    CHAINED = 5  # an attribute is read, a method called or a subscript taken on it
    ITERATED = 6  # looped over
    ENTERED = 7  # the context of a `with`
    YIELDED = 8
    RAISED = 9
    COMBINED = 10  # an operand of anything else: arithmetic, text, await of a collection
    DECORATES = 11  # used as a decorator, base class, default or annotation


class Keyword(Struct, frozen=True, array_like=True):
    """A keyword argument; `name` is empty for `**value`."""

    name: str
    value: Value


class Call(Struct, frozen=True, array_like=True, tag=0):
    """A call.  A starred positional argument is `Operation("*", (value,))`."""

    scope: int
    line: int
    column: int
    end_line: int
    end_column: int
    callee: Value
    arguments: tuple[Value, ...]
    keywords: tuple[Keyword, ...]
    fate: Fate
    awaited: bool

    def keyword(self, name: str) -> Value | None:
        """The value given to keyword `name`, or None."""
        for keyword in self.keywords:
            if keyword.name == name:
                return keyword.value
        return None

    def argument(self, position: int | None, name: str = "") -> Value | None:
        """The value given by keyword `name` or at `position` (None: keyword only)."""
        value = self.keyword(name) if name else None
        if value is None and position is not None and position < len(self.arguments):
            return self.arguments[position]
        return value

    @property
    def spreads(self) -> bool:
        """Whether arguments may hide in a `*args` or `**kwargs`."""
        return any(not k.name for k in self.keywords) or any(
            isinstance(a, Operation) and a.operator == "*" and len(a.operands) == 1 for a in self.arguments
        )


class Assign(Struct, frozen=True, array_like=True, tag=1):
    """`targets = value`; `operator` is `+` for `+=`; an annotation without a value has value None."""

    scope: int
    line: int
    column: int
    targets: tuple[Value, ...]
    value: Value | None
    operator: str = ""
    annotation: Value | None = None


class Return(Struct, frozen=True, array_like=True, tag=2):
    scope: int
    line: int
    column: int
    value: Value | None


class Raise(Struct, frozen=True, array_like=True, tag=3):
    """`raise value from cause`; a bare `raise` has value None."""

    scope: int
    line: int
    column: int
    value: Value | None
    cause: Value | None = None


class Yield(Struct, frozen=True, array_like=True, tag=4):
    scope: int
    line: int
    column: int
    value: Value | None


class Leave(Struct, frozen=True, array_like=True, tag=5, gc=False):
    """`break` or `continue`."""

    scope: int
    line: int
    column: int
    word: Choice["break", "continue"]


class Use(Struct, frozen=True, array_like=True, tag=6):
    """An expression statement that is no call, an `assert` (its test) or a `del` (its targets)."""

    scope: int
    line: int
    column: int
    word: Choice["", "assert", "del"]
    value: Value


class Define(Struct, frozen=True, array_like=True, tag=7, gc=False):
    """A `def` (`body` indexes `Module.bodies`) or a `class` (`class_` indexes `Module.classes`)."""

    scope: int
    line: int
    column: int
    name: str
    body: int = -1
    class_: int = -1


Statement = Call | Assign | Return | Raise | Yield | Leave | Use | Define


# --- scopes ----------------------------------------------------------------------------------------


class ScopeKind(IntEnum):
    BODY = 0
    IF = 1  # also `elif`, a branch of a conditional expression, the right side of `and` / `or`
    ELSE = 2
    FOR = 3
    WHILE = 4
    COMPREHENSION = 5
    LOOP_ELSE = 6
    WITH = 7
    TRY = 8
    HANDLER = 9
    TRY_ELSE = 10
    FINALLY = 11
    CASE = 12  # one `case` of a `match`


class Scope(Struct, frozen=True, array_like=True):
    """A nested block.  Its statements, those of inner scopes included, are `first <= i < last`.

    What a head evaluates (an `if` test, the iterable of a `for`, the contexts of a `with`) stands
    before the scope, in the parent; the test of a `while` stands inside it.
    """

    kind: ScopeKind
    parent: int  # -1 for the body itself
    line: int
    end_line: int
    first: int
    last: int
    of: int = -1  # the scope this one belongs to: ELSE/elif -> IF, HANDLER/TRY_ELSE/FINALLY -> TRY
    is_async: bool = False
    head: tuple[Value, ...] = ()  # IF, WHILE: the test; FOR, COMPREHENSION: what is looped over;
    #                               WITH: the contexts; HANDLER: the exceptions caught (none: all);
    #                               CASE: the subject
    targets: tuple[Value, ...] = ()  # FOR, COMPREHENSION: loop variables; WITH, HANDLER: `as` names
    #                                  (WITH: parallel to head, Opaque where there is no `as`)


# --- bodies, classes, modules ----------------------------------------------------------------------


class Parameter(Struct, frozen=True, array_like=True):
    """A parameter; values it holds belong to the body that encloses the function."""

    name: str
    kind: Choice["positional", "keyword", "args", "kwargs"]
    annotation: Value | None = None
    default: Value | None = None


class Body(Struct, frozen=True, array_like=True):
    """The code of a module, class, function or lambda.

    Decorators, defaults and annotations are evaluated in the enclosing body, so a `Result` in
    them refers to a statement of `Module.bodies[parent]`.
    """

    kind: Choice["module", "class", "function", "lambda"]
    name: str  # "<module>", the class's or function's name, "<lambda>"
    qualname: str  # "", "Class", "Class.method", "outer.inner", "outer.<lambda>"
    parent: int  # index of the enclosing body, -1 for the module
    line: int  # of the `def`, not of its first decorator
    column: int
    end_line: int
    is_async: bool
    is_generator: bool
    parameters: tuple[Parameter, ...]
    decorators: tuple[Value, ...]
    returns: Value | None
    scopes: tuple[Scope, ...]
    statements: tuple[Statement, ...]


class Class(Struct, frozen=True, array_like=True):
    """A class; its body is `Module.bodies[body]`, and bases and decorators belong to that body's parent."""

    name: str
    qualname: str
    line: int
    end_line: int
    bases: tuple[Value, ...]
    keywords: tuple[Keyword, ...]
    decorators: tuple[Value, ...]
    body: int


class Import(Struct, frozen=True, array_like=True, gc=False):
    """`import module as name` or `from module import attribute as name`.

    `import a.b` without `as` binds name "a" and has module "a" with `loads` "a.b".  `level`
    counts the dots of a relative import.  `from m import *` has name and attribute "*".
    """

    name: str
    module: str
    attribute: str
    level: int
    line: int
    body: int  # index of the body it stands in
    loads: str = ""


class Suppression(Struct, frozen=True, array_like=True, gc=False):
    """A comment `# mainstay: ignore[rule, rule] reason`; `alone` when it has its line for itself."""

    line: int
    column: int
    rules: tuple[str, ...]
    reason: str
    alone: bool


class Unread(Struct, frozen=True, array_like=True, gc=False):
    """A part of the file, or all of it, that could not be read, and why, as a sentence."""

    line: int
    why: str
    end_line: int = 0


class Module(Struct, frozen=True, array_like=True):
    """Everything one Python file says; `bodies[0]` is the module's own code."""

    bodies: tuple[Body, ...]
    classes: tuple[Class, ...]
    imports: tuple[Import, ...]
    suppressions: tuple[Suppression, ...]
    unread: tuple[Unread, ...]
    lines: int
