"""The requests of a load, put into windows, tallies and bars."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from mainstay.evidence.bounds import quantile
from mainstay.evidence.requests import counted, due_within, failed, outcome, waits
from mainstay.model.proof import Bar, Tally, Window
from mainstay.model.record import Record

_PER_DECADE = 10  # bars: each reaches 26 % further than the one before


def windows(records: Iterable[Record], began: float, ended: float, width: float = 2.0) -> tuple[Window, ...]:
    """One window for every `width` seconds from `began` to `ended` (monotonic); the last may be shorter.

    A request belongs to the window in which it was due, whenever it was answered.
    """
    if width <= 0.0:
        raise ValueError("a window needs a width")
    number = max(0, math.ceil((ended - began) / width - 1e-9))
    bins: list[list[Record]] = [[] for _ in range(number)]
    for record in due_within(records, began, ended):
        bins[min(number - 1, int((record.due - began) / width))].append(record)
    return tuple(
        window(inside, at * width, min(width, ended - began - at * width)) for at, inside in enumerate(bins)
    )


def window(inside: Sequence[Record], start: float, seconds: float) -> Window:
    """Those `inside`, which were due within `seconds` from `start`."""
    waited = waits(inside)
    fresh = [record for record in inside if record.fresh]
    return Window(
        start=start,
        seconds=seconds,
        due=len(inside),
        failed=failed(inside),
        p50=_quantile(waited, 0.5),
        p95=_quantile(waited, 0.95),
        worst=waited[-1] if waited else None,
        fresh_due=len(fresh),
        fresh_failed=failed(fresh),
        fresh_p95=_quantile(waits(fresh), 0.95),
    )


def tallies(records: Iterable[Record]) -> tuple[Tally, ...]:
    """One for each action, the most frequent first."""
    by_action: defaultdict[str, list[Record]] = defaultdict(list)
    for record in counted(records):
        by_action[record.action].append(record)
    ordered = sorted(by_action.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(_tally(action, inside) for action, inside in ordered)


def bars(records: Iterable[Record]) -> tuple[Bar, ...]:
    """The histogram of waits in steps of equal ratio, from the first bar with a request to the last."""
    steps = Counter(_step(wait) for wait in waits(records))
    if not steps:
        return ()
    return tuple(
        Bar(upto=10.0 ** (step / _PER_DECADE), count=steps[step])
        for step in range(min(steps), max(steps) + 1)
    )


def _tally(action: str, inside: Sequence[Record]) -> Tally:
    waited = waits(inside)
    return Tally(
        action=action,
        sent=len(inside),
        ok=len(inside) - failed(inside),
        statuses=dict(Counter(map(outcome, inside)).most_common()),
        p50=_quantile(waited, 0.5),
        p95=_quantile(waited, 0.95),
        p99=_quantile(waited, 0.99),
    )


def _quantile(ordered: Sequence[float], q: float) -> float | None:
    return quantile(ordered, q) if ordered else None


def _step(wait: float) -> int:
    """The bar of a wait; nothing is told apart below 0.1 ms."""
    return math.ceil(_PER_DECADE * math.log10(max(wait, 1e-4)) - 1e-9)
