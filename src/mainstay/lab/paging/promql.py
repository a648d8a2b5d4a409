"""Evaluates the expressions of alert rules on recorded series, with the semantics of Prometheus 3."""

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from mainstay.lab.paging.aggregation import aggregated, histogram_quantile
from mainstay.lab.paging.exposition import Labels
from mainstay.lab.paging.expressions import (
    SETS,
    Aggregate,
    Binary,
    Call,
    Negative,
    Node,
    Number,
    Select,
    Subquery,
    Text,
    Unsupported,
    nodes,
)
from mainstay.lab.paging.functions import (
    OF_VALUE,
    OVER_RANGE,
    Window,
    predict_linear,
    quantile,
    rounded,
)
from mainstay.lab.paging.series import Series, Store
from mainstay.lab.paging.vectors import NAME, Element, EvaluationError, Vector, combined, distinct, unnamed

Value = float | str | Vector

_KEEP_NAME = ("last_over_time",)
_CALENDAR: dict[str, Callable[[datetime], int]] = {
    "minute": lambda when: when.minute,
    "hour": lambda when: when.hour,
    "day_of_week": lambda when: when.isoweekday() % 7,
    "day_of_month": lambda when: when.day,
    "day_of_year": lambda when: when.timetuple().tm_yday,
    "month": lambda when: when.month,
    "year": lambda when: when.year,
}
_OTHERS = frozenset(
    "absent absent_over_time clamp clamp_min clamp_max histogram_quantile label_join label_replace"
    " predict_linear quantile_over_time round scalar sort sort_desc time timestamp vector".split()
)
_INNER_STEPS = 500  # of a subquery: each one is an evaluation of its own, at each step of the outer one
_SYNTHETIC = ("ALERTS", "ALERTS_FOR_STATE")
_GROUP = re.compile(r"\$(?:(\d+)|\{(\w+)\}|\$)")


def supported(tree: Node) -> None:
    """Raises Unsupported for the first thing in a tree that `evaluate` cannot do."""
    known = _OTHERS | OVER_RANGE.keys() | OF_VALUE.keys() | _CALENDAR.keys()
    for node in nodes(tree):
        if isinstance(node, Call) and node.function not in known:
            raise Unsupported(f"the function `{node.function}`")
        if isinstance(node, Subquery) and node.range > _INNER_STEPS * node.step:
            raise Unsupported(f"a subquery of more than {_INNER_STEPS} steps")
        if isinstance(node, Select) and node.name in _SYNTHETIC:
            raise Unsupported(f"the series `{node.name}` that Prometheus keeps of its own alerts")


def evaluate(tree: Node, store: Store, at: int) -> Value:
    """The value of a tree at a time in ms; raises EvaluationError, Unsupported."""
    return _Moment(store, at).value(tree)


def selected(node: Select, store: Store) -> list[Series]:
    """The series that a selector takes."""
    if node.name is not None:
        return [series for series in store.named(node.name) if node.takes(series.labels)]
    return [
        series
        for name in store.names()
        for series in store.named(name)
        if node.takes(((NAME, name), *series.labels))
    ]


