"""What the service promises its callers, as objectives over 30 days, and how each is counted.

An objective is a share of good requests.  What is missing to 1 is its error budget, which may be spent on
outages, releases and luck alike (Site Reliability Engineering, 2016, chapter 4).
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import yaml
from msgspec import Struct

from mainstay.model.specification import Operation, Specification
from mainstay.plan.capacity import capacity

WINDOW = 30 * 86_400.0  # seconds, rolling: as long as a month, and each has as many weekends, nearly
QUANTILE = 0.95  # that a latency budget is about: p95

# What `mainstay_runtime.objectives` counts of requests; probes and `/metrics` are requests of no operation.
REQUESTS = "http_requests_total"  # by method, route, status: the class, "5xx", or "cut"
SECONDS = "http_request_seconds"  # a histogram, by the same; all answers, failed ones too
PREFIX = "/v1"  # of every route: the version of the interface
FAILED = 'status=~"5xx|cut"'  # an answer that is the service's fault; 4xx is its caller's


class Measure(StrEnum):
    """What is a bad request."""

    AVAILABILITY = "availability"  # a failed answer to any operation
    ERRORS = "errors"  # a failed answer to a critical operation
    LATENCY = "latency"  # an answer that took longer than p95


class Objective(Struct, frozen=True):
    """A share of good requests, among those of some operations."""

    name: str  # "availability", "latency-get-charge"
    measure: Measure
    target: float  # the share, below 1
    operations: tuple[str, ...]  # whose requests are counted
    rate: float  # requests a second of theirs, at expected load
    selectors: tuple[str, ...]  # the labels of their requests: what any of these selects
    within: float | None = None  # seconds that a good answer takes at most, of a latency
    declared: bool = False  # the rate is said in the specification, not shared out

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.target, 9)

    @property
    def requests(self) -> float:
        """Requests that may be bad in the window, at expected load."""
        return round(self.budget * self.rate * WINDOW, 3)

    @property
    def minutes(self) -> float:
        """Minutes in the window for which everything may be bad."""
        return round(self.budget * WINDOW / 60, 3)

    def total(self, window: str) -> str:
        """PromQL: the rate of all its requests over a window such as `5m`."""
        metric = REQUESTS if self.within is None else f"{SECONDS}_count"
        return _rates(metric, self.selectors, window)

    def bad(self, window: str) -> str:
        """PromQL: the rate of its bad requests; 0 while there never was one."""
        if self.within is None:
            failed = tuple(f"{selector},{FAILED}" for selector in self.selectors)
            return f"({_rates(REQUESTS, failed, window)} or vector(0))"
        return f"({self.total(window)} - {_rates(f'{SECONDS}_bucket', self._quick, window)})"

    @property
    def _quick(self) -> tuple[str, ...]:
        assert self.within is not None
        return tuple(f'{selector},le="{float(self.within)!r}"' for selector in self.selectors)

    def counted(self) -> tuple[str, str]:
        """PromQL: the bad requests (of a latency: the good ones) and all of them, as counters."""
        if self.within is None:
            failed = tuple(f"{selector},{FAILED}" for selector in self.selectors)
            return _sums(REQUESTS, failed), _sums(REQUESTS, self.selectors)
        return _sums(f"{SECONDS}_bucket", self._quick), _sums(f"{SECONDS}_count", self.selectors)


def objectives(specification: Specification) -> tuple[Objective, ...]:
    """The service's objectives, then those of operations with a budget of their own.

    An operation with a p95 of its own is not counted in the service's latency: a slower one would spend a
    budget that was never meant for it.  There are no errors to count where no operation is critical.
    """
    return tuple(_objectives(specification))


def thresholds(specification: Specification) -> tuple[float, ...]:
    """Seconds at which the histogram needs a bucket, so that each latency is counted and not guessed.

    `also` of `mainstay_runtime.objectives.Objectives`, whose `p95` is a bucket anyway.
    """
    return tuple(sorted({found.within for found in objectives(specification) if found.within is not None}))


def openslo(specification: Specification) -> str:
    """The objectives as OpenSLO v1 documents (github.com/OpenSLO/OpenSLO), in YAML.

    One without a budget is left out: its target has to be below 1.
    """
    documents = [_service(specification)]
    documents += [_slo(specification, found) for found in objectives(specification) if found.budget]
    return yaml.safe_dump_all(documents, sort_keys=False, width=1000, allow_unicode=True)


def expected(specification: Specification) -> dict[str, float]:
    """Requests a second of each operation: what it says, or its share of the peak, shrunk as the load is."""
    load = specification.load
    peaks = {share.operation: share.peak for share in capacity(specification).shares}
    shrunk = load.expected / load.peak if load.peak else 0.0
    return {
        operation.name: peaks[operation.name] * shrunk if operation.expected is None else operation.expected
        for operation in specification.operations
    }


def selector(specification: Specification) -> str:
    """The label of what the service's instances tell: the scrape job is named for the service."""
    return f'job="{specification.service}"'


