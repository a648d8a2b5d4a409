"""An experiment in time: latencies above, the share of failed requests below, what was done behind both.

Layout only: `timeline.svg.jinja` draws it.  Latencies are drawn on a logarithmic scale, so that 12 ms and
10 s are both seen; where nothing was answered, the lines end.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from mainstay.model.proof import Band, Measurement, Window
from mainstay.reports.proof import summary
from mainstay.reports.proof.scales import Linear, Logarithmic, Tick, logarithmic, polyline
from mainstay.reports.terminal import cells, cut
from mainstay.reports.visible import visible

WIDE, NARROW = 880, 350
LEFT, RIGHT = 50, 10
LETTER = 6.6  # columns of a label are so wide
ROWS = 6  # of labels; bands beyond say what they are when they are pointed at
LABEL, LATENCY, GAP, FAILED, FOOT = 17, 150, 26, 46, 24


class Shade(Struct, frozen=True):
    """A band, and where its label stands."""

    x: float
    width: float
    label: str
    hint: str
    label_x: float
    label_y: float


class Column(Struct, frozen=True):
    """One window: the bar of its failed requests, and what to say of it."""

    x: float
    width: float
    y: float
    height: float
    hint: str


class Timeline(Struct, frozen=True):
    """Everything to draw."""

    width: int
    height: float
    left: float
    right: float  # of the plot
    top: float  # of the latencies
    middle: float  # their foot
    failed_top: float
    bottom: float
    shades: tuple[Shade, ...]
    columns: tuple[Column, ...]
    p50: str
    p95: str
    worst: tuple[tuple[float, float], ...]
    budget: float
    budget_label: str
    seconds: tuple[Tick, ...]
    latencies: tuple[Tick, ...]
    said: str


def draw(measurement: Measurement, budget: float, width: int = WIDE) -> Timeline | None:
    """The timeline, `width` units wide, with a line at the p95 budget (seconds); None without windows."""
    windows = sorted(measurement.windows, key=lambda w: w.start)
    if not windows:
        return None
    end = max(w.start + w.seconds for w in windows)
    end = max([end, *(b.end for b in measurement.bands if b.end <= 1.2 * end)])
    across = Linear(0.0, end, LEFT, width - RIGHT)
    shades, rows = _shades(measurement.bands, across, end)
    top = rows * LABEL + 6.0
    middle = top + LATENCY
    bottom = middle + GAP + FAILED
    up = logarithmic([budget, *_latencies(windows)], middle, top)
    return Timeline(
        width=width,
        height=bottom + FOOT,
        left=LEFT,
        right=width - RIGHT,
        top=top,
        middle=middle,
        failed_top=middle + GAP,
        bottom=bottom,
        shades=shades,
        columns=tuple(_column(w, across, Linear(0.0, 1.0, bottom, middle + GAP)) for w in windows),
        p50=polyline([_point(w, w.p50, across, up) for w in windows]),
        p95=polyline([_point(w, w.p95, across, up) for w in windows]),
        worst=tuple(p for w in windows if (p := _point(w, w.worst, across, up)) is not None),
        budget=up(budget),
        budget_label=f"budget {summary.duration(budget)}",
        seconds=across.ticks(10 if width >= WIDE else 4, " s"),
        latencies=up.ticks(),
        said=_said(measurement, windows),
    )


def _point(
    window: Window, value: float | None, across: Linear, up: Logarithmic
) -> tuple[float, float] | None:
    return None if value is None else (across(window.start + window.seconds / 2), up(value))


def _latencies(windows: Iterable[Window]) -> list[float]:
    return [v for w in windows for v in (w.p50, w.p95, w.worst) if v is not None]


def _column(window: Window, across: Linear, up: Linear) -> Column:
    start, end = across(window.start), across(window.start + window.seconds)
    share = window.failed / window.due if window.due else 0.0
    top = up(share) if not share else min(up(share), up(0.0) - 2)  # a single failure is seen, too
    gap = 1.0 if end - start > 4 else 0.0
    return Column(
        x=round(start + gap / 2, 1),
        width=round(max(0.5, end - start - gap), 1),
        y=top,
        height=round(up(0.0) - top, 1),
        hint=_hint(window),
    )


def _hint(window: Window) -> str:
    when = f"{window.start:g} to {window.start + window.seconds:g} s"
    parts = [f"{when}: {window.due:,} due, {window.failed:,} failed"]
    for name, value in (("p50", window.p50), ("p95", window.p95), ("worst", window.worst)):
        if value is not None:
            parts.append(f"{name} {summary.duration(value)}")
    if window.fresh_due:
        fresh = f"on fresh connections {window.fresh_failed:,} of {window.fresh_due:,} failed"
        slow = f", p95 {summary.duration(window.fresh_p95)}" if window.fresh_p95 is not None else ""
        parts.append(fresh + slow)
    return ", ".join(parts)


def _shades(bands: Sequence[Band], across: Linear, end: float) -> tuple[tuple[Shade, ...], int]:
    """The bands with their labels in as many rows as it takes for none to cover another, up to ROWS."""
    free: list[float] = []  # where the last label of each row ends
    shades = []
    for band in sorted(bands, key=lambda b: (b.start, b.end)):
        x, right = across(band.start), across(min(band.end, end))
        label = cut(visible(band.what), int((across.end - across.start) / LETTER))
        wide = cells(label) * LETTER
        label_x = max(across.start, min(x, across.end - wide))
        row = next((n for n, used in enumerate(free) if used + 8 <= label_x), len(free))
        if row < ROWS:
            free[row : row + 1] = [label_x + wide]
        else:
            label, row = "", ROWS - 1
        hint = f"{visible(band.what)}: {band.start:.1f} to {band.end:.1f} s"
        shades.append(
            Shade(x, round(max(1.5, right - x), 1), label, hint, round(label_x, 1), row * LABEL + LABEL - 5.0)
        )
    return tuple(shades), len(free)


def _said(measurement: Measurement, windows: Sequence[Window]) -> str:
    """The drawing in words, for those who do not see it."""
    bad = [w for w in windows if w.failed]
    when = (
        f"requests failed between {bad[0].start:g} and {bad[-1].start + bad[-1].seconds:g} s" if bad else ""
    )
    slow = max((w.p95 for w in windows if w.p95 is not None), default=None)
    worst = f"the highest p95 of a window is {summary.duration(slow)}" if slow is not None else ""
    done = ", ".join(f"{visible(b.what)} from {b.start:.1f} to {b.end:.1f} s" for b in measurement.bands)
    return "; ".join(filter(None, [done, when or "no request failed", worst])) + "."
