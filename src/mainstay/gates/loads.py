"""Which experiments load the service and do nothing else to it: what they show is performance."""

EXPECTED, PEAK = "steady", "peak"
UNDER_LOAD = frozenset({EXPECTED, PEAK, "knee", "soak"})