# --- the objectives ----------------------------------------------------------------------------


def _objectives(specification: Specification) -> Iterator[Objective]:
    budgets, operations = specification.budgets, specification.operations
    critical = [operation for operation in operations if operation.critical]
    usual = [operation for operation in operations if operation.p95 is None]
    yield _objective(specification, "availability", Measure.AVAILABILITY, operations, budgets.availability)
    if critical:
        yield _objective(specification, "errors", Measure.ERRORS, critical, 1 - budgets.errors)
    if usual:
        yield _objective(specification, "latency", Measure.LATENCY, usual, QUANTILE, budgets.p95)
    for operation in operations:
        if operation.p95 is not None:
            name = f"latency-{operation.name.replace('_', '-')}"
            yield _objective(specification, name, Measure.LATENCY, [operation], QUANTILE, operation.p95)


def _objective(
    specification: Specification,
    name: str,
    measure: Measure,
    operations: Sequence[Operation],
    target: float,
    within: float | None = None,
) -> Objective:
    every = len(operations) == len(specification.operations)
    rates = expected(specification)
    rate = specification.load.expected if every else sum(rates[operation.name] for operation in operations)
    return Objective(
        name,
        measure,
        round(target, 9),
        tuple(operation.name for operation in operations),
        rate,
        _selectors(specification, operations),
        within,
        every or all(operation.expected is not None for operation in operations),
    )


# --- PromQL ------------------------------------------------------------------------------------


def _selectors(specification: Specification, operations: Sequence[Operation]) -> tuple[str, ...]:
    """The labels of these operations' requests and of no others.

    Routes suffice where every operation under them is meant; otherwise it takes one selector a method.
    """
    job = selector(specification)
    routes = {operation.path for operation in operations}
    if len(operations) == sum(operation.path in routes for operation in specification.operations):
        return (f"{job},{_route(operations)}",)
    methods = sorted({operation.method for operation in operations})
    return tuple(
        f'{job},method="{method}",{_route([one for one in operations if one.method == method])}'
        for method in methods
    )


def _route(operations: Sequence[Operation]) -> str:
    paths = sorted({PREFIX + operation.path for operation in operations})
    if len(paths) == 1:
        return f'route="{paths[0]}"'
    return f'route=~"{"|".join(map(_literal, paths))}"'


def _literal(path: str) -> str:
    """A path as an expression that matches nothing else; a class needs no backslash in PromQL."""
    return "".join(f"[{letter}]" if letter in "{}.+*?()|$" else letter for letter in path)


def _rates(metric: str, selectors: Sequence[str], window: str) -> str:
    return f"sum({' or '.join(f'rate({metric}{{{one}}}[{window}])' for one in selectors)})"


def _sums(metric: str, selectors: Sequence[str]) -> str:
    return f"sum({' or '.join(f'{metric}{{{one}}}' for one in selectors)})"


# --- OpenSLO -----------------------------------------------------------------------------------

_Document = dict[str, Any]  # it is YAML, and its schema is OpenSLO's


def _service(specification: Specification) -> _Document:
    return {
        "apiVersion": "openslo/v1",
        "kind": "Service",
        "metadata": {"name": specification.service, "labels": {"owner": [specification.owner]}},
        "spec": {"description": specification.purpose},
    }


def _slo(specification: Specification, objective: Objective) -> _Document:
    name = f"{specification.service}-{objective.name}"
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name},
        "spec": {
            "description": _described(objective),
            "service": specification.service,
            "indicator": {"metadata": {"name": name}, "spec": {"ratioMetric": _ratio(objective)}},
            "timeWindow": [{"duration": f"{WINDOW / 86_400:g}d", "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"displayName": objective.name, "target": objective.target}],
        },
    }


def _described(objective: Objective) -> str:
    good = "no 5xx" if objective.within is None else f"an answer within {objective.within:g} s"
    return f"{objective.target * 100:g} % of requests get {good}: {', '.join(objective.operations)}."


def _ratio(objective: Objective) -> _Document:
    part, total = objective.counted()
    name = "bad" if objective.within is None else "good"
    return {"counter": True, name: _source(part), "total": _source(total)}


def _source(query: str) -> _Document:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}