class _Moment:
    """All series at one time."""

    def __init__(self, store: Store, at: int) -> None:
        self._store = store
        self._at = at

    def value(self, node: Node) -> Value:
        match node:
            case Number() | Text():
                return node.value
            case Select():
                return self._select(node)
            case Negative():
                inner = self.value(node.inner)
                return -inner if isinstance(inner, float) else _mapped(_vector(inner), lambda value: -value)
            case Binary():
                return self._binary(node)
            case Aggregate():
                parameter = None if node.parameter is None else self.value(node.parameter)
                return aggregated(
                    node,
                    self.vector(node.inner),
                    parameter if isinstance(parameter, float | str) else None,
                )
            case Call():
                return self._call(node)
            case Subquery():
                raise EvaluationError("a range stands where a value has to be")

    def vector(self, node: Node) -> Vector:
        return _vector(self.value(node))

    def number(self, node: Node) -> float:
        found = self.value(node)
        if not isinstance(found, float):
            raise EvaluationError("a vector stands where a number has to be")
        return found

    def _select(self, node: Select) -> Vector:
        if node.range:
            raise EvaluationError("a range stands where a value has to be")
        elements = []
        for series in selected(node, self._store):
            latest = series.latest(self._at - node.offset)
            if latest is not None:
                elements.append(Element(_named(series), latest[1]))
        return elements

    def _binary(self, node: Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, str) or isinstance(right, str):
            raise EvaluationError(f"`{node.operator}` stands beside a text")
        if node.operator in SETS and (isinstance(left, float) or isinstance(right, float)):
            raise EvaluationError(f"`{node.operator}` stands beside a number")
        return combined(node, left, right)

    def _call(self, node: Call) -> Value:
        name, given = node.function, node.arguments
        if name in OVER_RANGE:
            function = OVER_RANGE[name]
            return self._over(given[0], function, keeps_name=name in _KEEP_NAME)
        if name in OF_VALUE:
            return _mapped(self.vector(given[0]), OF_VALUE[name])
        if name in _CALENDAR:
            return self._calendar(_CALENDAR[name], given)
        if name not in _OTHERS:
            raise Unsupported(f"the function `{name}`")
        method: Callable[[tuple[Node, ...]], Value] = getattr(self, f"_{name}")
        return method(given)

    def _over(
        self, node: Node, function: Callable[[Window], float | None], *, keeps_name: bool = False
    ) -> Vector:
        elements = []
        for window in self._windows(node):
            found = function(window)
            if found is not None:
                labels = _named(window.series) if keeps_name else window.series.labels
                elements.append(Element(labels, found))
        return distinct(elements)

    def _windows(self, node: Node) -> Iterable[Window]:
        if isinstance(node, Subquery):
            end = self._at - node.offset
            found = self._subquery(node, end)
        elif isinstance(node, Select) and node.range:
            end = self._at - node.offset
            found = selected(node, self._store)
        else:
            raise EvaluationError("a value stands where a range has to be")
        for series in found:
            first, stop = series.between(end - node.range, end)
            if stop > first:
                yield Window(series, first, stop, end - node.range, end)

    def _subquery(self, node: Subquery, end: int) -> list[Series]:
        """Its steps fall on whole multiples of the step, counted from 1970."""
        unix = round(self._store.unix * 1000)
        first = ((end - node.range + unix) // node.step + 1) * node.step - unix
        steps = Store(self._store.unix)
        for at in range(first, end + 1, node.step):
            found = _Moment(self._store, at).value(node.inner)
            for element in [Element((), found)] if isinstance(found, float) else _vector(found):
                name = dict(element.labels).get(NAME, "")
                steps.series(name, unnamed(element.labels)).add(at, element.value)
        return list(steps.all())

    def _calendar(self, part: Callable[[datetime], int], given: tuple[Node, ...]) -> Vector:
        moments = self.vector(given[0]) if given else [Element((), self._now())]
        return _mapped(
            moments,
            lambda value: (
                float(part(datetime.fromtimestamp(value, UTC))) if math.isfinite(value) else math.nan
            ),
        )

    def _now(self) -> float:
        return self._at / 1000 + self._store.unix

    # Each of the following is the function of PromQL that it is named for.

    def _time(self, _: tuple[Node, ...]) -> float:
        return self._now()

    def _vector(self, given: tuple[Node, ...]) -> Vector:
        return [Element((), self.number(given[0]))]

    def _scalar(self, given: tuple[Node, ...]) -> float:
        found = self.vector(given[0])
        return found[0].value if len(found) == 1 else math.nan

    def _absent(self, given: tuple[Node, ...]) -> Vector:
        return [] if self.vector(given[0]) else [Element(_expected(given[0]), 1.0)]

    def _absent_over_time(self, given: tuple[Node, ...]) -> Vector:
        return [] if any(True for _ in self._windows(given[0])) else [Element(_expected(given[0]), 1.0)]

    def _clamp(self, given: tuple[Node, ...]) -> Vector:
        low, high = self.number(given[1]), self.number(given[2])
        found = self.vector(given[0])
        return [] if low > high else _mapped(found, lambda value: max(low, min(high, value)))

    def _clamp_min(self, given: tuple[Node, ...]) -> Vector:
        low = self.number(given[1])
        return _mapped(self.vector(given[0]), lambda value: max(value, low))

    def _clamp_max(self, given: tuple[Node, ...]) -> Vector:
        high = self.number(given[1])
        return _mapped(self.vector(given[0]), lambda value: min(value, high))

    def _round(self, given: tuple[Node, ...]) -> Vector:
        to = self.number(given[1]) if len(given) > 1 else 1.0
        return _mapped(self.vector(given[0]), lambda value: rounded(value, to))

    def _histogram_quantile(self, given: tuple[Node, ...]) -> Vector:
        return histogram_quantile(self.number(given[0]), self.vector(given[1]))

    def _quantile_over_time(self, given: tuple[Node, ...]) -> Vector:
        share = self.number(given[0])
        return self._over(given[1], lambda window: quantile(share, window.values))

    def _predict_linear(self, given: tuple[Node, ...]) -> Vector:
        seconds = self.number(given[1])
        return self._over(given[0], lambda window: predict_linear(window, self._at, seconds))

    def _timestamp(self, given: tuple[Node, ...]) -> Vector:
        node = given[0]
        if not isinstance(node, Select):
            return _mapped(self.vector(node), lambda _: self._now())
        elements = []
        for series in selected(node, self._store):
            latest = series.latest(self._at - node.offset)
            if latest is not None:
                elements.append(Element(series.labels, latest[0] / 1000 + self._store.unix))
        return distinct(elements)

    def _sort(self, given: tuple[Node, ...]) -> Vector:
        return sorted(self.vector(given[0]), key=lambda one: (math.isnan(one.value), one.value))

    def _sort_desc(self, given: tuple[Node, ...]) -> Vector:
        return sorted(self.vector(given[0]), key=lambda one: (math.isnan(one.value), -one.value))

    def _label_replace(self, given: tuple[Node, ...]) -> Vector:
        label, replacement, source, text = map(_text, given[1:])
        try:
            pattern = re.compile(text, re.DOTALL)
        except re.error as error:
            raise Unsupported(f"the regular expression {text!r}") from error
        elements = []
        for one in self.vector(given[0]):
            match = pattern.fullmatch(dict(one.labels).get(source, ""))
            labels = one.labels if match is None else _with(one.labels, label, _filled(replacement, match))
            elements.append(Element(labels, one.value))
        return distinct(elements)

    def _label_join(self, given: tuple[Node, ...]) -> Vector:
        label, separator, *sources = map(_text, given[1:])
        elements = []
        for one in self.vector(given[0]):
            held = dict(one.labels)
            joined = separator.join(held.get(source, "") for source in sources)
            elements.append(Element(_with(one.labels, label, joined), one.value))
        return distinct(elements)


def _vector(found: Value) -> Vector:
    if isinstance(found, float | str):
        raise EvaluationError("a number stands where a vector has to be")
    return found


def _mapped(vector: Vector, function: Callable[[float], float]) -> Vector:
    return distinct([Element(unnamed(one.labels), function(one.value)) for one in vector])


def _named(series: Series) -> Labels:
    return ((NAME, series.name), *series.labels) if series.name else series.labels


def _text(node: Node) -> str:
    if not isinstance(node, Text):
        raise EvaluationError("something else stands where a text has to be")
    return node.value


def _with(labels: Labels, name: str, value: str) -> Labels:
    changed = {**dict(labels), name: value}
    return tuple(sorted((key, text) for key, text in changed.items() if text))


def _filled(replacement: str, match: re.Match[str]) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _GROUP.sub(group, replacement)


def _expected(node: Node) -> Labels:
    """The labels that a missing series would have had: those that its selector asks for by `=` once."""
    if not isinstance(node, Select):
        return ()
    asked = [matcher for matcher in node.matchers if matcher.equal and matcher.pattern is None]
    names = [matcher.label for matcher in node.matchers]
    return tuple(
        sorted((one.label, one.wanted) for one in asked if one.wanted and names.count(one.label) == 1)
    )
