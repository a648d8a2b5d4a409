"""What each construct of Python is lowered to, as one readable line a statement.

`$3` is the result of statement 3 and `@2` stands for scope 2 (nothing: the body's own).  A body shows
its statements, then its scopes with the statements they cover.
"""

import msgspec
import pytest

from mainstay.model.code import (
    Assign,
    Attribute,
    Body,
    Call,
    Code,
    Define,
    Display,
    Each,
    Leave,
    Literal,
    Module,
    Name,
    Operation,
    Raise,
    Result,
    Return,
    Scope,
    Statement,
    Suppression,
    Text,
    Unread,
    Use,
    Value,
    Yield,
)
from mainstay.sources.python import read_python
from mainstay.sources.python.source import MAX_BYTES

# --- a Module as lines -----------------------------------------------------------------------------


def show(value: Value | None) -> str:
    """A value as one would write it, operations as `(operator operands)`."""
    match value:
        case None:
            return "-"
        case Name(path):
            return path
        case Literal(constant):
            return repr(constant)
        case Result(call):
            return f"${call}"
        case Attribute(base, path):
            return f"{show(base)}.{path}"
        case Text(parts):
            return f"text({several(parts)})"
        case Display("dict", items, keys):
            return "{" + ", ".join(f"{show(k)}: {show(i)}" for k, i in zip(keys, items, strict=True)) + "}"
        case Display(kind, items):
            return f"{kind}({several(items)})"
        case Operation(operator, operands):
            return f"({' '.join([operator, *map(show, operands)])})"
        case Each(kind, element, scope, key):
            return f"{kind}(each {show(key) + ': ' if key else ''}{show(element)} of @{scope})"
        case Code(body):
            return f"body {body}"
        case _:
            return "?"


def several(values: tuple[Value, ...]) -> str:
    return ", ".join(map(show, values))


def line(statement: Statement) -> str:
    """One statement, without its scope and place."""
    match statement:
        case Call():
            arguments = [show(argument) for argument in statement.arguments]
            arguments += [f"{each.name or '**'}={show(each.value)}" for each in statement.keywords]
            awaited = "await " if statement.awaited else ""
            return f"{awaited}{show(statement.callee)}({', '.join(arguments)}) {statement.fate.name}"
        case Assign():
            annotation = f": {show(statement.annotation)}" if statement.annotation else ""
            given = f" {statement.operator}= {show(statement.value)}" if statement.value else ""
            return f"{' = '.join(map(show, statement.targets))}{annotation}{given}"
        case Return():
            return f"return {show(statement.value)}"
        case Raise():
            return f"raise {show(statement.value)} from {show(statement.cause)}"
        case Yield():
            return f"yield {show(statement.value)}"
        case Leave():
            return statement.word
        case Use():
            return f"{statement.word or 'use'} {show(statement.value)}"
        case Define():
            return f"define {statement.name} " + (
                f"body {statement.body}" if statement.body >= 0 else f"class {statement.class_}"
            )


def scope_line(number: int, scope: Scope) -> str:
    parts = [f"@{number}", "async" * scope.is_async, scope.kind.name, f"in @{scope.parent}"]
    parts += [f"of @{scope.of}"] * (scope.of >= 0) + [f"{scope.first}:{scope.last}"]
    parts += [f"head {several(scope.head)}"] * bool(scope.head)
    parts += [f"targets {several(scope.targets)}"] * bool(scope.targets)
    return " ".join(filter(None, parts))


def body_lines(body: Body) -> list[str]:
    lines = [
        f"{number} {f'@{statement.scope} ' if statement.scope else ''}{line(statement)}"
        for number, statement in enumerate(body.statements)
    ]
    return lines + [scope_line(number, scope) for number, scope in enumerate(body.scopes) if number]


def read(source: str | bytes) -> Module:
    return read_python(source.encode() if isinstance(source, str) else source)


def lines_of(source: str, body: int = 0) -> list[str]:
    module = read(source)
    assert module.unread == ()
    return body_lines(module.bodies[body])


def first(source: str) -> str:
    """The first statement of a source."""
    return lines_of(source)[0]


# --- expressions -----------------------------------------------------------------------------------

