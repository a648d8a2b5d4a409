"""From values to places in a drawing: logarithmic for latencies, linear for the rest."""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from mainstay.reports.proof import summary


class Tick(Struct, frozen=True):
    """A mark of an axis."""

    at: float
    label: str


class Linear(Struct, frozen=True):
    """`low` is drawn at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = min(1.0, max(0.0, (value - self.low) / span)) if span > 0 else 0.0
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int, unit: str = "") -> tuple[Tick, ...]:
        """Round values, at most so many; the last one carries the unit."""
        step = _round_step((self.high - self.low) / max(1, most))
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        values = [self.low + n * step for n in range(count)]
        last = len(values) - 1
        return tuple(
            Tick(self(v), summary.number(round(v, 6)) + (unit if n == last else ""))
            for n, v in enumerate(values)
        )


class Logarithmic(Struct, frozen=True):
    """Seconds, from a power of ten to another; what is below the lowest is drawn there."""

    low: int  # powers of ten
    high: int
    start: float
    end: float

    def __call__(self, seconds: float) -> float:
        power = math.log10(seconds) if seconds > 0 else self.low
        share = (power - self.low) / (self.high - self.low)
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """One for each power of ten."""
        powers = range(self.low, self.high + 1)
        return tuple(Tick(self(10.0**p), summary.duration(10.0**p)) for p in powers)


def logarithmic(values: Iterable[float], start: float, end: float) -> Logarithmic:
    """A scale that holds all of the values, from 1 ms or less to 1 s or more."""
    known = [v for v in values if v > 0 and math.isfinite(v)]
    low = min(-3, math.floor(math.log10(min(known)) + 1e-9)) if known else -3
    high = max(0, math.ceil(math.log10(max(known)) - 1e-9)) if known else 0
    return Logarithmic(max(-6, low), min(5, high), start, end)


def polyline(points: Sequence[tuple[float, float] | None]) -> str:
    """A path through the points, broken where one is missing; a lone point is a short dash."""
    parts: list[str] = []
    run: list[tuple[float, float]] = []
    for point in [*points, None]:
        if point is not None:
            run.append(point)
            continue
        if len(run) == 1:
            x, y = run[0]
            run = [(x - 2, y), (x + 2, y)]
        parts += [f"{'L' if n else 'M'}{x:g} {y:g}" for n, (x, y) in enumerate(run)]
        run = []
    return "".join(parts)


def _round_step(least: float) -> float:
    """The least of 1, 2, 5, 10, ... that is no smaller."""
    if least <= 0 or not math.isfinite(least):
        return 1.0
    unit = 10.0 ** math.floor(math.log10(least))
    return next(unit * n for n in (1, 2, 5, 10) if unit * n >= least * (1 - 1e-9))
