"""Every HTTP dependency is down."""

from mainstay.experiments.dependencies.base import DependencyFault
from mainstay.lab.proxy.faults import Refuse, Reset


class DependencyDown(DependencyFault):
    """When another service is down, what does not need it goes on, and nothing is lost.

    Every HTTP dependency refuses connections for a while.

    Answer at once what you know (accepted, or try again soon), keep what is owed, and settle it when the
    other side is back. Stop asking a service that does not answer: a circuit breaker gives both sides air.
    """

    what = "the services it asks are down"
    faults = (
        Refuse(),
        Reset(),
    )
    catches = ("retries-that-multiply",)
    explained_by = ("retry-without-limit", "hidden-failure")
