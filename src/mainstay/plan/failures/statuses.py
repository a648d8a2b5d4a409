"""What an operation answers when it has done what it is for."""

from mainstay.model.specification import Operation, Specification
from mainstay.plan.api import statuses


def done(specification: Specification, operation: Operation) -> int:
    """The first good status of its interface: 201 where something is made."""
    return next(status.code for status in statuses(specification, operation) if status.code < 300)