VALUES = [
    ("a", "a"),
    ("a.b.c", "a.b.c"),
    ("a . b", "a.b"),
    ("1", "1"),
    ("0x1F", "31"),
    ("1_000", "1000"),
    ("-5", "-5"),
    ("1.5", "1.5"),
    ("-1e3", "-1000.0"),
    ("2j", "?"),
    ("True", "True"),
    ("None", "None"),
    ("...", "?"),
    ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", "?"),
    ("'a'", "'a'"),
    ("'''a'''", "'a'"),
    ("b'\\xff'", "'ÿ'"),
    ("r'\\n'", "'\\\\n'"),
    ("'\\n\\t\\x41\\u00e9\\101\\q'", "'\\n\\tAéA\\\\q'"),
    ("'\\ud800'", "'\\\\ud800'"),
    ("'\\N{BULLET}'", "'\\\\N{BULLET}'"),
    ("'a' 'b' \"c\"", "'abc'"),
    ("f''", "''"),
    ("f'{{}}'", "'{}'"),
    ("f'a{b!r:>{w}}c'", "text('a', b, 'c')"),
    ("'a' f'{b}' 'c'", "text('a', b, 'c')"),
    ("'a' + b + 'c'", "text('a', b, 'c')"),
    ("a + b + 'c'", "text(a, b, 'c')"),
    ("'a' + 'b'", "'ab'"),
    ("'%s-%s' % (a, b)", "text('%s-%s', a, b)"),
    ("'%s' % a", "text('%s', a)"),
    ("f'{a}' % b", "text(a, b)"),
    ("a % b", "(% a b)"),
    ("t'a{b}'", "text('a', b)"),
    ("[a, b]", "list(a, b)"),
    ("(a, b)", "tuple(a, b)"),
    ("a, b", "tuple(a, b)"),
    ("(a,)", "tuple(a)"),
    ("()", "tuple()"),
    ("(a)", "a"),
    ("{a, b}", "set(a, b)"),
    ("{a: 1, **b}", "{a: 1, ?: (** b)}"),
    ("{}", "{}"),
    ("[*a, b]", "list((* a), b)"),
    ("a + b - c", "(- (+ a b) c)"),
    ("a + b + c", "(+ a b c)"),
    ("a - (b - c)", "(- a (- b c))"),
    ("a ** b ** c", "(** a (** b c))"),
    ("-a", "(- a)"),
    ("not a", "(not a)"),
    ("a < b", "(< a b)"),
    ("a < b <= c", "(and (< a b) (<= b c))"),
    ("a not in b", "(not in a b)"),
    ("a is not b", "(is not a b)"),
    ("a and b and c", "(and a b c)"),
    ("a or b and c", "(or a (and b c))"),
    ("a if b else c", "(if b a c)"),
    ("a[0]", "([] a 0)"),
    ("a[1:2]", "([] a (: 1 2))"),
    ("a[:, ::2]", "([] a tuple((: None None), (: None None 2)))"),
    ("a[b, c].d[e]", "([] ([] a tuple(b, c)).d e)"),
    ("a.b[0].c.d", "([] a.b 0).c.d"),
    ("'x'.join", "'x'.join"),
    ("[a][0]", "([] list(a) 0)"),
    ("[a for b in c]", "list(each a of @1)"),
    ("{a: b for c, d in e}", "dict(each a: b of @1)"),
    ("(a for b in c if d)", "generator(each a of @1)"),
    ("{a for b in c for d in b}", "set(each a of @2)"),
    ("lambda: 0", "body 1"),
    ("await a", "(await a)"),
    ("(yield)", "?"),
    ("(y := a)", "a"),
    ("`a`", "?"),
    ("é.ü", "é.ü"),
    ("'é'", "'é'"),
    ("(  # why\n a  # not\n + b)", "(+ a b)"),
]


@pytest.mark.parametrize(("source", "value"), VALUES)
def test_value(source: str, value: str) -> None:
    """What `x = source` assigns."""
    assigned = [text for text in lines_of(f"x = {source}") if " x = " in text]
    assert [text.split(" x = ")[1] for text in assigned] == [value]


# --- fates ---------------------------------------------------------------------------------------

