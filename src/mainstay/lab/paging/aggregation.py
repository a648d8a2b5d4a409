"""Many series made one for each group: sum, max, topk and their kin; and quantiles of histograms."""

import math
from collections.abc import Callable, Sequence

from mainstay.lab.paging.exposition import Labels
from mainstay.lab.paging.expressions import Aggregate
from mainstay.lab.paging.functions import deviation, largest, mean, quantile, smallest, total, variance
from mainstay.lab.paging.vectors import Element, EvaluationError, Vector, distinct, dropped, kept, unnamed

_REDUCE: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": total,
    "max": largest,
    "min": smallest,
    "avg": mean,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": deviation,
    "stdvar": variance,
}


def aggregated(node: Aggregate, vector: Vector, parameter: float | str | None) -> Vector:
    """The groups of a vector, each made one element; `topk` and `bottomk` keep elements as they are."""
    groups: dict[Labels, list[Element]] = {}
    for element in vector:
        labels = dropped(element.labels, node.labels) if node.without else kept(element.labels, node.labels)
        groups.setdefault(labels, []).append(element)
    if node.operator in ("topk", "bottomk"):
        if not isinstance(parameter, float) or math.isnan(parameter):
            raise EvaluationError(f"`{node.operator}` is not given a number")
        return [one for group in groups.values() for one in _extreme(node.operator, group, parameter)]
    if node.operator == "count_values":
        return _counted(groups, str(parameter))
    return [Element(labels, _reduced(node, group, parameter)) for labels, group in groups.items()]


def histogram_quantile(share: float, vector: Vector) -> Vector:
    """The quantile of each classic histogram, linear within its bucket.

    In the bucket without an upper bound it is the bound of the one before.  Buckets that shrink although they
    are cumulative are mended, as Prometheus does.
    """
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for element in vector:
        bound = _bound(dict(element.labels).get("le", ""))
        if bound is not None:
            labels = tuple(pair for pair in element.labels if pair[0] != "le")
            histograms.setdefault(labels, []).append((bound, element.value))
    return distinct(
        [
            Element(unnamed(labels), _bucket_quantile(share, sorted(found)))
            for labels, found in histograms.items()
        ]
    )


def _reduced(node: Aggregate, group: list[Element], parameter: float | str | None) -> float:
    values = [element.value for element in group]
    if node.operator == "quantile":
        return quantile(parameter if isinstance(parameter, float) else math.nan, values)
    return _REDUCE[node.operator](values)


def _extreme(operator: str, group: list[Element], count: float) -> list[Element]:
    if not count >= 1:
        return []
    sign = -1 if operator == "topk" else 1
    ordered = sorted(group, key=lambda one: (math.isnan(one.value), sign * one.value))
    return ordered[: int(min(count, len(ordered)))]


def _counted(groups: dict[Labels, list[Element]], label: str) -> Vector:
    counts: dict[Labels, int] = {}
    for labels, group in groups.items():
        for element in group:
            value = int(element.value) if element.value.is_integer() else element.value
            key = tuple(sorted({**dict(labels), label: str(value)}.items()))
            counts[key] = counts.get(key, 0) + 1
    return [Element(labels, float(count)) for labels, count in counts.items()]


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _bucket_quantile(share: float, found: list[tuple[float, float]]) -> float:
    if math.isnan(share):
        return math.nan
    if share < 0 or share > 1:
        return math.copysign(math.inf, share - 0.5)
    buckets = _cumulative(found)
    if len(buckets) < 2 or buckets[-1][0] != math.inf or not buckets[-1][1] > 0:
        return math.nan
    rank = share * buckets[-1][1]
    index = next((i for i, (_, count) in enumerate(buckets[:-1]) if count >= rank), len(buckets) - 1)
    if index == len(buckets) - 1:
        return buckets[-2][0]
    end, count = buckets[index]
    if index == 0 and end <= 0:
        return end
    start, below = buckets[index - 1] if index else (0.0, 0.0)
    if count == below:
        return end if rank >= count else start
    return start + (end - start) * (rank - below) / (count - below)


def _cumulative(found: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Buckets of one bound added up, none smaller than the one before."""
    buckets: list[tuple[float, float]] = []
    for bound, count in found:
        if buckets and buckets[-1][0] == bound:
            buckets[-1] = (bound, buckets[-1][1] + count)
        else:
            buckets.append((bound, count))
    highest = 0.0
    for index, (bound, count) in enumerate(buckets):
        highest = max(highest, count) if index else count
        buckets[index] = (bound, highest)
    return buckets
