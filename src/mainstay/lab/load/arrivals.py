"""When the requests of a load are due.  All of it is decided before the first one is sent."""

import random
from array import array

ARRIVALS = ("poisson", "constant")


def due_times(rate: float, seconds: float, arrivals: str, chance: random.Random) -> "array[float]":
    """Seconds from the start of the load, in order, all below `seconds`.

    Both are rate * seconds many.  `constant` is one each 1/rate s.  `poisson` has them come as callers do who
    know nothing of each other: where so many of a Poisson process have come, each may have come at any time
    (its arrival times are the order statistics of uniform ones).
    Raises ValueError for another word, and for a rate or a length that is not above 0.
    """
    if arrivals not in ARRIVALS:
        raise ValueError(f"arrivals are {' or '.join(ARRIVALS)}, not {arrivals!r}")
    if not 0 < rate < float("inf") or not 0 < seconds < float("inf"):
        raise ValueError(f"a load needs a rate and a length above 0, not {rate:g}/s for {seconds:g} s")
    number = max(1, round(rate * seconds))
    if arrivals == "constant":
        return array("d", (n / rate for n in range(number)))
    return array("d", sorted(chance.random() * seconds for _ in range(number)))