FATES = [
    ("f()", "f() DISCARDED"),
    ("x = f()", "f() STORED"),
    ("x = [f(), {'a': (f(),)}]", "f() STORED; f() STORED"),
    ("x += f()", "f() STORED"),
    ("x: int = f()", "f() STORED"),
    ("f(g())", "g() PASSED; f($0) DISCARDED"),
    ("f(a=g())", "g() PASSED; f(a=$0) DISCARDED"),
    ("f(*g(), **h())", "g() PASSED; h() PASSED; f((* $0), **=$1) DISCARDED"),
    ("f([g()])", "g() PASSED; f(list($0)) DISCARDED"),
    ("if f(): pass", "f() TESTED"),
    ("while f(): pass", "f() TESTED"),
    ("x = not f()", "f() TESTED"),
    ("x = f() == 1", "f() TESTED"),
    ("x = f() or g()", "f() STORED; g() STORED"),
    ("if a and f(): pass", "f() TESTED"),
    ("f().a", "f() CHAINED"),
    ("f().g()", "f() CHAINED; $0.g() DISCARDED"),
    ("f()[0]", "f() CHAINED"),
    ("for x in f(): pass", "f() ITERATED"),
    ("x = [y for y in f()]", "f() ITERATED"),
    ("x = [f(y) for y in z]", "f(y) STORED"),
    ("with f(): pass", "f() ENTERED"),
    ("raise f()", "f() RAISED"),
    ("raise a from f()", "f() RAISED"),
    ("x = f() + 1", "f() COMBINED"),
    ("x = f'{f()}'", "f() COMBINED"),
    ("x = a[f()]", "f() COMBINED"),
    ("@f()\ndef g(): pass", "f() DECORATES"),
    ("class A(f(), metaclass=g()): pass", "f() DECORATES; g() DECORATES"),
    ("def g(a=f()): pass", "f() DECORATES"),
    ("x: f()", "f() DECORATES"),
    ("assert f(), g()", "f() TESTED; g() RAISED"),
    ("del a[f()]", "f() COMBINED"),
    ("await f()", "await f() DISCARDED"),
    ("x = await f()", "await f() STORED"),
    ("await (f())", "await f() DISCARDED"),
    ("x = (await f()).a", "await f() CHAINED"),
    ("f(await g())", "await g() PASSED; f($0) DISCARDED"),
    ("(f())", "f() DISCARDED"),
    ("(x := f())", "f() STORED"),
    ("x = f() if a else g()", "f() STORED; g() STORED"),
    ("a and f()", "f() DISCARDED"),
    ("print f()", "f() PASSED; print($0) DISCARDED"),
    ("match f():\n case _: pass", "f() TESTED"),
]


@pytest.mark.parametrize(("source", "calls"), FATES)
def test_fate(source: str, calls: str) -> None:
    """What becomes of the result of each call."""
    statements = read(source).bodies[0].statements
    assert "; ".join(line(each) for each in statements if isinstance(each, Call)) == calls


# --- statements ----------------------------------------------------------------------------------

STATEMENTS = [
    ("a = b = c", "0 a = b = c"),
    ("a, b = c", "0 tuple(a, b) = c"),
    ("[a, *b] = c", "0 list(a, (* b)) = c"),
    ("a.b, c[0] = d", "0 tuple(a.b, ([] c 0)) = d"),
    ("a[f()] = g()", "0 g() STORED; 1 f() COMBINED; 2 ([] a $1) = $0"),
    ("a: int", "0 a: int"),
    ("a: 'B' = c", "0 a: 'B' = c"),
    ("a: dict[str, list[int]] = b", "0 a: ([] dict tuple(str, ([] list int))) = b"),
    ("a: b.c | None = d", "0 a: (| b.c None) = d"),
    ("a += 1", "0 a += 1"),
    ("a **= f()", "0 f() STORED; 1 a **= $0"),
    ("a", "0 use a"),
    ("'text'", "0 use 'text'"),
    ("a.b", "0 use a.b"),
    ("a == b", "0 use (== a b)"),
    ("a, b", "0 use tuple(a, b)"),
    ("...", ""),
    ("pass", ""),
    ("global a", ""),
    ("assert a", "0 assert a"),
    ("assert a, b", "0 assert a"),
    ("del a", "0 del a"),
    ("del a, b.c", "0 del tuple(a, b.c)"),
    ("a; f(); b", "0 use a; 1 f() DISCARDED; 2 use b"),
    ("type X = int", "0 X = int"),
    ("type X[T] = list[T]", "0 X = ([] list T)"),
    ("type(a).b = f()", "0 f() STORED; 1 type(a) CHAINED; 2 $1.b = $0"),
    ("raise", "0 raise - from -"),
    ("raise a", "0 raise a from -"),
    ("raise A, b", "0 raise tuple(A, b) from -"),
    ("print a, 'b'", "0 print(a, 'b') DISCARDED"),
    ("print >>f, a", "0 print(a, file=f) DISCARDED"),
    ("exec a in b", "0 exec(a, b) DISCARDED"),
    ("x = 1  # comment", "0 x = 1"),
    ("if a: f()", "0 @1 f() DISCARDED; @1 IF in @0 0:1 head a"),
    ("f(\n  a,  # why\n  b=1,\n)", "0 f(a, b=1) DISCARDED"),
    (
        "f(x for x in y)",
        "0 f(generator(each x of @1)) DISCARDED; @1 COMPREHENSION in @0 0:0 head y targets x",
    ),
    ("f(a, *b, c=d, **e)", "0 f(a, (* b), c=d, **=e) DISCARDED"),
    ("f(**{'a': 1})", "0 f(**={'a': 1}) DISCARDED"),
    ("a.b(c).d.e(f)[0](g)", "0 a.b(c) CHAINED; 1 $0.d.e(f) CHAINED; 2 ([] $1 0)(g) DISCARDED"),
    ("(a\n .b()\n .c())", "0 a.b() CHAINED; 1 $0.c() DISCARDED"),
    ("a().b.c()", "0 a() CHAINED; 1 $0.b.c() DISCARDED"),
    ("'x'.join(a)", "0 'x'.join(a) DISCARDED"),
    ("super().f(a)", "0 super() CHAINED; 1 $0.f(a) DISCARDED"),
    ("f(lambda x, y=g(): h(x))", "0 g() DECORATES; 1 f(body 1) DISCARDED"),
    ("f\\\n(a)", "0 f(a) DISCARDED"),
]


