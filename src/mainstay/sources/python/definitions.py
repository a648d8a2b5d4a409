"""Functions, classes and lambdas: what is evaluated where they stand, and a body left for later."""

from typing import Literal as Choice

from msgspec import Struct
from tree_sitter import Node

from mainstay.model.code import Class, Code, Define, Fate, Keyword, Parameter, Return, Value
from mainstay.sources.python.blocks import block
from mainstay.sources.python.calls import keywords_of
from mainstay.sources.python.dispatch import lowers, performs, value
from mainstay.sources.python.grammar import BLOCK, IDENTIFIER, WORDS, children, kind, meat
from mainstay.sources.python.lowering import MAX_BLOCKS, OPAQUE, Lowering, Pending
from mainstay.sources.python.source import spoken

_CLASS = kind("class_definition")
_FUNCTION = kind("function_definition")
_DECORATOR = kind("decorator")
_PARAMETERS = frozenset((kind("parameters"), kind("lambda_parameters")))
_TYPE = kind("type")
_BASES = kind("argument_list")
_DEFAULT = kind("default_parameter")
_TYPED = kind("typed_parameter")
_TYPED_DEFAULT = kind("typed_default_parameter")
_ARGS = kind("list_splat_pattern")
_KWARGS = kind("dictionary_splat_pattern")
_KEYWORD_ONLY = kind("keyword_separator")
_POSITIONAL_ONLY = kind("positional_separator")
_ASYNC = kind("async", named=False)

ParameterKind = Choice["positional", "keyword", "args", "kwargs"]


class Written(Struct, gc=False):
    """A parameter as it is written."""

    name: str
    kind: ParameterKind
    annotation: Node | None
    default: Node | None


@performs("decorated_definition")
def decorated_definition(body: Lowering, node: Node) -> None:
    """A definition under its decorators."""
    decorators: list[Value] = []
    for child in meat(node):
        if child.kind_id == _DECORATOR:
            inner = meat(child)
            decorators.append(value(body, inner[0], Fate.DECORATES) if inner else OPAQUE)
        elif child.kind_id == _FUNCTION:
            _function(body, child, tuple(decorators))
        elif child.kind_id == _CLASS:
            _class(body, child, tuple(decorators))


@performs("function_definition")
def function_definition(body: Lowering, node: Node) -> None:
    """`def`."""
    _function(body, node, ())


@performs("class_definition")
def class_definition(body: Lowering, node: Node) -> None:
    """`class`."""
    _class(body, node, ())


def _function(body: Lowering, node: Node, decorators: tuple[Value, ...]) -> None:
    name = code = returns = None
    parameters: tuple[Parameter, ...] = ()
    for child in meat(node):
        kind_id = child.kind_id
        if kind_id == IDENTIFIER:
            name = spoken(body.slice(child))
        elif kind_id in _PARAMETERS:
            parameters = _parameters(body, child)
        elif kind_id == _TYPE:
            returns = value(body, child, Fate.DECORATES)
        elif kind_id == BLOCK:
            code = child
    if name is None or code is None:
        return
    later = _later(body, "function", name, node, code)
    if later is None:
        return
    later.is_async = node.children[0].kind_id == _ASYNC
    later.parameters, later.decorators, later.returns = parameters, decorators, returns
    body.statements.append(Define(body.scope, *body.place(node), name, body=later.index))


