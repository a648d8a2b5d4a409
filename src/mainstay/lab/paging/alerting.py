"""Runs rules over recorded series step by step, as Prometheus would: recorded ones first, `for` honoured."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from mainstay.lab.paging.exposition import Labels
from mainstay.lab.paging.expressions import Node, Select, Unsupported, nodes, reach
from mainstay.lab.paging.promql import evaluate
from mainstay.lab.paging.rules import Rule
from mainstay.lab.paging.series import LOOKBACK, Series, Store
from mainstay.lab.paging.vectors import Element, EvaluationError, Vector, unnamed

_DEEPEST = 20  # recorded series that are made of recorded series


class Outcome(Struct, frozen=True):
    """What became of one alert; times in ms."""

    rule: Rule
    holds: int | None = None  # since when the condition held, in the run that fired, or in the last one
    fires: int | None = None
    value: float | None = None  # of the element that fired
    error: str = ""  # why Prometheus could not evaluate it


def needed(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The alerts, and the recorded series that they use, directly or not, in their order."""
    recorded = {rule.name for rule in rules if not rule.alert}
    wanted = {name for rule in rules if rule.alert for name in _names(rule)}
    for _ in range(_DEEPEST):
        more = {name for rule in rules if not rule.alert and rule.name in wanted for name in _names(rule)}
        if more <= wanted:
            break
        wanted |= more
    return tuple(rule for rule in rules if rule.alert or (rule.name in wanted and rule.name in recorded))


def names(rules: Sequence[Rule]) -> set[str] | None:
    """The metrics that rules select; None when one of them selects without a name."""
    found = {select.name for rule in rules for select in _selects(rule)}
    return None if None in found else {name for name in found if name is not None}


def looks_back(rules: Sequence[Rule]) -> int:
    """How many ms before a moment matter to the rules at that moment."""
    own = [reach(rule.tree) for rule in rules if rule.tree is not None and rule.alert]
    below = [reach(rule.tree) + LOOKBACK for rule in rules if rule.tree is not None and not rule.alert]
    return max(own, default=0) + sum(sorted(below)[-2:]) + LOOKBACK


def recorded_back(rules: Sequence[Rule]) -> int:
    """How many ms of recorded series matter: none where each is used at its latest value only."""
    recorded = {rule.name for rule in rules if not rule.alert}
    reaches = [reach(rule.tree) for rule in rules if rule.tree is not None and _names(rule) & recorded]
    return sum(sorted(reaches)[-2:])


def record(rules: Sequence[Rule], store: Store, times: Iterable[int]) -> None:
    """Add what the recording rules yield at `times` to the store."""
    recording = [rule for rule in rules if not rule.alert and rule.tree is not None]
    present: dict[int, set[Series]] = {}
    for at in times if recording else ():
        for index, rule in enumerate(recording):
            now = _recorded(rule, store, at)
            for series in present.get(index, set()) - now:
                series.end(at)
            present[index] = now


def run(rules: Sequence[Rule], store: Store, start: int, end: int, step: int) -> tuple[Outcome, ...]:
    """What becomes of each alert that can be evaluated, at steps from `start` to `end`."""
    return tuple(
        _outcome(rule, rule.tree, store, range(start, end + 1, step))
        for rule in rules
        if rule.alert and rule.tree is not None
    )


def elements(tree: Node, store: Store, at: int) -> Vector:
    """The elements of a tree at a moment, a number being one without labels; raises as `evaluate`."""
    found = evaluate(tree, store, at)
    if isinstance(found, str):
        raise EvaluationError("the expression is a text")
    return [Element((), found)] if isinstance(found, float) else found


def _outcome(rule: Rule, tree: Node, store: Store, steps: range) -> Outcome:
    wait = round(rule.wait * 1000)
    since: dict[Labels, int] = {}
    error = ""
    for at in steps:
        try:
            found = elements(tree, store, at)
        except (EvaluationError, Unsupported) as problem:
            error = str(problem)
            continue
        values = {unnamed(element.labels): element.value for element in found}
        since = {labels: since.get(labels, at) for labels in values}
        ripe = [labels for labels, began in since.items() if at - began >= wait]
        if ripe:
            first = min(ripe, key=lambda labels: since[labels])
            return Outcome(rule, since[first], at, values[first])
    return Outcome(rule, min(since.values(), default=None), error=error)


def _recorded(rule: Rule, store: Store, at: int) -> set[Series]:
    assert rule.tree is not None
    try:
        found = elements(rule.tree, store, at)
    except (EvaluationError, Unsupported):
        return set()
    series = set()
    for element in found:
        labels = {**dict(unnamed(element.labels)), **rule.labels}
        one = store.series(rule.name, tuple(sorted((name, text) for name, text in labels.items() if text)))
        one.add(at, element.value)
        series.add(one)
    return series


def _names(rule: Rule) -> set[str]:
    return {select.name for select in _selects(rule) if select.name is not None}


def _selects(rule: Rule) -> list[Select]:
    if rule.tree is None:
        return []
    return [node for node in nodes(rule.tree) if isinstance(node, Select)]