@pytest.mark.parametrize(("source", "lowered"), STATEMENTS)
def test_statement(source: str, lowered: str) -> None:
    """All that a statement is lowered to."""
    assert "; ".join(lines_of(source)) == lowered


# --- blocks and order ------------------------------------------------------------------------------

BLOCKS = {
    "if, elif and else": (
        """
if a():
    b()
elif c():
    d()
elif e:
    f()
else:
    g()
""",
        """
0 a() TESTED
1 @1 b() DISCARDED
2 c() TESTED
3 @2 d() DISCARDED
4 @3 f() DISCARDED
5 @4 g() DISCARDED
@1 IF in @0 1:2 head $0
@2 IF in @0 of @1 3:4 head $2
@3 IF in @0 of @2 4:5 head e
@4 ELSE in @0 of @3 5:6
""",
    ),
    "for and else": (
        """
for i, x in a():
    if x:
        break
    continue
else:
    b()
""",
        """
0 a() ITERATED
1 @2 break
2 @1 continue
3 @3 b() DISCARDED
@1 FOR in @0 1:3 head $0 targets i, x
@2 IF in @1 1:2 head x
@3 LOOP_ELSE in @0 of @1 3:4
""",
    ),
    "while": (
        """
while a():
    b()
else:
    c()
""",
        """
0 @1 a() TESTED
1 @1 b() DISCARDED
2 @2 c() DISCARDED
@1 WHILE in @0 0:2 head $0
@2 LOOP_ELSE in @0 of @1 2:3
""",
    ),
    "with": (
        """
with a() as b, c, d.e() as (f, g):
    h()
""",
        """
0 a() ENTERED
1 d.e() ENTERED
2 @1 h() DISCARDED
@1 WITH in @0 2:3 head $0, c, $1 targets b, ?, tuple(f, g)
""",
    ),
    "with in parentheses": (
        """
with (a() as b, c()):
    d()
""",
        """
0 a() ENTERED
1 c() ENTERED
2 @1 d() DISCARDED
@1 WITH in @0 2:3 head $0, $1 targets b, ?
""",
    ),
    "try": (
        """
try:
    a()
except (A, b.B) as e:
    c()
except C:
    d()
except:
    raise
else:
    f()
finally:
    g()
""",
        """
0 @1 a() DISCARDED
1 @2 c() DISCARDED
2 @3 d() DISCARDED
3 @4 raise - from -
4 @5 f() DISCARDED
5 @6 g() DISCARDED
@1 TRY in @0 0:1
@2 HANDLER in @0 of @1 1:2 head A, b.B targets e
@3 HANDLER in @0 of @1 2:3 head C
@4 HANDLER in @0 of @1 3:4
@5 TRY_ELSE in @0 of @1 4:5
@6 FINALLY in @0 of @1 5:6
""",
    ),
    "except star": (
        """
try:
    a()
except* A as e:
    b()
""",
        """
0 @1 a() DISCARDED
1 @2 b() DISCARDED
@1 TRY in @0 0:1
@2 HANDLER in @0 of @1 1:2 head A targets e
""",
    ),
    "except of Python 2": (
        """
try:
    a()
except A, e:
    b()
""",
        """
0 @1 a() DISCARDED
1 @2 b() DISCARDED
@1 TRY in @0 0:1
@2 HANDLER in @0 of @1 1:2 head A targets e
""",
    ),
    "match": (
        """
match a():
    case {'k': v, **rest} if f(v):
        b()
    case A(c=d) | [1, *d]:
        e()
    case x.y:
        pass
    case _:
        g()
""",
        """
0 a() TESTED
1 @1 f(v) TESTED
2 @2 b() DISCARDED
3 @3 e() DISCARDED
4 @5 g() DISCARDED
@1 CASE in @0 1:3 head $0 targets v, rest
@2 IF in @1 2:3 head $1
@3 CASE in @0 3:4 head $0 targets d
@4 CASE in @0 4:4 head $0
@5 CASE in @0 4:5 head $0
""",
    ),
    "conditional expression": (
        """
x = a() if b() else c()
""",
        """
0 b() TESTED
1 @1 a() STORED
2 @2 c() STORED
3 x = (if $0 $1 $2)
@1 IF in @0 1:2 head $0
@2 ELSE in @0 of @1 2:3
""",
    ),
    "conditional expression that calls on one side": (
        """
x = a if b else c()
""",
        """
0 @2 c() STORED
1 x = (if b a $0)
@1 IF in @0 0:0 head b
@2 ELSE in @0 of @1 0:1
""",
    ),
    "and": (
        """
x = a() and b and c() and d()
""",
        """
0 a() STORED
1 @1 c() STORED
2 @2 d() STORED
3 x = (and $0 b $1 $2)
@1 IF in @0 1:3 head (and $0 b)
@2 IF in @1 2:3 head $1
""",
    ),
    "or": (
        """
x = a or b()
""",
        """
0 @1 b() STORED
1 x = (or a $0)
@1 IF in @0 0:1 head (not a)
""",
    ),
    "and, or": (
        """
x = (a or b()) and c
""",
        """
0 @1 b() STORED
1 x = (and (or a $0) c)
@1 IF in @0 0:1 head (not a)
""",
    ),
    "comprehension": (
        """
x = [f(a, b) for a in g() if h(a) for b in i(a)]
""",
        """
0 g() ITERATED
1 @1 h(a) TESTED
2 @2 i(a) ITERATED
3 @3 f(a, b) STORED
4 x = list(each $3 of @3)
@1 COMPREHENSION in @0 1:4 head $0 targets a
@2 IF in @1 2:4 head $1
@3 COMPREHENSION in @2 3:4 head $2 targets b
""",
    ),
    "comprehension that filters nothing that runs": (
        """
x = [a for a in g() if a.b]
""",
        """
0 g() ITERATED
1 x = list(each a of @1)
@1 COMPREHENSION in @0 1:1 head $0 targets a
""",
    ),
    "dict comprehension": (
        """
x = {f(a): g(a) for a in b}
""",
        """
0 @1 f(a) STORED
1 @1 g(a) STORED
2 x = dict(each $0: $1 of @1)
@1 COMPREHENSION in @0 0:2 head b targets a
""",
    ),
    "order of a call": (
        """
a().b(c(), d=e())(f())
""",
        """
0 a() CHAINED
1 c() PASSED
2 e() PASSED
3 $0.b($1, d=$2) CHAINED
4 f() PASSED
5 $3($4) DISCARDED
""",
    ),
    "walrus in a test": (
        """
while (x := f()):
    g(x)
""",
        """
0 @1 f() STORED
1 @1 x = $0
2 @1 g(x) DISCARDED
@1 WHILE in @0 0:3 head $0
""",
    ),
    "nested blocks": (
        """
for a in b:
    with c:
        if d:
            e()
    f()
g()
""",
        """
0 @3 e() DISCARDED
1 @1 f() DISCARDED
2 g() DISCARDED
@1 FOR in @0 0:2 head b targets a
@2 WITH in @1 0:1 head c targets ?
@3 IF in @2 0:1 head d
""",
    ),
    "decorators, defaults, annotations, then the definition": (
        """
@a()
@b
def f(x: c() = d(), *, y=e()) -> g(): pass
""",
        """
0 a() DECORATES
1 d() DECORATES
2 e() DECORATES
3 c() DECORATES
4 g() DECORATES
5 define f body 1
""",
    ),
    "class": (
        """
@a
class B(c(), metaclass=D):
    pass
""",
        """
0 c() DECORATES
1 define B class 0
""",
    ),
    "one line": (
        """
if a: b(); c()
""",
        """
0 @1 b() DISCARDED
1 @1 c() DISCARDED
@1 IF in @0 0:2 head a
""",
    ),
    "import under try": (
        """
try:
    import a
except ImportError:
    a = None
""",
        """
0 @2 a = None
@1 TRY in @0 0:0
@2 HANDLER in @0 of @1 0:1 head ImportError
""",
    ),
}


