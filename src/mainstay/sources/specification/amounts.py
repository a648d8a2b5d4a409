"""Amounts with a unit: `200ms`, `50/s`, `99.9%`, `24mo`."""

import re
from decimal import Decimal

from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.nodes import Text

DAY = 86_400
TIMES = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(DAY),
    "mo": Decimal(30 * DAY),
    "y": Decimal(365 * DAY),
}
RATES = {"/s": Decimal(1), "/min": Decimal(1) / 60, "/h": Decimal(1) / 3600}
SHARES = {"%": Decimal("0.01")}
EXAMPLES = {id(TIMES): "200ms", id(RATES): "50/s", id(SHARES): "99.9%"}


def amount(text: Text, units: dict[str, Decimal], faults: Faults) -> float | None:
    """The amount in the base unit (seconds, requests a second, a fraction of 1); None when it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z%/]+)", text.value.strip())
    if found is None or found[2] not in units:
        right = f"write a number and one of {', '.join(units)}: `{EXAMPLES[id(units)]}`."
        faults.add(text.location, f"`{text.value}` is no amount here; {right}")
        return None
    return float(Decimal(found[1]) * units[found[2]])


def seconds(text: Text, faults: Faults) -> float | None:
    """A length of time."""
    return amount(text, TIMES, faults)


def rate(text: Text, faults: Faults) -> float | None:
    """Requests a second; more than none."""
    found = amount(text, RATES, faults)
    if found == 0:
        faults.add(text.location, "a load of nothing needs no service; write `1/min` or more.")
        return None
    return found


def share(text: Text, faults: Faults) -> float | None:
    """A fraction of 1, written as a percentage."""
    found = amount(text, SHARES, faults)
    if found is not None and found > 1:
        faults.add(text.location, f"`{text.value}` is more than all of it; write at most `100%`.")
        return None
    return found
