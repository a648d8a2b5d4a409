"""A small language for what holds of a JSON answer: `debit == credit`, `sum(items.amount) <= limit`.

Fields are named as they are, `a.b` goes down, and on a list it takes the field of each; `[0]` and `["a b"]`
pick one.  There are comparisons, `in`, `and`, `or`, `not`, `+ - * / // %`, and the functions `sum`, `len`,
`min`, `max`, `abs`, `round`, `all`, `any`, `distinct`, and `number("12.50")`.  Comparing a list with a value
compares each: `all(items.amount >= 0)`.  Fractions are decimal ones, to 28 digits.  Nothing else can be
written, so nothing of it can do harm.
"""

import ast
import json
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any

_LONGEST = 2000  # characters

Value = Any  # what JSON can hold, with Decimal for its fractions

_PARTS = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.List, ast.Tuple),
    *(ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call),
)


class ExpressionError(Exception):
    """What is wrong with an expression, and where, in one sentence."""


class Expression:
    """One that can be evaluated; the constructor raises ExpressionError."""

    def __init__(self, text: str) -> None:
        self.text = text = text.strip()
        if len(text) > _LONGEST:
            raise ExpressionError(f"the expression is longer than {_LONGEST} characters")
        try:
            self._tree = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise ExpressionError(_placed(text, error.offset or 1, "this cannot be read")) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(_placed(text, 1, "this cannot be read")) from error
        self._check(self._tree)

    def holds(self, answer: Value) -> bool:
        """Evaluate it over an answer; raises ExpressionError, also when it is neither true nor false."""
        try:
            found = self._value(self._tree, answer)
        except RecursionError as error:
            raise self._wrong(self._tree, "this is nested too deeply") from error
        if not isinstance(found, bool):
            raise self._wrong(self._tree, f"this is neither true nor false, but {_kind(found)}")
        return found

    def _check(self, tree: ast.expr) -> None:
        """Refuse what the language lacks before anything is run."""
        for node in ast.walk(tree):
            if isinstance(node, ast.expr) and not isinstance(node, _PARTS):
                raise self._wrong(node, "this is not part of the language")
            if isinstance(node, ast.operator | ast.unaryop | ast.cmpop) and type(node) not in _OPERATORS:
                raise self._wrong(tree, f"it has no operator {type(node).__name__}")
            if isinstance(node, ast.Call):
                self._check_call(node)
            if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None):
                raise self._wrong(node, "this is not part of the language")

    def _check_call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS:
            raise self._wrong(node.func, f"there is no such function; there are {', '.join(_FUNCTIONS)}")
        if node.keywords or not node.args or any(isinstance(one, ast.Starred) for one in node.args):
            raise self._wrong(node, f"{node.func.id} takes values, and at least one")

    def _value(self, node: ast.expr, answer: Value) -> Value:
        match node:
            case ast.Constant():
                return Decimal(repr(node.value)) if isinstance(node.value, float) else node.value
            case ast.Name():
                return _WORDS[node.id] if node.id in _WORDS else self._field(node, answer, node.id)
            case ast.Attribute():
                return self._field(node, self._value(node.value, answer), node.attr)
            case ast.Subscript():
                return self._element(node, answer)
            case ast.List() | ast.Tuple():
                return [self._value(one, answer) for one in node.elts]
            case ast.BoolOp():
                return self._joined(node, answer)
            case ast.UnaryOp():
                return self._unary(node, answer)
            case ast.BinOp():
                return self._sum(node, answer)
            case ast.Compare():
                return self._comparison(node, answer)
        assert isinstance(node, ast.Call)  # nothing else passed when it was read
        return self._call(node, answer)

    def _field(self, node: ast.expr, holder: Value, name: str) -> Value:
        if isinstance(holder, list):
            return [self._field(node, one, name) for one in holder]
        if not isinstance(holder, Mapping):
            raise self._wrong(node, f"{_kind(holder)} has no field `{name}`")
        if name not in holder:
            raise self._wrong(node, f"there is no field `{name}`")
        return holder[name]

    def _element(self, node: ast.Subscript, answer: Value) -> Value:
        holder, at = self._value(node.value, answer), self._value(node.slice, answer)
        if isinstance(holder, list) and isinstance(at, int) and not isinstance(at, bool):
            if not -len(holder) <= at < len(holder):
                raise self._wrong(node, f"there is no element {at} in a list of {len(holder)}")
            return holder[at]
        if isinstance(at, str):
            return self._field(node, holder, at)
        raise self._wrong(node, f"{_kind(holder)} cannot be asked for {_kind(at)}")

    def _joined(self, node: ast.BoolOp, answer: Value) -> Value:
        stops = isinstance(node.op, ast.Or)
        for one in node.values:
            if self._truth(one, answer) is stops:
                return stops
        return not stops

    def _unary(self, node: ast.UnaryOp, answer: Value) -> Value:
        if isinstance(node.op, ast.Not):
            return not self._truth(node.operand, answer)
        return -self._number(node.operand, self._value(node.operand, answer))

    def _sum(self, node: ast.BinOp, answer: Value) -> Value:
        left = self._number(node.left, self._value(node.left, answer))
        right = self._number(node.right, self._value(node.right, answer))
        return self._done(node, lambda: _OPERATORS[type(node.op)](Decimal(left), Decimal(right)))

    def _comparison(self, node: ast.Compare, answer: Value) -> Value:
        found: Value = True
        left = self._value(node.left, answer)
        for kind, of in zip(node.ops, node.comparators, strict=True):
            right = self._value(of, answer)
            found = self._compared(node, kind, left, right)
            if found is False:
                break
            left = right
        return found

    def _compared(self, node: ast.Compare, kind: ast.cmpop, left: Value, right: Value) -> Value:
        if isinstance(kind, ast.In | ast.NotIn):
            if not isinstance(right, list | str | Mapping):
                raise self._wrong(node, f"nothing is in {_kind(right)}")
            return self._done(node, lambda: _OPERATORS[type(kind)](left, right))
        if isinstance(left, list) and not isinstance(right, list):
            if len(node.ops) > 1:
                raise self._wrong(node, "a list is compared with one value at a time")
            return [self._compared(node, kind, one, right) for one in left]
        return self._done(node, lambda: _OPERATORS[type(kind)](left, right))

    def _call(self, node: ast.Call, answer: Value) -> Value:
        assert isinstance(node.func, ast.Name)
        given = [self._value(one, answer) for one in node.args]
        function = _FUNCTIONS[node.func.id]
        return self._done(node, lambda: function(*given))

    def _done(self, node: ast.expr, work: Callable[[], Value]) -> Value:
        try:
            return work()
        except (TypeError, ValueError, KeyError, ArithmeticError, DecimalException) as error:
            raise self._wrong(node, "this cannot be worked out for the values in the answer") from error

    def _truth(self, node: ast.expr, answer: Value) -> bool:
        found = self._value(node, answer)
        if not isinstance(found, bool):
            raise self._wrong(node, f"this is neither true nor false, but {_kind(found)}")
        return found

    def _number(self, node: ast.expr, value: Value) -> int | Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._wrong(node, f"this is {_kind(value)} and no number")
        return value

    def _wrong(self, node: ast.expr, why: str) -> ExpressionError:
        return ExpressionError(_placed(self.text, node.col_offset + 1, why))


