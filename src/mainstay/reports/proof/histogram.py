"""How long the answers took, as columns of equal width: one for each bar, each up to its bound."""

import math

from msgspec import Struct

from mainstay.model.proof import Bar
from mainstay.reports.proof import summary

WIDTH, HEIGHT = 420, 150
LEFT, TOP, FOOT = 4, 16, 26
LABELS = 6  # at most so many below the columns


class Column(Struct, frozen=True):
    """One bar; `slow` when all of it is beyond the budget."""

    x: float
    y: float
    width: float
    height: float
    hint: str
    count: str
    slow: bool
    label: str


class Histogram(Struct, frozen=True):
    """Everything to draw."""

    width: int
    height: int
    bottom: float
    columns: tuple[Column, ...]
    said: str


def draw(bars: tuple[Bar, ...], budget: float) -> Histogram | None:
    """The histogram, marked where the p95 budget (seconds) is exceeded; None when nothing was answered."""
    shown = _trimmed(sorted(bars, key=lambda bar: bar.upto))
    most = max((bar.count for bar in shown), default=0)
    if not most:
        return None
    total = sum(bar.count for bar in shown)
    wide = (WIDTH - 2 * LEFT) / len(shown)
    bottom = HEIGHT - FOOT
    every = math.ceil(len(shown) / LABELS)
    columns = []
    before = 0.0
    for number, bar in enumerate(shown):
        height = (bottom - TOP) * bar.count / most
        if bar.count:
            height = max(1.5, height)  # one slow answer in a million is seen, too
        to = _bound(bar.upto)
        columns.append(
            Column(
                x=round(LEFT + number * wide + 1, 1),
                y=round(bottom - height, 1),
                width=round(wide - 2, 1),
                height=round(height, 1),
                hint=f"{summary.duration(before)} {to}: {bar.count:,} of {total:,} answers",
                count=f"{bar.count:,}" if bar.count and len(shown) <= 12 else "",
                slow=before >= budget,
                label=_short(bar.upto) if (len(shown) - 1 - number) % every == 0 else "",
            )
        )
        before = bar.upto
    slow = sum(bar.count for bar, column in zip(shown, columns, strict=True) if column.slow)
    said = f"{total:,} answers, {slow:,} of them slower than {summary.duration(budget)}."
    return Histogram(WIDTH, HEIGHT, bottom, tuple(columns), said)


def _trimmed(bars: list[Bar]) -> list[Bar]:
    """Without the empty bars at both ends, but for the one below the first."""
    held = [number for number, bar in enumerate(bars) if bar.count]
    return bars[max(0, held[0] - 1) : held[-1] + 1] if held else []


def _bound(upto: float) -> str:
    return f"to {summary.duration(upto)}" if _finite(upto) else "and more"


def _short(upto: float) -> str:
    return f"≤ {summary.duration(upto)}" if _finite(upto) else "more"


def _finite(upto: float) -> bool:
    """Whether it is a bound: JSON holds an endless one as the greatest number there is."""
    return math.isfinite(upto) and upto < 1e9
