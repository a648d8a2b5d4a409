"""`mainstay rules`: every rule in a line or two, by analysis."""

from collections.abc import Iterator, Sequence

from mainstay.model.finding import Analysis
from mainstay.reports.summary import plural
from mainstay.reports.terminal import Paint, clamp, wrap
from mainstay.rules.base import Rule


def render(rules: Sequence[type[Rule]], colour: bool = False, width: int = 80) -> str:
    """Each analysis with its rules, worst first."""
    paint, width = Paint(colour), clamp(width)
    lines = [line for analysis in Analysis for line in _analysis(analysis, rules, paint, width)]
    closing = f"{plural(len(rules), 'rule')}; mainstay explain RULE prints one whole."
    return "\n".join([*lines, closing]) + "\n"


def _analysis(analysis: Analysis, rules: Sequence[type[Rule]], paint: Paint, width: int) -> Iterator[str]:
    members = [rule for rule in rules if rule.analysis() is analysis]
    if not members:
        return
    yield paint(f"{analysis.value} ({len(members)})", "bold")
    for rule in sorted(members, key=lambda r: (-r.severity, r.name())):
        preview = paint("  preview", "dim") if rule.preview else ""
        yield f"  {paint(rule.name(), 'rule')}  {paint.severity(rule.severity)}{preview}"
        yield from wrap(rule.paragraphs()[0], width, "      ")
    yield ""