def read_json(text: str | bytes) -> Value:
    """An answer, with exact numbers; raises ExpressionError when it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ExpressionError("the answer is no JSON") from error


def _no_number(text: str) -> Value:
    raise ValueError(text)


def _placed(text: str, column: int, why: str) -> str:
    return f"`{text}`, column {column}: {why}"


def _kind(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = ((int | Decimal, "a number"), (str, "a text"), (list, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "an object")


def _sum(values: Value) -> Value:
    if any(isinstance(one, bool) or not isinstance(one, int | Decimal) for one in values):
        raise TypeError
    return sum(values)


def _truths(values: Value) -> list[bool]:
    if not isinstance(values, list) or not all(isinstance(one, bool) for one in values):
        raise TypeError
    return values


def _distinct(values: Value) -> list[Value]:
    if not isinstance(values, list):
        raise TypeError
    return list({json.dumps(one, sort_keys=True, default=str): one for one in values}.values())


def _same(one: Value, other: Value) -> bool:
    """As in JSON, and unlike in Python, true is no 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _round(value: Value, places: int = 0) -> Decimal:
    """Never to an integer of a million digits, as Python would."""
    return Decimal(value).quantize(Decimal(1).scaleb(-places))


def _as_number(value: Value) -> Decimal:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError
    return number


_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}

_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "sum": _sum,
    "len": len,
    "min": min,
    "max": max,
    "abs": abs,
    "round": _round,
    "all": lambda values: all(_truths(values)),
    "any": lambda values: any(_truths(values)),
    "distinct": _distinct,
    "number": _as_number,
}

_OPERATORS: dict[type[ast.AST], Callable[..., Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: _same,
    ast.NotEq: lambda one, other: not _same(one, other),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, of: one in of,
    ast.NotIn: lambda one, of: one not in of,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}
