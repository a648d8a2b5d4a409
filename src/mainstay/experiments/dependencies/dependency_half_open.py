"""HTTP dependencies take requests and never answer."""

from mainstay.experiments.dependencies.base import DependencyFault
from mainstay.lab.proxy.faults import HalfOpen


class DependencyHalfOpen(DependencyFault):
    """A dependency that takes requests and never answers is given up in time.

    Requests reach every HTTP dependency, which does what they ask, and no answer comes back. Whoever waits
    without a deadline waits for ever; whoever repeats without a key does it twice.

    Give every call a deadline, and repeat only what carries a key that the other side knows.
    """

    quick = True
    what = "the services it asks never answer"
    faults = (HalfOpen(),)
    catches = ("no-timeout-to-the-processor", "one-dependency-takes-all")
    explained_by = ("call-without-deadline", "retry-of-unsafe-call")
