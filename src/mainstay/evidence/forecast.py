"""The availability to expect: outages that were measured, times how often they happen.

The share of good requests of one run is no availability; a run breaks the service far more often than a month
does.  What a frequency rests on decides what the forecast is worth.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from mainstay.budgets import STANDARD
from mainstay.evidence import said
from mainstay.model.budget import Budgets
from mainstay.model.proof import Claim, Figure, Origin, Subject, Verdict
from mainstay.model.service import Frequency

MONTH = 30 * 86_400.0  # seconds
ASSUMED_A_MONTH = 1.0  # of an event of which the project says nothing


class Outage(Struct, frozen=True):
    """What one experiment measured."""

    event: str  # its name
    seconds: float  # in which users failed; of no meaning when it does not heal
    heals: bool = True


class Term(Struct, frozen=True):
    """One product of the sum."""

    outage: Outage
    a_month: float
    source: str  # empty for an assumption

    @property
    def seconds(self) -> float:
        """Downtime in 30 days; what does not heal uses all of them."""
        if self.a_month <= 0.0:
            return 0.0
        return min(MONTH, self.outage.seconds * self.a_month) if self.outage.heals else MONTH


def terms(outages: Sequence[Outage], frequencies: Sequence[Frequency]) -> tuple[Term, ...]:
    """Each outage with how often it happens, as declared or else as assumed."""
    declared = {frequency.event: frequency for frequency in frequencies}
    return tuple(_term(outage, declared.get(outage.event)) for outage in outages)


def claim(
    outages: Sequence[Outage],
    frequencies: Sequence[Frequency],
    budgets: Budgets,
    standard: Budgets = STANDARD,
    *,
    name: str = "availability-forecast",
) -> Claim:
    """Whether the sum holds the budget; an assumed frequency alone settles nothing."""
    summed = terms(outages, frequencies)
    return Claim(
        name=name,
        subject=Subject.AVAILABILITY,
        verdict=_verdict(summed, budgets),
        said=_said(summed, budgets),
        figures=_figures(summed),
        standard=_verdict(summed, standard) if budgets.availability < standard.availability else None,
    )


def allowed(budgets: Budgets) -> float:
    """Seconds of downtime in 30 days: 43 minutes for 99.9 %."""
    return (1.0 - budgets.availability) * MONTH


def break_even(outage: Outage, budgets: Budgets) -> int | None:
    """How many of these alone the budget bears in 30 days; None when any number of them."""
    if not outage.heals:
        return 0
    return None if outage.seconds <= 0.0 else math.floor(allowed(budgets) / outage.seconds + 1e-9)


def _term(outage: Outage, frequency: Frequency | None) -> Term:
    if frequency is None:
        return Term(outage, ASSUMED_A_MONTH, "")
    return Term(outage, frequency.a_month, frequency.source)


def _verdict(summed: Sequence[Term], budgets: Budgets) -> Verdict:
    known = sum(term.seconds for term in summed if term.source)
    if known > allowed(budgets):
        return Verdict.FAILED
    if not summed or any(_assumed(term) for term in summed):
        return Verdict.INCONCLUSIVE
    return Verdict.PASSED


def _assumed(term: Term) -> bool:
    """Whether an assumption bears on the sum: what users do not notice may happen at any frequency."""
    return not term.source and not (term.outage.heals and term.outage.seconds <= 0.0)


def _downtime(summed: Sequence[Term]) -> float:
    return min(MONTH, sum(term.seconds for term in summed))


def _said(summed: Sequence[Term], budgets: Budgets) -> str:
    if not summed:
        return "No outage was measured, so there is nothing to forecast from."
    parts = [
        f"{said.share(1 - _downtime(summed) / MONTH)} to expect, {_sum(summed)}",
        f"the budget of {said.share(budgets.availability)} allows {said.time(allowed(budgets))} in 30 days",
    ]
    even = _break_evens(summed, budgets)
    if even:
        parts.append(f"it holds up to {even}")
    stuck = [term.outage.event for term in summed if not term.outage.heals]
    if stuck:
        parts.append(f"one {' or '.join(stuck)} uses all of it, since it does not heal")
    assumed = [term for term in summed if _assumed(term)]
    if assumed:
        said_of = ", ".join(f"{term.outage.event} ({term.a_month:g} a month)" for term in assumed)
        parts.append(f"assumed, and so not settled: {said_of}")
    return "; ".join(parts) + "."


def _sum(summed: Sequence[Term]) -> str:
    products = [
        f"{said.time(term.outage.seconds)} × {term.a_month:g} {term.outage.event}"
        if term.outage.heals
        else f"all of it × {term.a_month:g} {term.outage.event}"
        for term in summed
    ]
    return f"1 − ({' + '.join(products)}) / 30 days"


def _break_evens(summed: Sequence[Term], budgets: Budgets) -> str:
    found = []
    for term in summed:
        number = break_even(term.outage, budgets)
        if number is not None and term.outage.heals:
            found.append(f"{said.count(number)} × {term.outage.event} a month")
    return " or ".join(found)


def _figures(summed: Sequence[Term]) -> tuple[Figure, ...]:
    if not summed:
        return ()
    assumed = any(_assumed(term) for term in summed)
    outages = [
        Figure(f"outage: {term.outage.event}", term.outage.seconds, "s")
        for term in summed
        if term.outage.heals
    ]
    rates = [
        Figure(
            f"a month: {term.outage.event}",
            term.a_month,
            "",
            Origin.DERIVED if term.source else Origin.ASSUMED,
            term.source,
        )
        for term in summed
    ]
    return (
        Figure(
            "availability",
            1 - _downtime(summed) / MONTH,
            "%",
            Origin.ASSUMED if assumed else Origin.DERIVED,
            _sum(summed),
        ),
        *outages,
        *rates,
    )
