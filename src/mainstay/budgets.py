"""The standing budgets: the only home of these numbers."""

from msgspec import Struct


class Budgets(Struct, frozen=True):
    """What a service promises.  Fractions of 1; seconds."""

    availability: float = 0.999  # of a year: 8.7 h down
    errors: float = 0.001  # of critical operations
    p95: float = 0.200  # seconds, at expected and at peak load
    recovery: float = 300.0  # seconds from the fault to well again


STANDARD = Budgets()