@pytest.mark.parametrize("title", BLOCKS)
def test_block(title: str) -> None:
    """Statements in the order they run, and the scopes that hold them."""
    source, lowered = BLOCKS[title]
    assert lines_of(source.lstrip("\n")) == lowered.strip().splitlines()


# --- bodies, classes, imports, suppressions -------------------------------------------------------------


def test_bodies_of_functions_classes_and_lambdas() -> None:
    module = read(
        "def outer(a):\n"
        "    async def inner():\n"
        "        yield a\n"
        "    return lambda b: inner(b)\n"
        "class C:\n"
        "    def m(self):\n"
        "        return 1\n"
    )
    assert [
        (b.kind, b.qualname, b.parent, b.line, b.end_line, b.is_async, b.is_generator) for b in module.bodies
    ] == [
        ("module", "", -1, 1, 7, False, False),
        ("function", "outer", 0, 1, 4, False, False),
        ("class", "C", 0, 5, 7, False, False),
        ("function", "outer.inner", 1, 2, 3, True, True),
        ("lambda", "outer.<lambda>", 1, 4, 4, False, False),
        ("function", "C.m", 2, 6, 7, False, False),
    ]
    assert body_lines(module.bodies[1]) == ["0 define inner body 3", "1 return body 4"]
    assert body_lines(module.bodies[4]) == ["0 inner(b) RETURNED", "1 return $0"]
    assert module.classes[0].body == 2


