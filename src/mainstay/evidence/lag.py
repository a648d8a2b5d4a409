"""Whether the load driver itself was late, which would be its fault and not the service's."""

from collections.abc import Iterable

from mainstay.evidence import said
from mainstay.evidence.bounds import quantile
from mainstay.model.budget import Budgets
from mainstay.model.record import Record

ALLOWED = 0.05  # of the p95 budget


def lag_p99(records: Iterable[Record]) -> float:
    """The p99 of the seconds between when requests were due and when they were sent; 0 for none."""
    lags = sorted(record.lag for record in records if not record.stocking)
    return quantile(lags, 0.99) if lags else 0.0


def allowed(budgets: Budgets) -> float:
    """Seconds of p99 lag up to which latencies tell of the service: 10 ms for a p95 budget of 200 ms."""
    return ALLOWED * budgets.p95


def late(records: Iterable[Record], budgets: Budgets) -> str:
    """Why claims about latency and rate are void; empty when they are not."""
    lag = lag_p99(records)
    if lag <= allowed(budgets):
        return ""
    limit = said.time(allowed(budgets))
    return f"the load driver was late: p99 of {said.time(lag)}, of which {limit} are allowed"
