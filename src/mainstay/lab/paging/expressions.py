"""The expressions of alert rules as trees of our own: what is not in here, the evaluator cannot do.

The text is parsed by promql-parser; this module keeps what we evaluate and says the name of the rest.
"""

import re
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import promql_parser
from msgspec import Struct

from mainstay.lab.paging.exposition import Labels

_LONGEST = 5_000  # characters; the parser takes quadratic time
_DEFAULT_STEP = 60_000  # ms, of a subquery that names none: Prometheus' default evaluation interval
_MANY = (
    (promql_parser.VectorMatchCardinality.ManyToOne, "left"),
    (promql_parser.VectorMatchCardinality.OneToMany, "right"),
)
_UNKNOWN = re.compile(r"unknown function with name '(\w+)'")


class NotExpression(Exception):
    """The text is not PromQL; the message is the parser's reason."""


class Unsupported(Exception):
    """PromQL that is right and that we do not evaluate; the message names it."""


class Matcher(Struct, frozen=True):
    """A condition on one label.  A missing label counts as the empty text."""

    label: str
    wanted: str
    equal: bool  # false for != and !~
    pattern: re.Pattern[str] | None = None  # of =~ and !~

    def matches(self, value: str) -> bool:
        found = value == self.wanted if self.pattern is None else self.pattern.fullmatch(value) is not None
        return found is self.equal


class Number(Struct, frozen=True):
    """A literal number."""

    value: float


class Text(Struct, frozen=True):
    """A literal text, the argument of a few functions."""

    value: str


class Select(Struct, frozen=True):
    """Series by name and labels; with `range` (ms) all samples of that stretch, otherwise the latest one."""

    name: str | None
    matchers: tuple[Matcher, ...]
    range: int = 0
    offset: int = 0  # ms into the past

    def takes(self, labels: Labels) -> bool:
        """Whether a series of the right name has these labels."""
        if not self.matchers:
            return True
        given = dict(labels)
        return all(matcher.matches(given.get(matcher.label, "")) for matcher in self.matchers)

    def __str__(self) -> str:
        conditions = ",".join(map(_shown, self.matchers))
        return (self.name or "") + (f"{{{conditions}}}" if conditions or not self.name else "")


class Subquery(Struct, frozen=True):
    """An expression evaluated every `step` ms over a range, as if it were a recorded series."""

    inner: "Node"
    range: int
    step: int
    offset: int = 0


class Call(Struct, frozen=True):
    """A function and what it is given."""

    function: str
    arguments: tuple["Node", ...]


class Aggregate(Struct, frozen=True):
    """Many series made fewer: those that agree in `labels`, or with `without` in all others, become one."""

    operator: str
    inner: "Node"
    labels: tuple[str, ...] = ()
    without: bool = False
    parameter: "Node | None" = None


class Matching(Struct, frozen=True):
    """Which elements of two vectors belong together."""

    labels: tuple[str, ...] = ()
    on: bool = False  # only these labels have to agree; otherwise all but these
    many: str = ""  # "left" or "right": the side that may have several
    include: tuple[str, ...] = ()  # labels taken over from the other side


class Binary(Struct, frozen=True):
    """Two operands with an operator between them."""

    operator: str
    left: "Node"
    right: "Node"
    matching: Matching = Matching()
    as_bool: bool = False


class Negative(Struct, frozen=True):
    """A minus sign."""

    inner: "Node"


Node = Number | Text | Select | Subquery | Call | Aggregate | Binary | Negative

COMPARISONS = frozenset("== != > < >= <=".split())
SETS = frozenset("and or unless".split())
_ARITHMETIC = frozenset("+ - * / % ^ atan2".split())
_AGGREGATES = frozenset(
    "sum max min avg count group stddev stdvar quantile topk bottomk count_values".split()
)