def test_parameters() -> None:
    function = read("def f(a, /, b: int = 1, *args: T, c=2, d, **kw) -> str: pass").bodies[1]
    assert [(p.name, p.kind, show(p.annotation), show(p.default)) for p in function.parameters] == [
        ("a", "positional", "-", "-"),
        ("b", "positional", "int", "1"),
        ("args", "args", "T", "-"),
        ("c", "keyword", "-", "2"),
        ("d", "keyword", "-", "-"),
        ("kw", "kwargs", "-", "-"),
    ]
    assert show(function.returns) == "str"


def test_parameters_after_a_bare_star_and_of_a_lambda() -> None:
    module = read("def f(*, a): pass\ng = lambda x, *y, z=1: x")
    assert [[(p.name, p.kind) for p in body.parameters] for body in module.bodies[1:]] == [
        [("a", "keyword")],
        [("x", "positional"), ("y", "args"), ("z", "keyword")],
    ]


def test_decorators_belong_to_the_body_around() -> None:
    module = read("@app.get('/a')\n@cached\nasync def f(): pass\n")
    function = module.bodies[1]
    assert ([show(each) for each in function.decorators], function.line) == (["$0", "cached"], 3)


def test_class() -> None:
    (found,) = read("@a\nclass B[T](C, *d, metaclass=M, **k):\n    x = 1\n").classes
    assert (found.name, found.qualname, found.line, found.end_line) == ("B", "B", 2, 3)
    assert several(found.bases) == "C, (* d)"
    assert [(k.name, show(k.value)) for k in found.keywords] == [("metaclass", "M"), ("", "k")]
    assert several(found.decorators) == "a"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a", [("a", "a", "", 0, "")]),
        ("import a.b", [("a", "a", "", 0, "a.b")]),
        ("import a.b as c, d", [("c", "a.b", "", 0, ""), ("d", "d", "", 0, "")]),
        ("from a.b import c as d, e", [("d", "a.b", "c", 0, ""), ("e", "a.b", "e", 0, "")]),
        ("from . import a", [("a", "", "a", 1, "")]),
        ("from ..a.b import c", [("c", "a.b", "c", 2, "")]),
        ("from a import *", [("*", "a", "*", 0, "")]),
        ("from a import (  # why\n    b,\n    c as d,\n)", [("b", "a", "b", 0, ""), ("d", "a", "c", 0, "")]),
        ("from __future__ import annotations", [("annotations", "__future__", "annotations", 0, "")]),
    ],
)
def test_import(source: str, found: list[tuple[str, str, str, int, str]]) -> None:
    imports = read(source).imports
    assert [(i.name, i.module, i.attribute, i.level, i.loads) for i in imports] == found


def test_import_inside_a_function_and_a_try() -> None:
    module = read("try:\n    import a\nexcept ImportError:\n    pass\ndef f():\n    import b\n")
    assert [(i.name, i.line, i.body) for i in module.imports] == [("a", 2, 0), ("b", 6, 1)]


def test_suppressions() -> None:
    module = read(
        "# mainstay: ignore[rule-a, rule-b] known, see #12\n"
        "f()  # mainstay: ignore[rule-c]\n"
        "g()  # noqa # mainstay: ignore[rule-d] x\n"
        "h()  # mainstay: ignore everything\n"
        "'# mainstay: ignore[rule-e] only a string'\n"
    )
    assert module.suppressions == (
        Suppression(1, 1, ("rule-a", "rule-b"), "known, see #12", True),
        Suppression(2, 6, ("rule-c",), "", False),
        Suppression(3, 6, ("rule-d",), "x", False),
        Suppression(4, 6, (), "everything", False),
    )


