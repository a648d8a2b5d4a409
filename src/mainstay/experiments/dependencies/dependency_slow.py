"""Every HTTP dependency is slow."""

from mainstay.experiments.dependencies.base import DependencyFault
from mainstay.lab.proxy.faults import Latency

ADDED_S = 2.0


class DependencySlow(DependencyFault):
    """A slow dependency slows those who need it, and nobody else.

    Every answer of an HTTP dependency takes two seconds longer for a while. Requests that wait hold threads,
    connections and, if the call is made inside a transaction, locks.

    Call with no transaction open, bound how many requests may wait for one dependency, and give each call a
    deadline within the caller's patience.
    """

    what = "the services it asks take 2 s longer"
    faults = (Latency(ADDED_S),)
    explained_by = ("external-call-in-transaction", "blocking-call-in-async", "call-without-deadline")
