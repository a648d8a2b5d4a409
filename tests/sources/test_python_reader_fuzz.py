"""Whatever the bytes, reading gives a Module that holds together and survives its cache format."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from mainstay.model.code import Body, Call, Code, Define, Each, Module, Result, Scope, ScopeKind
from mainstay.sources.python import read_python

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy

SNIPPETS = [
    snippet.lstrip("\n").encode()
    for snippet in (
        """
@app.post('/pay', status_code=201)
async def pay(order: Order, db=Depends(get_db)) -> dict:
    async with db.begin() as tx, lock:
        row = await tx.execute(f'SELECT {order.id:>{w()}}')
        return {'id': row.one()[0], **await extra(*row, key=lambda r: r.id or f(r))}
""",
        """
class Task(Base, metaclass=Meta):
    retries: int = field(default=3)

    @property
    def url(self):
        '''Doc.'''
        return self.client().base + '/x' % (a, b)
""",
        """
try:
    import ujson as json
except (ImportError, OSError) as e:
    raise A(str(e)) from e
else:
    b()
finally:
    c()  # mainstay: ignore[rule] why
""",
        """
while (n := q.get()) and n.ok():
    for i, (a, b) in enumerate(n):
        if a() < b < c():
            continue
        elif not a:
            break
        else:
            yield from x(i)
""",
        """
x = [f(a) for a in g() if a.b for c in h(a)] + [{k: v() for k, v in d.items()}, (y async for y in z())]
""",
        """
match cmd.split():
    case ['go', str(d)] if ok(d): go(d)
    case {'k': v, **rest} | Point(x=0): v()
""",
        """
def é(ü: 'ö' = ñ()):
    return (yield a if b() else c()) and d() or '''ß{x}'''
""",
        """
print 'a', b
exec c in d
print >>f, g()
type X[T] = list[T]
type(a).b = c
assert a, b()
del a[f()]
""",
        """
a().b[c()].d(e)(f)[1:2, ::g()].h = i = not -j ** k @ l
""",
    )
]


def results(thing: object) -> Iterator[Struct]:
    """Every Result, Code and Each inside a value, statement or scope."""
    pending = [thing]
    while pending:
        each = pending.pop()
        if isinstance(each, tuple):
            pending.extend(each)
        elif isinstance(each, Struct):
            if isinstance(each, Result | Code | Each):
                yield each
            pending.extend(getattr(each, name) for name in each.__struct_fields__)


def check_values(module: Module, owner: Body, things: object, before: int) -> None:
    """Values may refer to statements before `before`, and to scopes and bodies that exist."""
    for each in results(things):
        if isinstance(each, Result):
            assert 0 <= each.call < before
            assert isinstance(owner.statements[each.call], Call)
        elif isinstance(each, Code):
            assert module.bodies[each.body].kind == "lambda"
        elif isinstance(each, Each):
            assert owner.scopes[each.scope].kind is ScopeKind.COMPREHENSION


def check_scopes(body: Body) -> None:
    """Scopes nest, are contiguous, and hold exactly the statements that say so."""
    count = len(body.statements)
    assert (body.scopes[0].parent, body.scopes[0].first, body.scopes[0].last) == (-1, 0, count)
    for number, scope in enumerate(body.scopes[1:], 1):
        parent = body.scopes[scope.parent]
        assert 0 <= scope.parent < number
        assert parent.first <= scope.first <= scope.last <= parent.last
        assert scope.line <= scope.end_line
        if scope.of >= 0:
            check_belonging(body, scope, number)
    for index, statement in enumerate(body.statements):
        innermost = [n for n, scope in enumerate(body.scopes) if scope.first <= index < scope.last][-1]
        assert statement.scope == innermost


def check_belonging(body: Body, scope: Scope, number: int) -> None:
    of = body.scopes[scope.of]
    assert scope.of < number
    assert of.parent == scope.parent
    assert of.last <= scope.first


def check(source: bytes) -> Module:
    """Read, and assert everything a Module promises."""
    module = read_python(source)
    assert module == read_python(source)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(module), type=Module) == module
    assert not [each for each in module.unread if "the reader failed" in each.why]
    assert module.bodies[0].kind == "module"
    defined = []
    for number, body in enumerate(module.bodies):
        check_scopes(body)
        assert 1 <= body.line <= max(body.end_line, 1)
        assert -1 <= body.parent < number or number == 0
        around = module.bodies[max(body.parent, 0)]
        outside = (body.decorators, body.returns, body.parameters)
        check_values(module, around, outside, len(around.statements))
        for index, statement in enumerate(body.statements):
            check_values(module, body, statement, index)
            if isinstance(statement, Define):
                defined.append(
                    statement.body if statement.body >= 0 else module.classes[statement.class_].body
                )
        for scope in body.scopes:
            check_values(module, body, (scope.head, scope.targets), scope.last)
    assert len(defined) == len(set(defined))
    for found in module.classes:
        assert module.bodies[found.body].kind == "class"
        around = module.bodies[module.bodies[found.body].parent]
        check_values(module, around, (found.bases, found.keywords), len(around.statements))
    assert all(0 <= each.body < len(module.bodies) for each in module.imports)
    assert all(1 <= each.line <= each.end_line for each in module.unread)
    return module


@pytest.mark.parametrize("source", SNIPPETS)
def test_snippets_hold_together(source: bytes) -> None:
    check(source)


@patient
@given(st.binary(max_size=300))
def test_any_bytes(source: bytes) -> None:
    check(source)


@patient
@given(st.text(max_size=300))
def test_any_text(source: str) -> None:
    check(source.encode("utf-8", "replace"))


TOKENS = """( ) [ ] { } , : . ; = == := -> + - * ** % @ ' " ''' \"\"\" f' # \\ if else elif for in while with
as try except finally def class lambda return yield from import await async match case type not and or is del
raise assert print exec a b() 1 2.5 True None ... é""".split()


@patient
@given(st.lists(st.sampled_from([*TOKENS, "\n", "\n    ", "\n        ", "\t"]), max_size=80))
def test_any_tokens(tokens: list[str]) -> None:
    check(" ".join(tokens).encode())


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A few snippets in a row, with pieces cut out, doubled or swapped between them."""
    source = bytearray(b"".join(draw(st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(source)))
        end = min(len(source), start + draw(st.integers(0, 30)))
        other = draw(st.sampled_from(SNIPPETS))
        at = draw(st.integers(0, len(other)))
        source[start:end] = other[at : at + draw(st.integers(0, 30))]
    return bytes(source)


@patient
@given(mutations())
def test_mutations_of_real_code(source: bytes) -> None:
    check(source)


@patient
@given(mutations(), st.integers(1, 60))
def test_too_much_code_leaves_a_module_that_holds_together(source: bytes, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mainstay.sources.python.lowering.MAX_NODES", most)
        check(source)
