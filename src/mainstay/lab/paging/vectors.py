"""What an expression yields at one moment, and how two of them are put together."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from msgspec import Struct

from mainstay.lab.paging.exposition import Labels
from mainstay.lab.paging.expressions import COMPARISONS, Binary, Matching
from mainstay.lab.paging.functions import divided, power, remainder

NAME = "__name__"
_REMEMBERED = 1 << 14  # the same labels come at each step


class EvaluationError(Exception):
    """The expression is right and Prometheus could not evaluate it on these series; one sentence."""


class Element(Struct, frozen=True, gc=False):
    """One labelled value; the metric's name, while it has one, is the label `__name__`."""

    labels: Labels
    value: float


Vector = Sequence[Element]

_OPERATE: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divided,
    "%": remainder,
    "^": power,
    "atan2": math.atan2,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


@lru_cache(_REMEMBERED)
def unnamed(labels: Labels) -> Labels:
    """The labels without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)


@lru_cache(_REMEMBERED)
def kept(labels: Labels, names: tuple[str, ...]) -> Labels:
    """Only these labels."""
    return tuple(pair for pair in labels if pair[0] in names)


@lru_cache(_REMEMBERED)
def dropped(labels: Labels, names: tuple[str, ...]) -> Labels:
    """All but these labels and the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME and pair[0] not in names)


def distinct(elements: list[Element]) -> list[Element]:
    """The elements; raises EvaluationError when two of them have the same labels."""
    if len({element.labels for element in elements}) < len(elements):
        raise EvaluationError("several series have the same labels once their name is dropped")
    return elements


def combined(node: Binary, left: float | Vector, right: float | Vector) -> float | Vector:
    """The value of a binary expression whose sides have these values; raises EvaluationError."""
    if isinstance(left, float):
        if isinstance(right, float):
            return float(_OPERATE[node.operator](left, right))
        return _with_number(node, right, left, number_left=True)
    if isinstance(right, float):
        return _with_number(node, left, right, number_left=False)
    if node.operator in ("and", "unless"):
        there = {_group(element.labels, node.matching) for element in right}
        wanted = node.operator == "and"
        return [one for one in left if (_group(one.labels, node.matching) in there) is wanted]
    if node.operator == "or":
        taken = {_group(element.labels, node.matching) for element in left}
        return [*left, *(one for one in right if _group(one.labels, node.matching) not in taken)]
    return _matched(node, left, right)


def _with_number(node: Binary, vector: Vector, number: float, *, number_left: bool) -> Vector:
    operate = _OPERATE[node.operator]
    elements = []
    for one in vector:
        found = operate(number, one.value) if number_left else operate(one.value, number)
        if node.operator in COMPARISONS and not node.as_bool:
            if found:
                elements.append(one)
        else:
            elements.append(Element(unnamed(one.labels), float(found)))
    return distinct(elements)


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    swapped = node.matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    partners: dict[Labels, Element] = {}
    for element in one:
        group = _group(element.labels, node.matching)
        if group in partners:
            raise EvaluationError("several series match on the side that may have one only")
        partners[group] = element
    used: set[Labels] = set()
    elements = []
    for element in many:
        group = _group(element.labels, node.matching)
        partner = partners.get(group)
        if partner is None:
            continue
        if not node.matching.many and group in used:
            raise EvaluationError("several series match one, and neither group_left nor group_right is given")
        used.add(group)
        elements += _pair(node, element, partner, swapped=swapped)
    return distinct(elements)


def _pair(node: Binary, many: Element, one: Element, *, swapped: bool) -> list[Element]:
    a, b = (one, many) if swapped else (many, one)
    found = _OPERATE[node.operator](a.value, b.value)
    filters = node.operator in COMPARISONS and not node.as_bool
    if filters and not found:
        return []
    labels = many.labels if filters else unnamed(many.labels)
    matching = node.matching
    if matching.many:
        given = dict(one.labels)
        taken = dict(labels)
        for name in matching.include:
            taken.pop(name, None)
            if name in given:
                taken[name] = given[name]
        labels = tuple(sorted(taken.items()))
    elif matching.on:
        labels = kept(labels, matching.labels)
    elif matching.labels:
        labels = tuple(pair for pair in labels if pair[0] not in matching.labels)
    return [Element(labels, a.value if filters else float(found))]


def _group(labels: Labels, matching: Matching) -> Labels:
    return kept(labels, matching.labels) if matching.on else dropped(labels, matching.labels)
