"""The claim about latency: p95 from when requests were due."""

from collections.abc import Iterable, Sequence

from mainstay.budgets import STANDARD
from mainstay.evidence import bounds, said
from mainstay.evidence.lag import lag_p99, late
from mainstay.evidence.requests import counted, waits
from mainstay.model.budget import Budgets
from mainstay.model.proof import Claim, Figure, Origin, Subject, Verdict
from mainstay.model.record import Record

_Q = 0.95


def claim(
    records: Iterable[Record],
    budgets: Budgets,
    standard: Budgets = STANDARD,
    *,
    name: str = "p95-in-budget",
    disturbed: str = "",
) -> Claim:
    """Whether the p95 holds its budget, by its confidence interval; void when the load driver was late.

    `disturbed` says what else kept the machine busy: then a p95 above its budget is void as well, while one
    within it stands all the more.
    """
    judged = counted(records)
    waited = waits(judged)
    excuse = late(judged, budgets)
    if disturbed and not excuse and _verdict(waited, budgets.p95, "") is not Verdict.PASSED:
        excuse = disturbed
    return Claim(
        name=name,
        subject=Subject.LATENCY,
        verdict=_verdict(waited, budgets.p95, excuse),
        said=_said(waited, len(judged), budgets.p95, excuse),
        figures=_figures(waited, lag_p99(judged)),
        standard=_verdict(waited, standard.p95, excuse) if budgets.p95 > standard.p95 else None,
    )


def p95(records: Iterable[Record]) -> float | None:
    """Seconds; None when nobody was served."""
    waited = waits(counted(records))
    return bounds.quantile(waited, _Q) if waited else None


def _verdict(waited: Sequence[float], budget: float, excuse: str) -> Verdict:
    """By the interval of the p95, which says the same as the bound of the share of slow requests."""
    if excuse or not waited:
        return Verdict.INCONCLUSIVE
    low, high = bounds.quantile_bounds(waited, _Q)
    if high <= budget:
        return Verdict.PASSED
    return Verdict.FAILED if low > budget else Verdict.INCONCLUSIVE


def _said(waited: Sequence[float], sent: int, budget: float, excuse: str) -> str:
    if not waited:
        return f"None of {said.count(sent, 'request')} was served, so there is no p95."
    low, high = bounds.quantile_bounds(waited, _Q)
    text = (
        f"p95 of {said.count(len(waited), 'request')} is {said.time(bounds.quantile(waited, _Q))}, "
        f"between {said.time(low)} and {said.time(high)} at 95 % on either side; "
        f"the budget is {said.time(budget)}"
    )
    if excuse:
        return f"{text}; but {excuse}, so this says nothing of the service."
    if _verdict(waited, budget, excuse) is not Verdict.INCONCLUSIVE:
        return f"{text}."
    slow = sum(wait > budget for wait in waited)
    more = bounds.needed(1 - _Q, slow) - len(waited)
    if more <= 0:
        return f"{text}; too close to tell."
    return f"{text}; {said.count(more)} more within the budget would settle it."


def _figures(waited: Sequence[float], lag: float) -> tuple[Figure, ...]:
    lagged = Figure("send lag p99", lag, "s")
    if not waited:
        return (lagged,)
    low, high = bounds.quantile_bounds(waited, _Q)
    rank = f"order statistics of {len(waited)} requests, one side, 95 %"
    bounded = (Figure("p95, upper bound", high, "s", Origin.DERIVED, rank),) if high < float("inf") else ()
    return (
        Figure("p50", bounds.quantile(waited, 0.5), "s"),
        Figure("p95", bounds.quantile(waited, _Q), "s"),
        Figure("p95, lower bound", low, "s", Origin.DERIVED, rank),
        *bounded,
        Figure("p99", bounds.quantile(waited, 0.99), "s"),
        Figure("worst", waited[-1], "s"),
        lagged,
    )
