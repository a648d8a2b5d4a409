"""What the service carries: p95 by load as a curve, or load by length of the fault as a map."""

from msgspec import Struct

from mainstay.model.proof import Curve, Point
from mainstay.reports.proof import summary
from mainstay.reports.proof.scales import Linear, Tick, logarithmic, polyline
from mainstay.reports.visible import visible

WIDTH, HEIGHT = 560, 230
LEFT, RIGHT, TOP, FOOT = 50, 14, 14, 40


class Dot(Struct, frozen=True):
    """One point of the curve."""

    x: float
    y: float
    held: bool
    hint: str


class Drawing(Struct, frozen=True):
    """A curve, ready to be drawn."""

    width: int
    height: int
    left: float
    right: float
    bottom: float
    dots: tuple[Dot, ...]
    path: str
    budget: float
    budget_label: str
    rates: tuple[Tick, ...]
    latencies: tuple[Tick, ...]
    said: str


class Cell(Struct, frozen=True):
    """One field of the map; `held` is None where nobody looked."""

    held: bool | None
    text: str


class Map(Struct, frozen=True):
    """Rows by length of the fault, columns by load."""

    title: str
    x: str
    y: str
    rates: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    said: str


def draw(curve: Curve, budget: float) -> Drawing | Map | None:
    """A map when its points have an `x`, else a curve with a line at the budget (seconds)."""
    if not curve.points:
        return None
    if any(point.x for point in curve.points):
        return _map(curve)
    return _drawing(curve, budget)


def _drawing(curve: Curve, budget: float) -> Drawing:
    points = sorted(curve.points, key=lambda p: p.rate)
    bottom = float(HEIGHT - FOOT)
    across = Linear(0.0, max(p.rate for p in points) * 1.04, LEFT, WIDTH - RIGHT)
    up = logarithmic([budget, *(p.y for p in points if p.y is not None)], bottom, TOP)
    places = [(across(p.rate), up(p.y) if p.y is not None else float(TOP)) for p in points]
    return Drawing(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=bottom,
        dots=tuple(Dot(x, y, p.held, _hint(p)) for (x, y), p in zip(places, points, strict=True)),
        path=polyline([place if p.y is not None else None for place, p in zip(places, points, strict=True)]),
        budget=up(budget),
        budget_label=f"budget {summary.duration(budget)}",
        rates=across.ticks(6, "/s"),
        latencies=up.ticks(),
        said=_said(points),
    )


def _map(curve: Curve) -> Map:
    rates = sorted({point.rate for point in curve.points})
    lengths = sorted({point.x for point in curve.points})
    fields = {(point.x, point.rate): point for point in curve.points}
    return Map(
        title=visible(curve.title),
        x=visible(curve.x),
        y=visible(curve.y),
        rates=tuple(f"{summary.number(rate)}/s" for rate in rates),
        rows=tuple(
            (summary.number(x), tuple(_cell(fields.get((x, rate))) for rate in rates)) for x in lengths
        ),
        said=_said(curve.points),
    )


def _cell(point: Point | None) -> Cell:
    if point is None:
        return Cell(None, "")
    if point.y is not None:
        return Cell(point.held, summary.duration(point.y))
    return Cell(point.held, "yes" if point.held else "no")


def _hint(point: Point) -> str:
    value = f"p95 {summary.duration(point.y)}" if point.y is not None else "nothing was answered"
    held = "the budgets hold" if point.held else "the budgets do not hold"
    return f"{summary.number(point.rate)}/s: {value}, {held}"


def _said(points: "tuple[Point, ...] | list[Point]") -> str:
    """The highest load up to which every point held."""
    lost = min((p.rate for p in points if not p.held), default=None)
    held = [p.rate for p in points if p.held and (lost is None or p.rate < lost)]
    if not held:
        return "It did not hold at any load that was tried."
    if lost is None:
        return f"It held at every load that was tried, up to {summary.number(max(held))}/s."
    return f"It held up to {summary.number(max(held))}/s, and no longer at {summary.number(lost)}/s."