# --- places ----------------------------------------------------------------------------------------


def places(source: str | bytes) -> list[tuple[int, int, int, int]]:
    return [
        (call.line, call.column, call.end_line, call.end_column)
        for body in read(source).bodies
        for call in body.statements
        if isinstance(call, Call)
    ]


def test_places_count_from_one_and_end_behind_the_last_character() -> None:
    assert places("x = f(\n  a)\n") == [(1, 5, 2, 5)]


def test_columns_count_characters() -> None:
    assert places("é = 'ü'; f('ö')") == [(1, 10, 1, 16)]


@pytest.mark.parametrize("source", [b"\xef\xbb\xbff()", b"\r\nf()", b"\rf()", b"\x0cf()"])
def test_marks_and_line_ends(source: bytes) -> None:
    module = read(source)
    assert [line(each) for each in module.bodies[0].statements] == ["f() DISCARDED"]
    assert module.unread == ()


def test_lines_are_counted() -> None:
    assert [read(source).lines for source in ("", "a", "a\n", "a\r\nb", "a\n\n")] == [0, 1, 1, 2, 2]


# --- bad input -------------------------------------------------------------------------------------


def unread(source: str | bytes) -> list[tuple[int, int, str]]:
    return [(each.line, each.end_line, each.why) for each in read(source).unread]


def test_empty_file() -> None:
    module = read(b"")
    assert (len(module.bodies), module.bodies[0].statements, module.unread) == (1, (), ())


def test_binary_file() -> None:
    module = read(bytes(range(256)) * 8)
    assert module.unread == (Unread(1, "not text", 1),)
    assert len(module.bodies) == 1


def test_large_file() -> None:
    assert unread(b"#" * (MAX_BYTES + 1)) == [(1, 1, "larger than 5 MB")]


def test_invalid_utf8_is_named_and_the_rest_kept() -> None:
    module = read(b"f()\nx = '\xff'\ng()\n")
    assert [(each.line, each.why) for each in module.unread] == [(2, "not valid UTF-8 at line 2")]
    lowered = [line(each) for each in module.bodies[0].statements]
    assert lowered == ["f() DISCARDED", "x = '\ufffd'", "g() DISCARDED"]


def test_nul_byte_is_named_and_the_rest_kept() -> None:
    source = b"f()\n" + b"# padding\n" * 30 + b"\0\ng()\n"
    module = read(source)
    assert [(each.line, each.why) for each in module.unread] == [(32, "a NUL byte at line 32")]
    assert len(module.bodies[0].statements) == 2


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'", "'é'"),
        (b"#!/bin/python\n# coding=cp1251\nx = '\xe9'", "'й'"),
        (b"x = 1\n# coding: latin-1\nx = '\xc3\xa9'", "'é'"),
        (b"# coding: no-such-codec\nx = '\xc3\xa9'", "'é'"),
        (b"# coding: punycode\nx = '\xc3\xa9'", "'é'"),
        (b"# coding: rot13\nx = '\xc3\xa9'", "'é'"),
    ],
)
def test_coding_cookie(source: bytes, value: str) -> None:
    module = read(source)
    assert line(module.bodies[0].statements[-1]) == f"x = {value}"
    assert module.unread == ()


def test_broken_statement_is_unread_and_its_neighbours_kept() -> None:
    source = "f()\nx = = 3 ]\ndef g():\n    return h()\n"
    assert unread(source) == [(2, 2, "syntax not understood")]
    module = read(source)
    assert line(module.bodies[0].statements[0]) == "f() DISCARDED"
    assert body_lines(module.bodies[1]) == ["0 h() RETURNED", "1 return $0"]


def test_missing_bracket_costs_only_the_function_it_is_in() -> None:
    """To tree-sitter alone, the rest of the file would be one error."""
    source = "import a\n\n@a.b\ndef f():\n    x = g(1\n    y()\n\n\n"
    source += "class C:\n    def m(self):\n        return h()\n"
    module = read(source)
    assert [(each.line, each.end_line) for each in module.unread] == [(3, 6)]
    assert [body.qualname for body in module.bodies] == ["", "C", "C.m"]
    assert body_lines(module.bodies[2]) == ["0 h() RETURNED", "1 return $0"]