def parse(text: str) -> Node:
    """The tree of an expression; raises NotExpression, Unsupported."""
    if len(text) > _LONGEST:
        raise Unsupported(f"an expression of more than {_LONGEST} characters")
    try:
        return _node(promql_parser.parse(text))
    except ValueError as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown is not None:  # a newer Prometheus, an older one or a relative may have it
            raise Unsupported(f"the function `{unknown[1]}`") from error
        raise NotExpression(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise Unsupported("an expression nested this deeply") from error


def nodes(tree: Node) -> Iterator[Node]:
    """The tree and all below it, from the top."""
    waiting: list[Node] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def children(node: Node) -> tuple[Node, ...]:
    """What is directly below a node."""
    match node:
        case Call():
            return node.arguments
        case Aggregate():
            return (node.inner,) if node.parameter is None else (node.parameter, node.inner)
        case Binary():
            return (node.left, node.right)
        case Subquery() | Negative():
            return (node.inner,)
        case _:
            return ()


def reach(tree: Node) -> int:
    """How far into the past a tree looks, in ms, beside what an instant selector may look back."""
    below = max(map(reach, children(tree)), default=0)
    return below + (tree.range + tree.offset if isinstance(tree, Select | Subquery) else 0)


def _node(found: Any) -> Node:
    match found:
        case promql_parser.ParenExpr():
            return _node(found.expr)
        case promql_parser.NumberLiteral():
            return Number(found.val)
        case promql_parser.StringLiteral():
            return Text(found.val)
        case promql_parser.UnaryExpr():
            return _negative(_node(found.expr))
        case promql_parser.VectorSelector():
            return _select(found, 0)
        case promql_parser.MatrixSelector():
            return _select(found.vector_selector, _milliseconds(found.range))
        case promql_parser.SubqueryExpr():
            return _subquery(found)
        case promql_parser.Call():
            return Call(found.func.name, tuple(map(_node, found.args)))
        case promql_parser.AggregateExpr():
            return _aggregate(found)
        case promql_parser.BinaryExpr():
            return _binary(found)
        case _:
            raise Unsupported(f"`{type(found).__name__}`")


def _negative(inner: Node) -> Node:
    return Number(-inner.value) if isinstance(inner, Number) else Negative(inner)


def _select(found: promql_parser.VectorSelector, length: int) -> Select:
    _no_at(found.at)
    if found.matchers.or_matchers:
        raise Unsupported("`or` between label matchers")
    name = found.name
    matchers = []
    for one in found.matchers.matchers:
        matcher = _matcher(one)
        if one.name == "__name__" and matcher.pattern is None and matcher.equal:
            name = one.value
        else:
            matchers.append(matcher)
    return Select(name, tuple(matchers), length, _milliseconds(found.offset))


def _matcher(found: promql_parser.Matcher) -> Matcher:
    equal = found.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re)
    if found.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.NotEqual):
        return Matcher(found.name, found.value, equal)
    return Matcher(found.name, found.value, equal, _pattern(found.value))


def _pattern(text: str) -> re.Pattern[str]:
    """RE2 as Python's own expressions; what they read otherwise, or not at all, is named."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if "[[:" in text:
                raise Unsupported(f"the regular expression {text!r}")
            return re.compile(text, re.DOTALL)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError) as error:
        raise Unsupported(f"the regular expression {text!r}") from error


def _subquery(found: promql_parser.SubqueryExpr) -> Subquery:
    _no_at(found.at)
    step = _DEFAULT_STEP if found.step is None else _milliseconds(found.step)
    return Subquery(_node(found.expr), _milliseconds(found.range), step, _milliseconds(found.offset))


def _no_at(at: promql_parser.AtModifier | None) -> None:
    if at is not None:
        raise Unsupported("the modifier `@`")


def _aggregate(found: promql_parser.AggregateExpr) -> Aggregate:
    operator = str(found.op)
    if operator not in _AGGREGATES:
        raise Unsupported(f"the aggregation `{operator}`")
    modifier = found.modifier
    return Aggregate(
        operator,
        _node(found.expr),
        () if modifier is None else tuple(modifier.labels),
        modifier is not None and modifier.type == promql_parser.AggModifierType.Without,
        None if found.param is None else _node(found.param),
    )


def _binary(found: promql_parser.BinaryExpr) -> Binary:
    operator = str(found.op)
    if operator not in COMPARISONS | SETS | _ARITHMETIC:
        raise Unsupported(f"the operator `{operator}`")
    left, right = _node(found.lhs), _node(found.rhs)
    modifier = found.modifier
    if modifier is None:
        return Binary(operator, left, right)
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise Unsupported("filling in of missing elements")
    return Binary(operator, left, right, _matching(modifier), modifier.return_bool)


def _matching(modifier: promql_parser.BinModifier) -> Matching:
    by = modifier.matching
    return Matching(
        () if by is None else tuple(by.labels),
        by is not None and by.type == promql_parser.LabelModifierType.Include,
        next((side for kind, side in _MANY if modifier.card == kind), ""),
        tuple(modifier.group_labels or ()),
    )


def _milliseconds(length: timedelta | None) -> int:
    return 0 if length is None else round(length.total_seconds() * 1000)


def _shown(matcher: Matcher) -> str:
    sign = ("=~" if matcher.equal else "!~") if matcher.pattern else ("=" if matcher.equal else "!=")
    value = matcher.wanted.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{matcher.label}{sign}"{value}"'
