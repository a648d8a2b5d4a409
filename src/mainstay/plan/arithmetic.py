"""Promises that cannot be kept, whatever the code: sums over the specification alone."""

from collections.abc import Iterator
from math import prod

from msgspec import Struct

from mainstay.model.location import Location
from mainstay.model.specification import Need, Operation, Specification, WhenDown
from mainstay.plan.capacity import waits


class Contradiction(Struct, frozen=True):
    """Two things that are said and cannot both be."""

    location: Location
    said: str  # with the sum, and what would be right


def contradictions(specification: Specification) -> tuple[Contradiction, ...]:
    """All of them, in the order of the operations."""
    return tuple(
        found
        for operation in specification.operations
        for found in (*_too_long(specification, operation), *_too_rarely_there(specification, operation))
    )


def hard_needs(specification: Specification, operation: Operation) -> tuple[Need, ...]:
    """Those without which the operation cannot answer."""
    needs = (specification.need(name) for name in operation.calls)
    return tuple(need for need in needs if need is not None and need.when_down is WhenDown.REFUSE)


def _too_long(specification: Specification, operation: Operation) -> Iterator[Contradiction]:
    """A path whose deadlines exceed its budget."""
    budget = operation.p95 or specification.budgets.p95
    longest = waits(specification, operation)
    if longest <= budget:
        return
    waited = [
        need
        for name in operation.calls
        if (need := specification.need(name)) is not None and need.when_down is not WhenDown.SETTLE_LATER
    ]
    sum_ = " + ".join(f"{need.timeout:g} s for `{need.name}`" for need in waited)
    right = f"shorten the timeout, settle it later, or give it its own `budget: {{p95: {longest:g}s}}`"
    said = f"`{operation.name}` may wait {sum_} = {longest:g} s, and its budget is {budget * 1000:g} ms"
    yield Contradiction(operation.location, f"{said}; {right}.")


def _too_rarely_there(specification: Specification, operation: Operation) -> Iterator[Contradiction]:
    """Needs that are hard and promise less than the service does."""
    hard = [need for need in hard_needs(specification, operation) if need.availability is not None]
    there = prod(need.availability or 1.0 for need in hard)
    budget = specification.budgets.availability
    if not hard or there >= budget:
        return
    sum_ = " × ".join(f"{_share(need.availability or 1.0)} of `{need.name}`" for need in hard)
    yield Contradiction(
        operation.location,
        f"`{operation.name}` cannot be there {_share(budget)} of the time: it needs {sum_} = "
        f"{_share(there)}; let it degrade or settle later when `{hard[0].name}` is down, or promise less.",
    )


def _share(value: float) -> str:
    return f"{value * 100:.6g}%"
