"""What a service promises."""

from msgspec import Struct


class Budgets(Struct, frozen=True):
    """Fractions of 1, and seconds."""

    availability: float  # of a year
    errors: float  # of critical operations
    p95: float  # seconds, at expected and at peak load
    recovery: float  # seconds from the fault to well again