def _class(body: Lowering, node: Node, decorators: tuple[Value, ...]) -> None:
    name = code = None
    bases: tuple[Value, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    for child in meat(node):
        if child.kind_id == IDENTIFIER:
            name = spoken(body.slice(child))
        elif child.kind_id == _BASES:
            bases, keywords = keywords_of(body, meat(child), Fate.DECORATES)
        elif child.kind_id == BLOCK:
            code = child
    if name is None or code is None:
        return
    later = _later(body, "class", name, node, code)
    if later is None:
        return
    line, column = body.place(node)
    classes = body.file.classes
    body.statements.append(Define(body.scope, line, column, name, class_=len(classes)))
    end_line = node.end_point[0] + 1
    classes.append(Class(name, later.qualname, line, end_line, bases, keywords, decorators, later.index))


@lowers("lambda")
def lambda_(body: Lowering, node: Node, _: Fate) -> Value:
    """A lambda is a body of its own that returns one value."""
    inner = meat(node)
    if not inner or not body.enter(node):
        return OPAQUE
    parameters = _parameters(body, inner[0]) if inner[0].kind_id in _PARAMETERS else ()
    body.depth -= 1
    later = _later(body, "lambda", "<lambda>", node, inner[-1])
    if later is None:
        return OPAQUE
    later.parameters = parameters
    return Code(later.index)


def returned(body: Lowering, code: Node) -> None:
    """Lower the expression that is the code of a lambda."""
    line, column = body.place(code)
    given = value(body, code, Fate.RETURNED)
    body.statements.append(Return(0, line, column, given))


def perform(body: Lowering, pending: Pending) -> None:
    """Lower the code of a body that was left for later."""
    if pending.kind == "lambda":
        returned(body, pending.code)
    else:
        block(body, pending.code)


def _later(
    body: Lowering, kind: Choice["function", "class", "lambda"], name: str, node: Node, code: Node
) -> Pending | None:
    """Leave the code of a definition for later; None when definitions nest too deep."""
    file = body.file
    if body.nesting >= MAX_BLOCKS:
        file.miss(node, f"definitions nested more than {MAX_BLOCKS} deep")
        return None
    qualname = f"{body.qualname}.{name}" if body.qualname else name
    pending = Pending(len(file.bodies), kind, name, qualname, body.index, node, code, body.nesting + 1)
    file.bodies.append(None)
    file.pending.append(pending)
    return pending


def _parameters(body: Lowering, node: Node) -> tuple[Parameter, ...]:
    """The parameters, their defaults evaluated before their annotations."""
    written = _written(body, node)
    defaults = [_given(body, each.default) for each in written]
    annotations = [_given(body, each.annotation) for each in written]
    return tuple(
        Parameter(each.name, each.kind, annotation, default)
        for each, annotation, default in zip(written, annotations, defaults, strict=True)
    )


def _given(body: Lowering, node: Node | None) -> Value | None:
    return None if node is None else value(body, node, Fate.DECORATES)


def _written(body: Lowering, node: Node) -> list[Written]:
    found: list[Written] = []
    plain: ParameterKind = "positional"
    for child in children(node):
        kind_id = child.kind_id
        if kind_id == _KEYWORD_ONLY:
            plain = "keyword"
        elif kind_id == IDENTIFIER:
            found.append(Written(spoken(body.slice(child)), plain, None, None))
        elif kind_id not in _NOT_PARAMETERS:
            found.append(_one(body, child, plain))
            if found[-1].kind == "args":
                plain = "keyword"
    return found


_NOT_PARAMETERS = frozenset((*(k for k in WORDS if k), 0)) - {
    IDENTIFIER,
    _DEFAULT,
    _TYPED,
    _TYPED_DEFAULT,
    _ARGS,
    _KWARGS,
    kind("tuple_pattern"),
} | {0xFFFF}


def _one(body: Lowering, node: Node, plain: ParameterKind) -> Written:
    """A parameter that is more than a name."""
    inner = meat(node) if node.kind_id in (_DEFAULT, _TYPED, _TYPED_DEFAULT) else [node]
    named = inner[0]
    annotation = next((child for child in inner[1:] if child.kind_id == _TYPE), None)
    default = inner[-1] if node.kind_id in (_DEFAULT, _TYPED_DEFAULT) and len(inner) > 1 else None
    stars: ParameterKind = plain
    if named.kind_id in (_ARGS, _KWARGS):
        stars = "args" if named.kind_id == _ARGS else "kwargs"
        named = (meat(named) or [named])[0]
    return Written(spoken(body.slice(named)), stars, annotation, default)