def test_unread_parts_beyond_the_limit_become_one() -> None:
    found = unread("a b c d\n\n" * 1000)
    assert len(found) == 201
    assert found[-1][2] == "800 more parts that could not be read"


DEEP = {
    "parentheses": "x = " + "(" * 5000 + "f()" + ")" * 5000,
    "chained calls": "x = a" + ".b().c" * 20_000,
    "chained subscripts": "x = a" + "[0].b" * 20_000,
    "elif": "if a():\n  b()\n" + "elif c():\n  d()\n" * 5000,
    "plus": "x = a" + " + b" * 20_000,
    "plus in parentheses": "x = " + "(" * 5000 + "a" + " + b)" * 5000,
    "mixed operators": "x = a" + " + b - c" * 10_000,
    "text": "x = a" + " + 'b'" * 20_000,
    "and": "x = a" + " and b()" * 5000,
    "dict": "x = {" + ", ".join(f"'k{number}': {number}" for number in range(200_000)) + "}",
    "assignments": "x = " * 5000 + "1",
    "comprehension": "x = [a " + "for b in c() " * 5000 + "]",
    "decorators": "@a()\n" * 5000 + "def f(): pass",
}


@pytest.mark.parametrize("title", DEEP)
def test_long_chains_are_read(title: str) -> None:
    """However long, they are read without recursion, and give values of modest depth."""
    module = read(DEEP[title])
    assert module.unread == ()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(module), type=Module) == module


TOO_DEEP = {
    "calls": ("x = " + "f(" * 5000 + ")" * 5000, "an expression nested more than 80 deep"),
    "lists": ("x = " + "[" * 5000 + "]" * 5000, "an expression nested more than 80 deep"),
    "not": ("x = " + "not " * 5000 + "a", "an expression nested more than 80 deep"),
    "power": ("x = a" + " ** a" * 5000, "an expression nested more than 80 deep"),
    "conditions": ("x = " + "a if b else " * 5000 + "c", "an expression nested more than 80 deep"),
    "subscripts": ("x = " + "a[" * 5000 + "0" + "]" * 5000, "an expression nested more than 80 deep"),
    "lambdas": ("x = " + "lambda: " * 5000 + "a", "definitions nested more than 50 deep"),
    "functions": (
        "".join(" " * n + "def f():\n" for n in range(90)) + " " * 90 + "pass",
        "definitions nested more than 50 deep",
    ),
    "ifs": (
        "".join(" " * n + "if a:\n" for n in range(90)) + " " * 90 + "pass",
        "blocks nested more than 50 deep",
    ),
}


@pytest.mark.parametrize("title", TOO_DEEP)
def test_deep_nesting_is_cut_and_named(title: str) -> None:
    source, why = TOO_DEEP[title]
    module = read(source)
    assert why in [each.why for each in module.unread]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(module), type=Module) == module


def test_long_display_keeps_its_calls() -> None:
    statements = read("x = [1, " + "2, " * 1000 + "f(3), " * 10 + "]").bodies[0].statements
    assert [line(each) for each in statements[:-1]] == ["f(3) STORED"] * 10
    assigned = statements[-1]
    assert isinstance(assigned, Assign)
    assert isinstance(assigned.value, Display)
    assert len(assigned.value.items) == 64


def test_long_text_is_cut() -> None:
    assert len(first("x = '" + "a" * 10_000 + "'")) == len("0 x = ''") + 4000


def test_a_file_with_too_much_in_it_is_read_as_far_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.sources.python.lowering.MAX_NODES", 500)
    module = read("f(a)\n" * 1000)
    (missed,) = module.unread
    assert "more code than" in missed.why
    assert missed.end_line == 1000
    assert len(module.bodies[0].statements) == missed.line - 1 > 50


def test_a_parse_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.sources.python.grammar.UNTIMED_BYTES", 0)
    monkeypatch.setattr("mainstay.sources.python.grammar.PARSE_SECONDS", -1.0)
    assert unread("f()\n" * 10_000) == [(1, 10_000, "took longer than 5 s to parse")]


def test_a_surprise_costs_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("mainstay.sources.python.names._number", fail)
    module = read("f()\nif a:\n    g(lambda: b)\n    x = h(lambda: c, 1)\n    i()\nj()\n")
    assert [(each.line, each.why) for each in module.unread] == [
        (4, "the reader failed on this statement (RuntimeError)")
    ]
    assert body_lines(module.bodies[0]) == [
        "0 f() DISCARDED",
        "1 @1 g(body 1) DISCARDED",
        "2 @1 i() DISCARDED",
        "3 j() DISCARDED",
        "@1 IF in @0 1:3 head a",
    ]
    assert len(module.bodies) == 2
